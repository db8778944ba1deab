package elbv2_test

import (
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// rules are the ARNs of a listener's rules in their order.
func (l *lab) rules(listener string) (out []string) {
	l.T.Helper()
	for _, r := range wiretest.Must[api.DescribeRulesOutput](l, "DescribeRules", &api.DescribeRulesInput{ListenerArn: &listener}).Rules {
		out = append(out, *r.RuleArn)
	}
	return out
}

// Rules change places all at once, and what AWS shows in two forms is in both.
func TestRulesAreKept(t *testing.T) {
	l := newLab(t)
	listener := l.listener(l.balancer("app"), "HTTP", 80, forward(l.group("web")))
	one, two := l.rule(listener, 1, fixed()), l.rule(listener, 2, fixed())
	out := wiretest.Must[api.SetRulePrioritiesOutput](l, "SetRulePriorities", &api.SetRulePrioritiesInput{RulePriorities: []api.RulePriorityPair{
		{RuleArn: &one, Priority: aws.Ptr[int32](2)}, {RuleArn: &two, Priority: aws.Ptr[int32](1)}}})
	if *out.Rules[0].Priority != "2" || *out.Rules[1].Priority != "1" {
		t.Errorf("after the change they are %s and %s", *out.Rules[0].Priority, *out.Rules[1].Priority)
	}
	if got := l.rules(listener); len(got) != 3 || got[0] != two || got[1] != one {
		t.Errorf("the rules are %v", got)
	}
	r := wiretest.Must[api.ModifyRuleOutput](l, "ModifyRule", &api.ModifyRuleInput{RuleArn: &one,
		Conditions: []api.RuleCondition{{Field: aws.Ptr("host-header"), Values: []string{"a.example"}}},
		Actions:    []api.Action{{Type: "redirect", RedirectConfig: &api.RedirectActionConfig{Protocol: aws.Ptr("HTTPS"), StatusCode: "HTTP_301"}}}}).Rules[0]
	if got := r.Conditions[0].HostHeaderConfig; got == nil || !slices.Equal(got.Values, []string{"a.example"}) {
		t.Errorf("the condition is %+v", r.Conditions[0])
	}
	if c := r.Actions[0].RedirectConfig; *c.Host != "#{host}" || *c.Path != "/#{path}" || *c.Query != "#{query}" || *c.Port != "#{port}" {
		t.Errorf("the redirection is %+v", c)
	}
	first := wiretest.Must[api.DescribeRulesOutput](l, "DescribeRules", &api.DescribeRulesInput{ListenerArn: &listener, PageSize: aws.Ptr[int32](2)})
	rest := wiretest.Must[api.DescribeRulesOutput](l, "DescribeRules", &api.DescribeRulesInput{ListenerArn: &listener, PageSize: aws.Ptr[int32](2), Marker: first.NextMarker})
	if len(first.Rules) != 2 || len(rest.Rules) != 1 || rest.NextMarker != nil || *rest.Rules[0].Priority != "default" || !*rest.Rules[0].IsDefault {
		t.Errorf("pages of %d and %d", len(first.Rules), len(rest.Rules))
	}
}

// A listener keeps its certificates while its protocol has any.
func TestListenerCertificates(t *testing.T) {
	l := newLab(t)
	listener := l.listener(l.balancer("app"), "HTTPS", 443, fixed())
	more := []api.Certificate{{CertificateArn: aws.Ptr(certificate + "2")}}
	shown := func() (out []string) {
		for _, c := range wiretest.Must[api.DescribeListenerCertificatesOutput](l, "DescribeListenerCertificates", &api.DescribeListenerCertificatesInput{ListenerArn: &listener}).Certificates {
			out = append(out, *c.CertificateArn)
		}
		return out
	}
	for range 2 { // the second time changes nothing
		wiretest.Must[api.AddListenerCertificatesOutput](l, "AddListenerCertificates", &api.AddListenerCertificatesInput{ListenerArn: &listener, Certificates: more})
	}
	if got := shown(); !slices.Equal(got, []string{certificate, certificate + "2"}) {
		t.Errorf("the certificates are %v", got)
	}
	if user, err := l.svc.CertificateUser(l.Ctx, certificate+"2"); err != nil || user != listener {
		t.Errorf("the certificate is used by %q, %v", user, err)
	}
	wiretest.Must[api.RemoveListenerCertificatesOutput](l, "RemoveListenerCertificates", &api.RemoveListenerCertificatesInput{ListenerArn: &listener, Certificates: more})
	if got := shown(); len(got) != 1 {
		t.Errorf("after the removal the certificates are %v", got)
	}
	plain := wiretest.Must[api.ModifyListenerOutput](l, "ModifyListener", &api.ModifyListenerInput{ListenerArn: &listener, Protocol: "HTTP", Port: aws.Ptr[int32](80)}).Listeners[0]
	if plain.SslPolicy != nil || len(plain.Certificates) > 0 || len(shown()) > 0 {
		t.Errorf("a plain listener has %+v", plain)
	}
	again := wiretest.Must[api.ModifyListenerOutput](l, "ModifyListener", &api.ModifyListenerInput{ListenerArn: &listener, Protocol: "HTTPS",
		Certificates: []api.Certificate{{CertificateArn: aws.Ptr(certificate)}}, SslPolicy: aws.Ptr("ELBSecurityPolicy-TLS13-1-2-2021-06")}).Listeners[0]
	if *again.SslPolicy != "ELBSecurityPolicy-TLS13-1-2-2021-06" || *again.MutualAuthentication.Mode != "off" {
		t.Errorf("secured again it is %+v", again)
	}
}
