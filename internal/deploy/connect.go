package deploy

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	autoscalingapi "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	elbapi "github.com/hardstand/hardstand/internal/aws/api/elb"
	elbv2api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// clients are the ways out of the process.
type clients struct {
	// endpoint is the server's URL, empty for AWS itself.
	endpoint string
	region   string
	cfn      *cloudformation.Client
	deploy   *codedeploy.Client
	s3       *s3.Client
	sts      *sts.Client
	ec2      *client.Client
	elb      *client.Client // classic load balancers
	elbv2    *client.Client
	scaling  *client.Client
	web      *http.Client // asks the application
	pace     pace
	clock    clock.Clock
}

// localBackoff is the longest pause between two attempts of a call to a server
// nearby: one that is not there should be told of at once.
const localBackoff = 250 * time.Millisecond

// connect finds region, keys and endpoint as every tool of AWS's does.
func connect(ctx context.Context, s Settings) (clients, error) {
	var opts []func(*awsconfig.LoadOptions) error
	if s.Region != "" {
		opts = append(opts, awsconfig.WithRegion(s.Region))
	}
	if s.Profile != "" {
		opts = append(opts, awsconfig.WithSharedConfigProfile(s.Profile))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return clients{}, &Failure{Cause: "AWS's configuration cannot be read", Exit: ExitDenied, Err: err, Fix: fixKeys}
	}
	if cfg.Region == "" {
		f := usage("no region is set")
		f.Fix = "set AWS_REGION or --region; for a local server: eval \"$(sudo hardstand env)\""
		return clients{}, f
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return clients{}, &Failure{Cause: "there are no credentials", Exit: ExitDenied, Evidence: []string{err.Error()}, Fix: fixKeys}
	}
	if s.Endpoint != "" {
		cfg.BaseEndpoint = &s.Endpoint
	}
	cfg.Logger = logging.Nop{} // what matters of it comes as an error
	local := cfg.BaseEndpoint != nil
	web := &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	if local {
		cfg.Retryer = func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = localBackoff })
		}
		web.Proxy = nil // the instances are on this machine
	}
	return clients{
		endpoint: aws.ToString(cfg.BaseEndpoint), region: cfg.Region, web: &http.Client{Transport: web},
		pace: paceFor(local, s.Clock), clock: s.Clock,
		cfn: cloudformation.NewFromConfig(cfg), deploy: codedeploy.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg),
		s3:  s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = local }),
		ec2: &client.Client{Model: ec2api.Model(), Config: cfg}, scaling: &client.Client{Model: autoscalingapi.Model(), Config: cfg},
		elb: &client.Client{Model: elbapi.Model(), Config: cfg}, elbv2: &client.Client{Model: elbv2api.Model(), Config: cfg},
	}, nil
}

// pace is how often AWS is asked while waiting: a local server often, AWS with
// growing distance.
type pace struct {
	clock      clock.Clock
	first, max time.Duration
}

func paceFor(local bool, c clock.Clock) pace {
	if local {
		return pace{c, 20 * time.Millisecond, 150 * time.Millisecond}
	}
	return pace{c, time.Second, 5 * time.Second}
}

// poll asks until ask reports done, with growing distance, until ctx ends.
func (p pace) poll(ctx context.Context, ask func() (done bool, err error)) error {
	for d := p.first; ; d = min(d*3/2, p.max) {
		done, err := ask()
		if done || err != nil {
			return err
		}
		if clock.Sleep(ctx, p.clock, d) != nil {
			return context.Cause(ctx)
		}
	}
}

// unless returns err but where passing says that it is to be waited out.
func unless(passing bool, err error) error {
	if passing {
		return nil
	}
	return err
}
