package script_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
)

type serverKey struct{}

func serverOf(ts *testscript.TestScript) *serverUnderTest {
	return ts.Value(serverKey{}).(*serverUnderTest)
}

// waitLimit bounds every wait of a script.
const waitLimit = 60 * time.Second

// commands are what scripts may use beyond testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// serve [flag...] starts the server, again after kill9 or stop.
	"serve": func(ts *testscript.TestScript, _ bool, args []string) {
		s := serverOf(ts)
		if s.flags == nil {
			s.flags = args
		}
		ts.Check(s.start())
		asRoot(ts, s)
	},
	// kill9 kills the server; stop asks it to end.
	"kill9": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(serverOf(ts).end(unix.SIGKILL)) },
	"stop":  func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(serverOf(ts).end(unix.SIGTERM)) },
	"as":    as,
	// var NAME FILE puts the trimmed content of a file, or stdout, into a variable.
	"var": func(ts *testscript.TestScript, _ bool, args []string) {
		want(ts, args, 2, "var NAME FILE")
		ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
	},
	"repeat":     repeat,
	"waitstack":  waitStack,
	"waitdeploy": waitDeployment,
	"console":    console,
	"closed":     closed,
	// identities makes the tutorial's roles, profile and bucket, as an administrator
	// would: tutorial.txtar does it by hand.
	"identities": func(ts *testscript.TestScript, _ bool, _ []string) {
		ts.Check(serverOf(ts).identities(context.Background()))
	},
	"instances": countInstances,
	"output":    output,
}

func want(ts *testscript.TestScript, args []string, n int, usage string) {
	if len(args) != n {
		ts.Fatalf("usage: %s", usage)
	}
}

// as root|FILE continues as the account's root or as the owner of the access key in
// a file that the aws command printed.
func as(ts *testscript.TestScript, _ bool, args []string) {
	want(ts, args, 1, "as root|FILE")
	if args[0] == "root" {
		asRoot(ts, serverOf(ts))
		return
	}
	id, secret, token, err := parseAccessKey([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Setenv("AWS_ACCESS_KEY_ID", id)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	ts.Setenv("AWS_SESSION_TOKEN", token)
}

func asRoot(ts *testscript.TestScript, s *serverUnderTest) {
	for name, value := range s.access {
		ts.Setenv(name, value)
	}
	ts.Setenv("AWS_SESSION_TOKEN", "")
}

// repeat PROGRAM [arg...] runs a program until it succeeds.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: repeat PROGRAM [arg...]")
	}
	ts.Check(until(waitLimit, strings.Join(args, " "), func() (bool, error) { return ts.Exec(args[0], args[1:]...) == nil, nil }))
}

// waitstack NAME STATUS waits for a status of a stack. A stack that a name does not
// find any more is DELETE_COMPLETE. Any other end fails with the stack's events.
func waitStack(ts *testscript.TestScript, _ bool, args []string) {
	want(ts, args, 2, "waitstack NAME STATUS")
	ctx := context.Background()
	err := until(waitLimit, "stack "+args[0]+" is "+args[1], func() (bool, error) {
		status, err := serverOf(ts).stackStatus(ctx, args[0])
		if err != nil {
			return false, err
		}
		if status == args[1] {
			return true, nil
		}
		if !strings.HasSuffix(status, "_IN_PROGRESS") && args[1] != "DELETE_COMPLETE" {
			return false, fmt.Errorf("stack %s is %s", args[0], status)
		}
		return false, nil
	})
	if err != nil {
		ts.Fatalf("%v\n%s", err, stackStory(ctx, serverOf(ts), args[0]))
	}
}

