// Command bench measures what docs/performance.md reports, against a running server
// and, for ratios, against moto's server in the same run. bench/run.sh starts both.
//
// Every figure is a median. Nothing here is a test: a slow machine makes no failure.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	cfnapi "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/wire/client"
)

func main() {
	endpoint := flag.String("endpoint", os.Getenv("AWS_ENDPOINT_URL"), "the server to measure")
	peer := flag.String("peer", "", "moto's server, for describe and stacks")
	pid := flag.Int("pid", 0, "the server's process, for memory")
	n := flag.Int("n", 50, "how often")
	pause := flag.Duration("pause", 0, "between two launches")
	prefix := flag.String("prefix", "", "of the server's kernel objects, for memory")
	flag.Parse()
	run := map[string]func(context.Context, *bench) error{"launch": launch, "describe": describe, "memory": memory, "stacks": stacks}[flag.Arg(0)]
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: bench [flags] launch|describe|memory|stacks")
		os.Exit(2)
	}
	b := &bench{n: *n, pid: *pid, pause: *pause, prefix: *prefix, ours: connect(*endpoint)}
	if *peer != "" {
		b.peer = connect(*peer)
	}
	if err := run(context.Background(), b); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	n, pid     int
	pause      time.Duration
	prefix     string
	ours, peer *target
}

// target is a server with the clients that the measurements need.
type target struct {
	ec2, cfn *client.Client
	cfg      aws.Config
}

func connect(endpoint string) *target {
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(env("AWS_ACCESS_KEY_ID", "test"), env("AWS_SECRET_ACCESS_KEY", "test"), ""),
	}
	return &target{&client.Client{Model: ec2api.Model(), Config: cfg}, &client.Client{Model: cfnapi.Model(), Config: cfg}, cfg}
}

func env(name, def string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return def
}

func (t *target) run(ctx context.Context, count int32, userData string) ([]string, error) {
	in := &ec2api.RunInstancesInput{
		ImageId: aws.String("ami-12345678"), InstanceType: "t2.micro", MinCount: &count, MaxCount: &count,
	}
	if userData != "" {
		in.UserData = aws.String(base64.StdEncoding.EncodeToString([]byte(userData)))
	}
	var out ec2api.RunInstancesOutput
	if err := t.ec2.Call(ctx, "RunInstances", in, &out); err != nil {
		return nil, err
	}
	var ids []string
	for _, i := range out.Instances {
		ids = append(ids, *i.InstanceId)
	}
	return ids, nil
}

func (t *target) terminate(ctx context.Context, ids []string) error {
	return t.ec2.Call(ctx, "TerminateInstances", &ec2api.TerminateInstancesInput{InstanceIds: ids}, nil)
}

// launch measures from before the call of RunInstances to the first line of the
// instance's user data, which prints the time it is run at: host and instance have
// one clock. The instances stay until the end, as a fleet that is being started.
func launch(ctx context.Context, b *bench) error {
	var took []time.Duration
	var all []string
	for range b.n {
		began := time.Now()
		ids, err := b.ours.run(ctx, 1, "#!/bin/bash\necho started=$EPOCHREALTIME\n")
		if err != nil {
			return err
		}
		at, err := b.ours.started(ctx, ids[0])
		if err != nil {
			return err
		}
		took = append(took, at.Sub(began))
		all = append(all, ids...)
		time.Sleep(b.pause)
	}
	if err := b.ours.terminate(ctx, all); err != nil {
		return err
	}
	fmt.Printf("RunInstances to user data running, %v apart: p50 %.1f ms, p90 %.1f ms of %d\n", b.pause, ms(quantile(took, 0.5)), ms(quantile(took, 0.9)), b.n)
	return nil
}

const patience = 20 * time.Second

// started reads from the console when user data began.
func (t *target) started(ctx context.Context, id string) (time.Time, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var out ec2api.GetConsoleOutputOutput
		if err := t.ec2.Call(ctx, "GetConsoleOutput", &ec2api.GetConsoleOutputInput{InstanceId: &id}, &out); err != nil {
			return time.Time{}, err
		}
		text, err := base64.StdEncoding.DecodeString(aws.ToString(out.Output))
		if err != nil {
			return time.Time{}, err
		}
		_, rest, ok := strings.Cut(string(text), "started=")
		line, _, whole := strings.Cut(rest, "\n")
		if !ok || !whole {
			continue
		}
		micro, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(line), ".", ""), 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("console of %s: %w", id, err)
		}
		return time.UnixMicro(micro), nil
	}
	return time.Time{}, fmt.Errorf("the user data of %s did not run", id)
}

