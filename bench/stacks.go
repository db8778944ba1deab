package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	cfnapi "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
)

// mixed is a template of n buckets, topics and queues, which moto can update, too; the first changed of them have another value.
func mixed(n, changed int) string {
	var b strings.Builder
	b.WriteString("Resources:\n")
	for i := range n {
		value := "a"
		if i < changed {
			value = "b"
		}
		line := []string{
			" R%d: {Type: 'AWS::S3::Bucket'} # %s\n",
			" R%d: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: %s}}\n",
			" R%d: {Type: 'AWS::SQS::Queue', Properties: {Tags: [{Key: k, Value: %s}]}}\n",
			" R%d: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: %s}}\n",
			" R%d: {Type: 'AWS::SQS::Queue', Properties: {Tags: [{Key: k, Value: %s}]}}\n",
		}[i%5]
		fmt.Fprintf(&b, line, i, value)
	}
	return b.String()
}

// rest asks for a stack until it rests.
func (t *target) rest(ctx context.Context, id string) (string, error) {
	for {
		var out cfnapi.DescribeStacksOutput
		if err := t.cfn.Call(ctx, "DescribeStacks", &cfnapi.DescribeStacksInput{StackName: &id}, &out); err != nil {
			return "", err
		}
		status := string(out.Stacks[0].StackStatus)
		if !strings.HasSuffix(status, "_IN_PROGRESS") {
			return status, nil
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// through calls an operation on a stack and waits for it to end as it shall.
func (t *target) through(ctx context.Context, operation string, in any, id *string, want string) (time.Duration, error) {
	began := time.Now()
	var err error
	if operation == "CreateStack" {
		var out cfnapi.CreateStackOutput
		err = t.cfn.Call(ctx, operation, in, &out)
		*id = aws.ToString(out.StackId)
	} else {
		err = t.cfn.Call(ctx, operation, in, nil)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", operation, err)
	}
	status, err := t.rest(ctx, *id)
	if err == nil && status != want {
		err = fmt.Errorf("%s ended as %s", operation, status)
	}
	return time.Since(began), err
}

// lifetime is how long one stack's life may take.
const lifetime = time.Minute

// life measures each operation on one stack of n resources; of the peer its creation,
// the only one that both do alike.
func (t *target) life(ctx context.Context, name string, n int, peer bool) (map[string]time.Duration, error) {
	took, body, other := map[string]time.Duration{}, mixed(n, 0), mixed(n, n/10)
	var id string
	var err error
	if took["create"], err = t.through(ctx, "CreateStack", &cfnapi.CreateStackInput{StackName: &name, TemplateBody: &body}, &id, "CREATE_COMPLETE"); err != nil {
		return nil, err
	}
	if peer {
		return took, nil
	}
	began := time.Now()
	// Here "No updates are to be performed."; a server that updates all the same takes its time.
	if err := t.cfn.Call(ctx, "UpdateStack", &cfnapi.UpdateStackInput{StackName: &id, TemplateBody: &body}, nil); err == nil {
		if _, err := t.rest(ctx, id); err != nil {
			return nil, err
		}
	}
	took["no-op update"] = time.Since(began)
	began = time.Now()
	if err := t.cfn.Call(ctx, "CreateChangeSet", &cfnapi.CreateChangeSetInput{StackName: &id, ChangeSetName: aws.String("c"), TemplateBody: &other}, nil); err != nil {
		return nil, fmt.Errorf("CreateChangeSet: %w", err)
	}
	took["change set"] = time.Since(began)
	if took["update of a tenth"], err = t.through(ctx, "UpdateStack", &cfnapi.UpdateStackInput{StackName: &id, TemplateBody: &other}, &id, "UPDATE_COMPLETE"); err != nil {
		return nil, err
	}
	took["delete"], err = t.through(ctx, "DeleteStack", &cfnapi.DeleteStackInput{StackName: &id}, &id, "DELETE_COMPLETE")
	return took, err
}

// stacks measures the operations on stacks of 50 and 500 resources, a page of the
// events of a stack that has 2,000, and 50 stacks of 20 resources side by side.
func stacks(ctx context.Context, b *bench) error {
	for name, t := range map[string]*target{"hardstand": b.ours, "moto": b.peer} {
		if t == nil {
			continue
		}
		for _, n := range []int{50, 500} {
			took := map[string][]time.Duration{}
			for i := range b.n {
				limited, cancel := context.WithTimeout(ctx, lifetime)
				one, err := t.life(limited, fmt.Sprintf("life%d-%d", n, i), n, t == b.peer)
				cancel()
				if err != nil {
					fmt.Printf("%s, stack of %d: %v\n", name, n, err)
					break
				}
				for what, d := range one {
					took[what] = append(took[what], d)
				}
			}
			for _, what := range []string{"create", "no-op update", "change set", "update of a tenth", "delete"} {
				if len(took[what]) > 0 {
					fmt.Printf("%s, stack of %d, %s: %.0f ms\n", name, n, what, ms(quantile(took[what], 0.5)))
				}
			}
		}
		if err := side(ctx, name, t); err != nil {
			fmt.Printf("%s, stacks side by side: %v\n", name, err)
		}
	}
	return b.events(ctx)
}

// side makes 50 stacks of 20 resources at once.
func side(ctx context.Context, name string, t *target) error {
	body := mixed(20, 0)
	errs := make([]error, 50)
	began := time.Now()
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			var id string
			_, errs[i] = t.through(ctx, "CreateStack", &cfnapi.CreateStackInput{StackName: aws.String(fmt.Sprintf("side%d", i)), TemplateBody: &body}, &id, "CREATE_COMPLETE")
		})
	}
	all.Wait()
	fmt.Printf("%s, 50 stacks of 20 resources side by side: %.0f ms\n", name, ms(time.Since(began)))
	for _, err := range errs {
		if err != nil {
			return err // one tells enough
		}
	}
	return nil
}

// events pages through the events of a stack that has 2,000.
func (b *bench) events(ctx context.Context) error {
	body := mixed(500, 0)
	var id string
	in := &cfnapi.CreateStackInput{StackName: aws.String("events"), TemplateBody: &body}
	if _, err := b.ours.through(ctx, "CreateStack", in, &id, "CREATE_COMPLETE"); err != nil {
		return err
	}
	if _, err := b.ours.through(ctx, "DeleteStack", &cfnapi.DeleteStackInput{StackName: &id}, &id, "DELETE_COMPLETE"); err != nil {
		return err
	}
	var pages []time.Duration
	count := 0
	for next := (*string)(nil); ; {
		began := time.Now()
		var out cfnapi.DescribeStackEventsOutput
		if err := b.ours.cfn.Call(ctx, "DescribeStackEvents", &cfnapi.DescribeStackEventsInput{StackName: &id, NextToken: next}, &out); err != nil {
			return err
		}
		pages, count = append(pages, time.Since(began)), count+len(out.StackEvents)
		if next = out.NextToken; next == nil {
			break
		}
	}
	fmt.Printf("DescribeStackEvents, a page of %d events: p50 %.2f ms, p90 %.2f ms\n", count, ms(quantile(pages, 0.5)), ms(quantile(pages, 0.9)))
	return nil
}