// output STACK KEY NAME puts an output of a stack into a variable.
func output(ts *testscript.TestScript, _ bool, args []string) {
	want(ts, args, 3, "output STACK KEY NAME")
	var out cloudformation.DescribeStacksOutput
	ts.Check(serverOf(ts).client(cloudformation.Model()).Call(context.Background(), "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: &args[0]}, &out))
	for _, o := range out.Stacks[0].Outputs {
		if aws.Val(o.OutputKey) == args[1] {
			ts.Setenv(args[2], aws.Val(o.OutputValue))
			return
		}
	}
	ts.Fatalf("stack %s has no output %s", args[0], args[1])
}

func stackStory(ctx context.Context, s *serverUnderTest, name string) string {
	var out cloudformation.DescribeStackEventsOutput
	if err := s.client(cloudformation.Model()).Call(ctx, "DescribeStackEvents", &cloudformation.DescribeStackEventsInput{StackName: &name}, &out); err != nil {
		return err.Error()
	}
	var story strings.Builder
	for _, e := range slices.Backward(out.StackEvents) {
		fmt.Fprintln(&story, aws.Val(e.LogicalResourceId), e.ResourceStatus, aws.Val(e.ResourceStatusReason))
	}
	return story.String()
}

// waitdeploy ID STATUS waits for a status of a deployment.
func waitDeployment(ts *testscript.TestScript, _ bool, args []string) {
	want(ts, args, 2, "waitdeploy ID STATUS")
	c := serverOf(ts).client(codedeploy.Model())
	ends := []string{"Succeeded", "Failed", "Stopped"}
	ts.Check(until(waitLimit, "deployment "+args[0]+" is "+args[1], func() (bool, error) {
		var out codedeploy.GetDeploymentOutput
		if err := c.Call(context.Background(), "GetDeployment", &codedeploy.GetDeploymentInput{DeploymentId: &args[0]}, &out); err != nil {
			return false, err
		}
		status := string(out.DeploymentInfo.Status)
		if status != args[1] && slices.Contains(ends, status) {
			why := aws.Val(out.DeploymentInfo.ErrorInformation)
			return false, fmt.Errorf("deployment %s is %s: %s: %s", args[0], status, why.Code, aws.Val(why.Message))
		}
		return status == args[1], nil
	}))
}

// console INSTANCE PATTERN waits until an instance's console matches, and leaves it
// in stdout.
func console(ts *testscript.TestScript, _ bool, args []string) {
	want(ts, args, 2, "console INSTANCE PATTERN")
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	c := serverOf(ts).client(ec2.Model())
	var text []byte
	err = until(waitLimit, "the console matches "+args[1], func() (bool, error) {
		var out ec2.GetConsoleOutputOutput
		if err := c.Call(context.Background(), "GetConsoleOutput", &ec2.GetConsoleOutputInput{InstanceId: &args[0]}, &out); err != nil {
			return false, err
		}
		text, err = base64.StdEncoding.DecodeString(aws.Val(out.Output))
		return pattern.Match(text), err
	})
	if err != nil {
		ts.Fatalf("%v; it is:\n%s", err, text)
	}
	_, _ = ts.Stdout().Write(text)
}

// closed ADDRESS PORT fails unless packets to a port are dropped, as a security
// group does: neither accepted nor refused.
func closed(ts *testscript.TestScript, _ bool, args []string) {
	want(ts, args, 2, "closed ADDRESS PORT")
	_, err := netip.ParseAddr(args[0])
	ts.Check(err)
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(args[0], args[1]), 700*time.Millisecond)
	if err == nil {
		_ = conn.Close()
		ts.Fatalf("%s:%s is open", args[0], args[1])
	}
	if !os.IsTimeout(err) {
		ts.Fatalf("%s:%s is not dropped: %v", args[0], args[1], err)
	}
}

// instances N fails unless so many instances exist, counted in the kernel.
func countInstances(ts *testscript.TestScript, _ bool, args []string) {
	want(ts, args, 1, "instances N")
	s := serverOf(ts)
	err := until(waitLimit, args[0]+" instances", func() (bool, error) {
		return fmt.Sprint(len(s.machines())) == args[0], nil
	})
	if err != nil {
		ts.Fatalf("%v; there are: %v", err, s.machines())
	}
}