const template = `{"Resources":{"Topic":{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":"bench"}}}}`

// describe compares DescribeInstances of 100 instances and DescribeStacks of 10
// stacks with the peer.
func describe(ctx context.Context, b *bench) error {
	for _, t := range []*target{b.ours, b.peer} {
		if t == nil {
			return errors.New("describe needs --peer")
		}
		if _, err := t.run(ctx, 100, ""); err != nil {
			return err
		}
		for i := range 10 {
			in := &cfnapi.CreateStackInput{StackName: aws.String(fmt.Sprintf("bench-%d", i)), TemplateBody: aws.String(template)}
			if err := t.cfn.Call(ctx, "CreateStack", in, nil); err != nil {
				return err
			}
		}
	}
	for _, c := range []struct{ name, service, form string }{
		{"DescribeInstances of 100", "ec2", "Action=DescribeInstances&Version=2016-11-15"},
		{"DescribeStacks of 10", "cloudformation", "Action=DescribeStacks&Version=2010-05-15"},
	} {
		ours, err := b.time(ctx, b.ours, c.service, c.form)
		if err != nil {
			return err
		}
		theirs, err := b.time(ctx, b.peer, c.service, c.form)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %.2f ms, moto %.1f ms: %.0f times\n", c.name, ms(ours), ms(theirs), float64(theirs)/float64(ours))
	}
	return nil
}

// time sends one signed request again and again on one connection and reads the
// answers without looking into them, so that the client's own work counts little.
func (b *bench) time(ctx context.Context, t *target, service, form string) (time.Duration, error) {
	header, err := t.sign(ctx, service, form)
	if err != nil {
		return 0, err
	}
	var took []time.Duration
	for range b.n {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, *t.cfg.BaseEndpoint+"/", strings.NewReader(form))
		if err != nil {
			return 0, err
		}
		req.Header = header
		began := time.Now()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		took = append(took, time.Since(began))
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return 0, err
		}
		if resp.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%s answered %s", form, resp.Status)
		}
	}
	return quantile(took, 0.5), nil
}

func (t *target) sign(ctx context.Context, service, form string) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, *t.cfg.BaseEndpoint+"/", strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	keys, err := t.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(form))
	err = v4.NewSigner().SignHTTP(ctx, keys, req, hex.EncodeToString(sum[:]), service, t.cfg.Region, time.Now())
	return req.Header, err
}

// memory reports the server's resident set with no instance, and what the control
// groups of idle instances are charged with, on average.
func memory(ctx context.Context, b *bench) error {
	time.Sleep(time.Second) // the figure is defined as one second after ready
	empty, err := residentKiB(b.pid)
	if err != nil {
		return err
	}
	ids, err := b.ours.run(ctx, int32(b.n), "#!/bin/bash\necho started=$EPOCHREALTIME\n")
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := b.ours.started(ctx, id); err != nil {
			return err
		}
	}
	time.Sleep(time.Second) // user data ends
	charged, groups, err := chargedBytes(b.prefix)
	if err != nil {
		return err
	}
	fmt.Printf("server without instances: %.1f MB resident\n", float64(empty)/1024)
	fmt.Printf("idle instance: %.2f MB charged to its control group, mean of %d groups\n", float64(charged)/(1<<20)/float64(groups), groups)
	return b.ours.terminate(ctx, ids)
}

// chargedBytes adds up what the kernel charges the groups of a server with.
func chargedBytes(prefix string) (total int64, groups int, err error) {
	for _, pattern := range []string{"/sys/fs/cgroup/memory/%s/*/memory.usage_in_bytes", "/sys/fs/cgroup/%s/*/memory.current"} {
		files, err := filepath.Glob(fmt.Sprintf(pattern, prefix))
		if err != nil {
			return 0, 0, err
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return 0, 0, err
			}
			n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err != nil {
				return 0, 0, err
			}
			total, groups = total+n, groups+1
		}
	}
	if groups == 0 {
		return 0, 0, fmt.Errorf("no control groups of %s", prefix)
	}
	return total, groups, nil
}

func residentKiB(pid int) (int64, error) { return field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:") }

func field(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
