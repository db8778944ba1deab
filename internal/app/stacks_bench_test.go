package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// mixed is a template of n parameters, roles, users and buckets; the first changed
// of them have another value.
func mixed(n, changed int) string {
	var b strings.Builder
	trust := "&t {Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}"
	b.WriteString("Resources:\n")
	for i := range n {
		value := "one"
		if i < changed {
			value = "two"
		}
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, "  R%d: {Type: 'AWS::IAM::User', Properties: {Path: /%s/}}\n", i, value)
		case 1:
			fmt.Fprintf(&b, "  R%d: {Type: 'AWS::S3::Bucket', Properties: {Tags: [{Key: k, Value: %s}]}}\n", i, value)
		case 2:
			fmt.Fprintf(&b, "  R%d: {Type: 'AWS::IAM::Role', Properties: {Description: %s, AssumeRolePolicyDocument: %s}}\n", i, value, trust)
			trust = "*t" // a body must not be longer than 51,200 bytes
		default:
			fmt.Fprintf(&b, "  R%d: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: !Sub '%s ${R%d}'}}\n", i, value, i-i%5+2)
		}
	}
	return b.String()
}

// BenchmarkStacks goes through the life of stacks of real types, every step of it
// durable.
func BenchmarkStacks(b *testing.B) {
	for _, n := range []int{50, 500} {
		x := &stackBench{server: start(b, testConfig(b)), b: b, bodies: [2]*string{aws.Ptr(mixed(n, 0)), aws.Ptr(mixed(n, n/10))}}
		b.Run(fmt.Sprintf("create %d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				x.create(fmt.Sprintf("s%d-%d-%d", n, b.N, i))
			}
		})
		id := x.create(fmt.Sprintf("main%d", n))
		b.Run(fmt.Sprintf("no update of %d", n), func(b *testing.B) {
			for b.Loop() {
				err := x.call("UpdateStack", &cloudformation.UpdateStackInput{StackName: &id, TemplateBody: x.bodies[0], Capabilities: makesIdentities}, nil)
				if e := awserr.As(err); e == nil || e.Message != "No updates are to be performed." {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("update a tenth of %d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				x.must("UpdateStack", &cloudformation.UpdateStackInput{StackName: &id, TemplateBody: x.bodies[1-i%2], Capabilities: makesIdentities}, nil)
				if x.rest(id) == "UPDATE_ROLLBACK_COMPLETE" {
					b.Fatal("rolled back")
				}
			}
		})
		b.Run(fmt.Sprintf("change set of %d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				name := fmt.Sprintf("c%d-%d", b.N, i)
				x.must("CreateChangeSet", &cloudformation.CreateChangeSetInput{StackName: &id, ChangeSetName: &name, TemplateBody: x.bodies[i%2], Capabilities: makesIdentities}, nil)
			}
		})
		b.Run(fmt.Sprintf("delete %d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				id := x.create(fmt.Sprintf("d%d-%d-%d", n, b.N, i))
				b.StartTimer()
				x.must("DeleteStack", &cloudformation.DeleteStackInput{StackName: &id}, nil)
				x.rest(id)
			}
		})
	}
}

var makesIdentities = []cloudformation.Capability{"CAPABILITY_IAM"}

type stackBench struct {
	*server
	b      *testing.B
	bodies [2]*string
}

func (x *stackBench) call(operation string, in, out any) error {
	c := &client.Client{Model: cloudformation.Model(), Config: x.as(x.Access())}
	return c.Call(x.b.Context(), operation, in, out)
}

func (x *stackBench) must(operation string, in, out any) {
	x.b.Helper()
	if err := x.call(operation, in, out); err != nil {
		x.b.Fatal(err)
	}
}

func (x *stackBench) create(name string) string {
	x.b.Helper()
	var out cloudformation.CreateStackOutput
	x.must("CreateStack", &cloudformation.CreateStackInput{StackName: &name, TemplateBody: x.bodies[0], Capabilities: makesIdentities}, &out)
	if status := x.rest(*out.StackId); status != "CREATE_COMPLETE" {
		x.b.Fatal(status)
	}
	return *out.StackId
}

func (x *stackBench) rest(id string) string {
	x.b.Helper()
	s, err := x.world.engine.Wait(x.b.Context(), store.Key{Account: "123456789012", Region: "us-east-1", ID: id})
	if err != nil {
		x.b.Fatal(err)
	}
	return s.Status
}
