package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
)

// restLimit is how long a stack may take, kills included.
const restLimit = 60 * time.Second

// player plays rounds: a stack is created, updated, updated in vain, deleted, and
// created in vain, and in each act the server is killed once.
type player struct {
	server        *server
	random        *rand.Rand
	baseline      map[string]int
	longest       map[string]time.Duration // how long an act takes
	kills, within int
}

// act is one operation and how it must end. Without want the stack is gone.
type act struct {
	name, stack, operation, status string
	want                           *variant
	template                       variant
}

func (p *player) round(n int) error {
	name, lost := fmt.Sprintf("stack-%d", n), fmt.Sprintf("lost-%d", n)
	first, second := variant{generation: n}, variant{generation: n + 1}
	for i, a := range []act{
		{"create", name, "CreateStack", "CREATE_COMPLETE", &first, first},
		{"update", name, "UpdateStack", "UPDATE_COMPLETE", &second, second},
		{"update in vain", name, "UpdateStack", "UPDATE_ROLLBACK_COMPLETE", &second, variant{n + 2, true}},
		{"delete", name, "DeleteStack", "DELETE_COMPLETE", nil, variant{}},
		{"create in vain", lost, "CreateStack", "ROLLBACK_COMPLETE", nil, variant{n, true}},
		{"delete the rest", lost, "DeleteStack", "DELETE_COMPLETE", nil, variant{}},
	} {
		token := fmt.Sprintf("round-%d-%d", n, i)
		if err := p.play(a, token, n > 0 && a.name != "delete the rest"); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return nil
}

// play begins an act, kills the server within it if it shall, asks again with the
// same token, as whoever got no answer does, and checks the end.
func (p *player) play(a act, token string, kill bool) error {
	began := clock.System{}.Now()
	if kill {
		if err := p.killed(a, token); err != nil {
			return err
		}
	}
	if err := p.begin(a, token); err != nil {
		return err
	}
	if err := p.await(a); err != nil {
		return err
	}
	if !kill {
		p.longest[a.name] = clock.System{}.Now().Sub(began)
	}
	return p.check(a)
}

func (p *player) killed(a act, token string) error {
	begun := make(chan error, 1)
	go func() { begun <- p.begin(a, token) }()
	delay := time.Duration(p.random.Int64N(int64(p.longest[a.name]) + 1))
	if err := clock.Sleep(context.Background(), clock.System{}, delay); err != nil {
		return err
	}
	if status, err := p.status(a.stack); err == nil && strings.HasSuffix(status, "IN_PROGRESS") {
		p.within++
	}
	p.server.kill()
	p.kills++
	<-begun // its answer may be lost
	return p.server.start()
}

func (p *player) begin(a act, token string) error {
	body := aws.Ptr(a.template.template())
	capabilities := []api.Capability{api.CapabilityCapabilityIam}
	switch a.operation {
	case "CreateStack":
		return p.server.call(api.Model(), a.operation, &api.CreateStackInput{StackName: &a.stack, TemplateBody: body, Capabilities: capabilities, ClientRequestToken: &token}, nil)
	case "UpdateStack":
		return p.server.call(api.Model(), a.operation, &api.UpdateStackInput{StackName: &a.stack, TemplateBody: body, Capabilities: capabilities, ClientRequestToken: &token}, nil)
	}
	return p.server.call(api.Model(), a.operation, &api.DeleteStackInput{StackName: &a.stack}, nil)
}

func (p *player) status(name string) (string, error) {
	var out api.DescribeStacksOutput
	err := p.server.call(api.Model(), "DescribeStacks", &api.DescribeStacksInput{StackName: &name}, &out)
	if awserr.Is(err, "ValidationError") {
		return "DELETE_COMPLETE", nil
	}
	if err != nil {
		return "", err
	}
	return string(out.Stacks[0].StackStatus), nil
}

func (p *player) await(a act) error {
	last := ""
	err := until(restLimit, a.stack+" is "+a.status, func() (done bool, err error) {
		last, err = p.status(a.stack)
		return last == a.status || err == nil && !strings.HasSuffix(last, "IN_PROGRESS"), err
	})
	if err == nil && last != a.status {
		err = fmt.Errorf("%s is %s, want %s\n%s", a.stack, last, a.status, p.story(a.stack))
	}
	return err
}

// check counts what the account has beside what it had at first.
func (p *player) check(a act) error {
	have, err := p.server.inventory()
	if err != nil {
		return err
	}
	want := map[string]int{}
	if a.want != nil {
		want = a.want.counts()
	}
	for kind, n := range have {
		if n-p.baseline[kind] != want[kind] {
			return fmt.Errorf("%d of %s, want %d\n%s", n-p.baseline[kind], kind, want[kind], p.story(a.stack))
		}
	}
	return nil
}

// story is the newest events of a stack.
func (p *player) story(name string) string {
	var out api.DescribeStackEventsOutput
	if err := p.server.call(api.Model(), "DescribeStackEvents", &api.DescribeStackEventsInput{StackName: &name}, &out); err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, ev := range out.StackEvents {
		fmt.Fprintf(&b, "  %s %s %s %s\n", aws.Val(ev.LogicalResourceId), ev.ResourceStatus, aws.Val(ev.PhysicalResourceId), aws.Val(ev.ResourceStatusReason))
	}
	return b.String()
}
