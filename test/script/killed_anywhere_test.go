package script_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
)

// twins is a template with two instances in a group of its own.
const twins = `
Resources:
  group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: twins
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}]
  one:
    Type: AWS::EC2::Instance
    Properties: {ImageId: ami-08111162, SecurityGroups: [!Ref group]}
  two:
    Type: AWS::EC2::Instance
    DependsOn: one
    Properties: {ImageId: ami-08111162, SecurityGroups: [!Ref group]}
`

// Whenever the server dies while it makes a stack, or while it deletes one, its
// successor brings the work to the same end. Delays are what hits different steps;
// whichever they hit, the end must be the same.
func TestKilledAnywhere(t *testing.T) {
	needs(t)
	s, err := newServer("killed-anywhere")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.finish(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.logTail())
		}
	})
	for _, delay := range []time.Duration{0, 2, 5, 8, 12, 20} {
		delay *= time.Millisecond
		name := "twins-" + fmt.Sprint(delay.Milliseconds())
		t.Run(name, func(t *testing.T) {
			killDuring(t, s, delay, func(ctx context.Context) error { return s.createTwins(ctx, name) })
			// Whoever got no answer asks again, with the same token.
			if err := s.createTwins(context.Background(), name); err != nil {
				t.Fatal(err)
			}
			s.awaitStack(t, name, "CREATE_COMPLETE")
			awaitMachines(t, s, 2)
			s.checkTwins(t)
			killDuring(t, s, delay, func(ctx context.Context) error { return s.deleteStack(ctx, name) })
			if err := s.deleteStack(context.Background(), name); err != nil {
				t.Fatal(err)
			}
			s.awaitStack(t, name, "DELETE_COMPLETE")
			awaitMachines(t, s, 0)
		})
	}
}

// killDuring starts a call, kills the server after the delay, and starts it again.
func killDuring(t *testing.T, s *serverUnderTest, delay time.Duration, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	returned := make(chan struct{})
	go func() {
		_ = call(ctx) // the answer may be lost
		close(returned)
	}()
	if err := clock.Sleep(context.Background(), clock.System{}, delay); err != nil {
		t.Fatal(err)
	}
	if err := s.end(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-returned
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

func (s *serverUnderTest) createTwins(ctx context.Context, name string) error {
	return s.client(cloudformation.Model()).Call(ctx, "CreateStack", &cloudformation.CreateStackInput{
		StackName: &name, TemplateBody: aws.Ptr(twins), ClientRequestToken: &name,
	}, &cloudformation.CreateStackOutput{})
}

func (s *serverUnderTest) deleteStack(ctx context.Context, name string) error {
	return s.client(cloudformation.Model()).Call(ctx, "DeleteStack", &cloudformation.DeleteStackInput{StackName: &name}, nil)
}

func (s *serverUnderTest) awaitStack(t *testing.T, name, status string) {
	t.Helper()
	ctx := context.Background()
	err := until(waitLimit, name+" is "+status, func() (bool, error) {
		now, err := s.stackStatus(ctx, name)
		if err == nil && now != status && strings.Contains(now, "ROLLBACK") {
			err = fmt.Errorf("%s is %s", name, now)
		}
		return now == status, err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, stackStory(ctx, s, name))
	}
}

// stackStatus returns DELETE_COMPLETE for a stack that its name does not find.
func (s *serverUnderTest) stackStatus(ctx context.Context, name string) (string, error) {
	var out cloudformation.DescribeStacksOutput
	err := s.client(cloudformation.Model()).Call(ctx, "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: &name}, &out)
	if awserr.Is(err, "ValidationError") {
		return "DELETE_COMPLETE", nil
	}
	if err != nil {
		return "", err
	}
	return string(out.Stacks[0].StackStatus), nil
}

// checkTwins counts what the account has now: two instances that have not ended,
// and one group beside the default one.
func (s *serverUnderTest) checkTwins(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	var out ec2.DescribeInstancesOutput
	alive := &ec2.DescribeInstancesInput{Filters: []ec2.Filter{{Name: aws.Ptr("instance-state-name"), Values: []string{"pending", "running"}}}}
	if err := s.client(ec2.Model()).Call(ctx, "DescribeInstances", alive, &out); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range out.Reservations {
		n += len(r.Instances)
	}
	var groups ec2.DescribeSecurityGroupsOutput
	if err := s.client(ec2.Model()).Call(ctx, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{}, &groups); err != nil {
		t.Fatal(err)
	}
	if n != 2 || len(groups.SecurityGroups) != 2 {
		t.Errorf("%d instances and %d security groups, want 2 and 2 (with the default one)", n, len(groups.SecurityGroups))
	}
}
