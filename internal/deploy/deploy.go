// Package deploy is the build server's side: from a directory with a template and
// an application to instances that serve it, and to a plain account of what went
// wrong when they do not.
//
// It uses AWS's public API only (SDK v2; EC2 by internal/wire/client), so that with
// AWS's credentials and no endpoint it runs against AWS. It imports agent/appspec
// for the grammar of appspec files. The flow enters at Run and goes through the
// steps in order: check (project.go), identity
// (identity.go), package and upload (upload.go), stack
// (stack.go), application and group (application.go), deployment (deployment.go),
// url (url.go). Each step waits on what AWS reports, never on time alone. It leaves
// as a Result, or as a *Failure with cause, evidence and remedy.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// Settings say where and how to run.
type Settings struct {
	// Endpoint replaces AWS's own; empty leaves it to AWS_ENDPOINT_URL and AWS.
	Endpoint, Region, Profile string
	// Timeout bounds the whole run; zero means 30 minutes.
	Timeout time.Duration
	// Out receives the progress; Live redraws it in place on a terminal.
	Out  io.Writer
	Live bool
}

// Result is what a successful run leaves.
type Result struct {
	StackID, DeploymentID string
	// URL answered with 200; empty when none is known.
	URL     string
	Outputs map[string]string
}

const defaultTimeout = 30 * time.Minute

// run is one run of the pipeline.
type run struct {
	*project
	region, account string
	clients
	pace     pace
	progress *progress

	archive           []byte
	bucket, key, etag string
	declared          map[string]bool // the template's parameters; true: it has a default
	outputs           map[string]string
	stackID           string
	deployment        string
}

type clients struct {
	cfn    *cloudformation.Client
	deploy *codedeploy.Client
	s3     *s3.Client
	sts    *sts.Client
	ec2    *client.Client
}

// Run checks, packages, uploads, provisions, deploys and verifies.
func Run(ctx context.Context, o Options, s Settings) (*Result, error) {
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout, errTimeout)
	defer cancel()
	r := &run{progress: newProgress(s.Out, s.Live)}
	defer r.progress.close()
	err := r.steps(ctx, o, s)
	if err != nil {
		return nil, r.explain(ctx, err)
	}
	return &Result{StackID: r.stackID, DeploymentID: r.deployment, URL: r.URL, Outputs: r.outputs}, nil
}

var errTimeout = errors.New("the time given with --timeout is over")

func (r *run) steps(ctx context.Context, o Options, s Settings) error {
	for _, st := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"check", func(ctx context.Context) error { return r.check(ctx, o, s) }},
		{"identity", r.identify},
		{"package", r.pack},
		{"upload", r.upload},
		{"stack", r.provision},
		{"application", r.register},
		{"deployment", r.release},
		{"url", r.verify},
	} {
		r.progress.begin(st.name)
		if err := st.do(ctx); err != nil {
			r.progress.end(false)
			var f *Failure
			if errors.As(err, &f) {
				return err
			}
			return &Failure{Step: st.name, Cause: "it could not be finished", Exit: ExitUnexpected, Err: err}
		}
		r.progress.end(true)
	}
	return nil
}

// check looks at the project and finds out who is calling.
func (r *run) check(ctx context.Context, o Options, s Settings) error {
	p, err := openProject(o)
	if err != nil {
		return err
	}
	r.project = p
	if err := r.connect(ctx, s); err != nil {
		return err
	}
	id, err := r.sts.GetCallerIdentity(ctx, nil)
	if err != nil {
		return denied("check", "the caller is not known", err)
	}
	r.account = aws.ToString(id.Account)
	r.progress.detail(fmt.Sprintf("%s in %s as %s", r.Stack, r.region, aws.ToString(id.Arn)))
	r.bucket = r.Bucket
	if r.bucket == "" {
		r.bucket = "hardstand-deploy-" + r.account + "-" + r.region
	}
	return r.validateTemplate(ctx)
}

func (r *run) connect(ctx context.Context, s Settings) error {
	var opts []func(*awsconfig.LoadOptions) error
	if s.Region != "" {
		opts = append(opts, awsconfig.WithRegion(s.Region))
	}
	if s.Profile != "" {
		opts = append(opts, awsconfig.WithSharedConfigProfile(s.Profile))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return denied("check", "AWS's configuration cannot be read", err)
	}
	if cfg.Region == "" {
		f := usage("no region is set")
		f.Fix = "set AWS_REGION or --region; for a local server: eval \"$(sudo hardstand env)\""
		return f
	}
	if s.Endpoint != "" {
		cfg.BaseEndpoint = aws.String(s.Endpoint)
	}
	r.region = cfg.Region
	local := cfg.BaseEndpoint != nil
	r.pace = paceFor(local)
	r.clients = clients{
		cfn: cloudformation.NewFromConfig(cfg), deploy: codedeploy.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg),
		s3:  s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = local }),
		ec2: &client.Client{Model: ec2api.Model(), Config: cfg},
	}
	return nil
}

// explain turns the errors that end any step into failures: a denial, the time-out,
// Ctrl-C.
func (r *run) explain(ctx context.Context, err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Step: "run", Cause: err.Error(), Exit: ExitUnexpected}
	}
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		f.Cause, f.Exit, f.Err = errTimeout.Error(), ExitTimeout, nil
		f.State = r.goesOn()
	case ctx.Err() != nil:
		f.Cause, f.Exit, f.Err = "it was interrupted", ExitInterrupted, nil
		f.State = r.goesOn()
	default:
		recogniseDenial(f)
	}
	return f
}

func (r *run) goesOn() string {
	switch {
	case r.deployment != "":
		return "the deployment " + r.deployment + " goes on without this command"
	case r.stackID != "":
		return "the stack goes on without this command: " + r.stackID
	}
	return ""
}

func denied(step, cause string, err error) error {
	f := &Failure{Step: step, Cause: cause, Exit: ExitDenied, Err: err}
	f.Fix = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL; for a local server: eval \"$(sudo hardstand env)\""
	return f
}

// recogniseDenial gives a missing permission its exit code and its remedy,
// whichever step met it.
func recogniseDenial(f *Failure) {
	code := errorCode(f.Err)
	switch code {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden":
		f.Exit = ExitDenied
		if f.Fix == "" {
			f.Fix = "grant the caller the action that the message names"
		}
	}
}

// errorCode returns AWS's code of err, or "".
func errorCode(err error) string {
	var ae smithy.APIError
	if errors.As(err, &ae) {
		return ae.ErrorCode()
	}
	return ""
}

// pace is how often AWS is asked while waiting: a local server often, AWS with
// growing distance.
type pace struct{ first, max time.Duration }

func paceFor(local bool) pace {
	if local {
		return pace{20 * time.Millisecond, 150 * time.Millisecond}
	}
	return pace{time.Second, 5 * time.Second}
}

// poll asks until ask reports done, with growing distance, until ctx ends.
func (p pace) poll(ctx context.Context, ask func() (done bool, err error)) error {
	for d := p.first; ; d = min(d*3/2, p.max) {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
