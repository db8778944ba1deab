package elbv2_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// Every operation is refused without its permission, before it does anything.
func TestAccessDenied(t *testing.T) {
	l := newLab(t)
	balancer := l.balancer("app")
	group := l.group("web")
	listener := l.listener(balancer, "HTTP", 80, forward(group))
	rule := l.rule(listener, 1, fixed())
	inputs := map[string]any{
		"CreateLoadBalancer": &api.CreateLoadBalancerInput{Name: aws.Ptr("new"), Subnets: []string{"subnet-a", "subnet-b"}},
		"CreateTargetGroup":  &api.CreateTargetGroupInput{Name: aws.Ptr("new")},
		"CreateRule":         &api.CreateRuleInput{ListenerArn: &listener, Priority: aws.Ptr[int32](2), Conditions: path("/a"), Actions: fixed()},
		"SetRulePriorities":  &api.SetRulePrioritiesInput{RulePriorities: []api.RulePriorityPair{{RuleArn: &rule, Priority: aws.Ptr[int32](5)}}},
		"AddTags":            &api.AddTagsInput{ResourceArns: []string{group}, Tags: []api.Tag{{Key: aws.Ptr("a")}}},
		"RemoveTags":         &api.RemoveTagsInput{ResourceArns: []string{group}, TagKeys: []string{"a"}},
		"DescribeTags":       &api.DescribeTagsInput{ResourceArns: []string{group}},
		"CreateListener":     &api.CreateListenerInput{LoadBalancerArn: &balancer, DefaultActions: fixed()},
		"SetSecurityGroups":  &api.SetSecurityGroupsInput{LoadBalancerArn: &balancer, SecurityGroups: []string{"sg-2"}},
		"ModifyListener":     &api.ModifyListenerInput{ListenerArn: &listener},
		"ModifyRule":         &api.ModifyRuleInput{RuleArn: &rule},
		"SetIpAddressType":   &api.SetIpAddressTypeInput{LoadBalancerArn: &balancer, IpAddressType: "ipv4"},
	}
	for _, op := range l.svc.Wire().Operations {
		t.Run(op.Name, func(t *testing.T) {
			in := inputs[op.Name]
			if in == nil {
				in = op.New()
				fill(reflect.ValueOf(in).Elem(), map[string]string{"LoadBalancerArn": balancer, "TargetGroupArn": group, "ListenerArn": listener, "RuleArn": rule})
			}
			l.gate.denied = map[string]bool{op.Action: true}
			_, err := l.Server.Invoke(l.Ctx, "elbv2", op.Name, in)
			l.gate.denied = nil
			if !awserr.Is(err, "AccessDenied") || !strings.Contains(err.Error(), op.Action) {
				t.Errorf("%v", err)
			}
		})
	}
	if got := l.rules(listener); len(got) != 2 {
		t.Errorf("after the refusals there are %d rules", len(got))
	}
}

// fill sets the members that name resources, and lists that may not be left out.
func fill(in reflect.Value, arns map[string]string) {
	for i := range in.NumField() {
		f := in.Field(i)
		if arn, ok := arns[in.Type().Field(i).Name]; ok && f.Type() == reflect.TypeFor[*string]() {
			f.Set(reflect.ValueOf(&arn))
		}
		if f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct {
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			if id := f.Index(0).FieldByName("Id"); id.IsValid() {
				id.Set(reflect.ValueOf(aws.Ptr("i-1")))
			}
		}
	}
}

// Policies see what an operation is about: tags of the resource, and what its input
// says; tags at a creation are a permission of their own.
func TestChecks(t *testing.T) {
	l := newLab(t)
	tags := []api.Tag{{Key: aws.Ptr("team"), Value: aws.Ptr("red")}}
	balancer := l.balancer("app", func(in *api.CreateLoadBalancerInput) { in.Tags, in.SecurityGroups = tags, []string{"sg-2"} })
	made := l.gate.asked
	l.gate.asked = nil
	wiretest.Must[api.CreateListenerOutput](l, "CreateListener", &api.CreateListenerInput{LoadBalancerArn: &balancer, Protocol: "HTTPS", Port: aws.Ptr[int32](443), DefaultActions: fixed(),
		SslPolicy: aws.Ptr("ELBSecurityPolicy-2016-08"), Certificates: []api.Certificate{{CertificateArn: aws.Ptr(certificate)}}})
	const all = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/app/*"
	for _, c := range []struct {
		name             string
		asked            []aws.Check
		action, resource string
		key              string
		values           []string
	}{
		{"scheme", made, "CreateLoadBalancer", all, "elasticloadbalancing:Scheme", []string{"internet-facing"}},
		{"subnets", made, "CreateLoadBalancer", all, "elasticloadbalancing:Subnet", []string{"subnet-a", "subnet-b"}},
		{"groups", made, "CreateLoadBalancer", all, "elasticloadbalancing:SecurityGroup", []string{"sg-2"}},
		{"tags of the request", made, "CreateLoadBalancer", all, "aws:RequestTag/team", []string{"red"}},
		{"tagging", made, "AddTags", all, "elasticloadbalancing:CreateAction", []string{"CreateLoadBalancer"}},
		{"tags of the balancer", l.gate.asked, "CreateListener", balancer, "aws:ResourceTag/team", []string{"red"}},
		{"tags under the service's own key", l.gate.asked, "CreateListener", balancer, "elasticloadbalancing:ResourceTag/team", []string{"red"}},
		{"protocol", l.gate.asked, "CreateListener", balancer, "elasticloadbalancing:ListenerProtocol", []string{"HTTPS"}},
		{"policy", l.gate.asked, "CreateListener", balancer, "elasticloadbalancing:SecurityPolicy", []string{"ELBSecurityPolicy-2016-08"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := slices.IndexFunc(c.asked, func(a aws.Check) bool { return a.Action == "elasticloadbalancing:"+c.action })
			if i < 0 || c.asked[i].Resource != c.resource || !slices.Equal(c.asked[i].Context[c.key], c.values) {
				t.Errorf("asked was %+v", c.asked)
			}
		})
	}
}
