package elbv2_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
)

func TestListenerRefusals(t *testing.T) {
	l := newLab(t)
	alb, other, nlb := l.balancer("app"), l.balancer("other"), l.balancer("net", network)
	web, tcp, h2, taken := l.group("web"), l.group("tcp", streams), l.group("h2", func(i *api.CreateTargetGroupInput) { i.ProtocolVersion = aws.Ptr("HTTP2") }), l.group("taken")
	foreign := l.group("foreign", func(i *api.CreateTargetGroupInput) { i.VpcId = aws.Ptr("vpc-2") })
	listener := l.listener(alb, "HTTP", 80, forward(web))
	secure := l.listener(alb, "HTTPS", 443, fixed())
	l.listener(other, "HTTP", 80, forward(taken))
	type in = api.CreateListenerInput
	with := func(edit func(*in)) *in {
		i := &in{LoadBalancerArn: &alb, Protocol: "HTTP", Port: aws.Ptr[int32](81), DefaultActions: fixed()}
		edit(i)
		return i
	}
	acts := func(a ...api.Action) *in { return with(func(i *in) { i.DefaultActions = a }) }
	redirect := func(r api.RedirectActionConfig) *in {
		if r.StatusCode == "" {
			r.StatusCode = "HTTP_301"
		}
		return acts(api.Action{Type: "redirect", RedirectConfig: &r})
	}
	weighted := func(edit func(*api.ForwardActionConfig)) *in {
		f := &api.ForwardActionConfig{TargetGroups: []api.TargetGroupTuple{{TargetGroupArn: &web}}}
		edit(f)
		return acts(api.Action{Type: "forward", ForwardConfig: f})
	}
	certified := func(arns ...string) *in {
		return with(func(i *in) {
			i.Protocol = "HTTPS"
			for _, a := range arns {
				i.Certificates = append(i.Certificates, api.Certificate{CertificateArn: &a})
			}
		})
	}
	word := aws.Ptr("x")
	oidc := &api.AuthenticateOidcActionConfig{Issuer: word, AuthorizationEndpoint: word, TokenEndpoint: word, UserInfoEndpoint: word, ClientId: word}
	cognito := &api.AuthenticateCognitoActionConfig{UserPoolArn: word, UserPoolClientId: word, UserPoolDomain: word}
	jwt := &api.JwtValidationActionConfig{JwksEndpoint: word, Issuer: word}
	const make = "CreateListener"
	l.refuse(t, []refusal{
		{"no port", make, "ValidationError", "A listener port must be specified", with(func(i *in) { i.Port = nil })},
		{"no protocol", make, "ValidationError", "A listener protocol must be specified", with(func(i *in) { i.Protocol = "" })},
		{"TCP on an application balancer", make, "ValidationError", "Listener protocol 'TCP' must be one of 'HTTP, HTTPS'", with(func(i *in) { i.Protocol = "TCP" })},
		{"HTTP on a network balancer", make, "ValidationError", "Listener protocol 'HTTP' must be one of 'UDP, TCP, TLS, TCP_UDP'", with(func(i *in) { i.LoadBalancerArn = &nlb })},
		{"QUIC", make, "NotImplemented", "", with(func(i *in) { i.LoadBalancerArn, i.Protocol = &nlb, "QUIC" })},
		{"port taken", make, "DuplicateListener", "A listener already exists on this port for this load balancer '" + alb + "'", with(func(i *in) { i.Port = aws.Ptr[int32](80) })},
		{"nothing to do", make, "ValidationError", "", with(func(i *in) { i.DefaultActions = []api.Action{} })},
		{"two ends", make, "TooManyActions", "", acts(fixed()[0], fixed()[0])},
		{"no certificate", make, "ValidationError", "A certificate must be specified for HTTPS listeners", certified()},
		{"two certificates", make, "InvalidConfigurationRequest", "You must provide a list containing exactly one certificate if the listener protocol is HTTPS.", certified(certificate, certificate+"2")},
		{"no ARN of a certificate", make, "ValidationError", "Certificate ARN 'x' is not valid", certified("x")},
		{"certificate of ACM", make, "CertificateNotFound", "Certificate 'arn:aws:acm:us-east-1:123456789012:certificate/a' not found", certified("arn:aws:acm:us-east-1:123456789012:certificate/a")},
		{"lost certificate", make, "CertificateNotFound", "", certified("arn:aws:iam::123456789012:server-certificate/lost")},
		{"certificate of HTTP", make, "ValidationError", "A certificate cannot be specified for HTTP listeners", with(func(i *in) { i.Certificates = []api.Certificate{{CertificateArn: aws.Ptr(certificate)}} })},
		{"policy", make, "SSLPolicyNotFound", "SSL policy 'x' not found", with(func(i *in) { i.Protocol, i.SslPolicy = "HTTPS", aws.Ptr("x") })},
		{"FIPS", make, "NotImplemented", "", with(func(i *in) { i.Protocol, i.SslPolicy = "HTTPS", aws.Ptr("ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04") })},
		{"policy of HTTP", make, "ValidationError", "", with(func(i *in) { i.SslPolicy = aws.Ptr("x") })},
		{"ALPN of HTTPS", make, "ALPNPolicyNotFound", "", with(func(i *in) {
			i.Protocol, i.Certificates, i.AlpnPolicy = "HTTPS", certified(certificate).Certificates, []string{"None"}
		})},
		{"mutual", make, "NotImplemented", "", with(func(i *in) {
			i.Protocol, i.Certificates, i.MutualAuthentication = "HTTPS", certified(certificate).Certificates, &api.MutualAuthenticationAttributes{Mode: aws.Ptr("verify")}
		})},
		{"trust store with mutual authentication off", make, "ValidationError", "Trust stores cannot be specified when the mutual authentication mode is 'off'", with(func(i *in) {
			i.MutualAuthentication = &api.MutualAuthenticationAttributes{Mode: aws.Ptr("off"), TrustStoreArn: aws.Ptr("x")}
		})},
		{"sign-in by OIDC beside another action", make, "InvalidLoadBalancerAction", "An authenticate-oidc config cannot be specified for actions of type 'fixed-response'", acts(api.Action{Type: "fixed-response",
			FixedResponseConfig: fixed()[0].FixedResponseConfig, AuthenticateOidcConfig: oidc})},
		{"sign-in by Cognito beside another action", make, "InvalidLoadBalancerAction", "An authenticate-cognito config cannot be specified for actions of type 'fixed-response'", acts(api.Action{Type: "fixed-response",
			FixedResponseConfig: fixed()[0].FixedResponseConfig, AuthenticateCognitoConfig: cognito})},
		{"tokens beside another action", make, "InvalidLoadBalancerAction", "A jwt-validation config cannot be specified for actions of type 'fixed-response'", acts(api.Action{Type: "fixed-response",
			FixedResponseConfig: fixed()[0].FixedResponseConfig, JwtValidationConfig: jwt})},
		{"sign-in", make, "NotImplemented", "hardstand does not implement actions of the type authenticate-oidc.", acts(api.Action{Type: "authenticate-oidc"})},
		{"forward to nothing", make, "InvalidLoadBalancerAction", "A target group ARN must be specified for actions of type 'forward'", acts(api.Action{Type: "forward"})},
		{"no ARN of a group", make, "ValidationError", "'x' is not a valid target group ARN", acts(forward("x")...)},
		{"lost group", make, "TargetGroupNotFound", "", acts(forward(web[:len(web)-4] + "ffff")...)},
		{"other VPC", make, "InvalidConfigurationRequest", "", acts(forward(foreign)...)},
		{"incompatible", make, "IncompatibleProtocols", "The listener and its associated target group '" + tcp + "' have incompatible protocols: 'HTTP' and 'TCP'", acts(forward(tcp)...)},
		{"version", make, "InvalidConfigurationRequest", "Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'HTTP2'", acts(forward(h2)...)},
		{"of another balancer", make, "TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: " + taken, acts(forward(taken)...)},
		{"weight", make, "ValidationError", "", weighted(func(f *api.ForwardActionConfig) { f.TargetGroups[0].Weight = aws.Ptr[int32](1000) })},
		{"sticky without end", make, "InvalidLoadBalancerAction", "", weighted(func(f *api.ForwardActionConfig) {
			f.TargetGroupStickinessConfig = &api.TargetGroupStickinessConfig{Enabled: aws.Ptr(true)}
		})},
		{"too sticky", make, "InvalidLoadBalancerAction", "", weighted(func(f *api.ForwardActionConfig) {
			f.TargetGroupStickinessConfig = &api.TargetGroupStickinessConfig{Enabled: aws.Ptr(true), DurationSeconds: aws.Ptr[int32](700000)}
		})},
		{"six groups", make, "InvalidLoadBalancerAction", "", weighted(func(f *api.ForwardActionConfig) {
			for range 5 {
				f.TargetGroups = append(f.TargetGroups, f.TargetGroups[0])
			}
		})},
		{"loop", make, "InvalidLoadBalancerAction", "The redirect configuration is not valid because it creates a loop.", redirect(api.RedirectActionConfig{})},
		{"path", make, "InvalidLoadBalancerAction", "", redirect(api.RedirectActionConfig{Path: aws.Ptr("p")})},
		{"redirect port", make, "InvalidLoadBalancerAction", "", redirect(api.RedirectActionConfig{Port: aws.Ptr("70000")})},
		{"config of another", make, "InvalidLoadBalancerAction", "", acts(api.Action{Type: "redirect", FixedResponseConfig: fixed()[0].FixedResponseConfig})},
		{"content type", make, "InvalidLoadBalancerAction", "The ContentType must be one of:'text/html', 'application/json', 'application/javascript', 'text/css', 'text/plain'",
			acts(api.Action{Type: "fixed-response", FixedResponseConfig: &api.FixedResponseActionConfig{StatusCode: aws.Ptr("200"), ContentType: aws.Ptr("x")}})},
		{"status", make, "ValidationError", "1 validation error detected: Value '100' at 'defaultActions.1.member.fixedResponseConfig.statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$",
			acts(api.Action{Type: "fixed-response", FixedResponseConfig: &api.FixedResponseActionConfig{StatusCode: aws.Ptr("100")}})},
		{"fixed on a network balancer", make, "InvalidLoadBalancerAction", "", with(func(i *in) { i.LoadBalancerArn, i.Protocol = &nlb, "TCP" })},
		{"HTTPS without", "ModifyListener", "InvalidConfigurationRequest", "You must provide a list containing exactly one certificate if the listener protocol is HTTPS.", &api.ModifyListenerInput{ListenerArn: &listener, Protocol: "HTTPS", Certificates: []api.Certificate{}}},
		{"port of another", "ModifyListener", "DuplicateListener", "", &api.ModifyListenerInput{ListenerArn: &listener, Port: aws.Ptr[int32](443)}},
		{"neither", "DescribeListeners", "ValidationError", "You must specify either listener ARNs or a load balancer ARN", &api.DescribeListenersInput{}},
		{"both", "DescribeListeners", "ValidationError", "", &api.DescribeListenersInput{LoadBalancerArn: &alb, ListenerArns: []string{listener}}},
		{"lost listener", "DescribeListeners", "ListenerNotFound", "One or more listeners not found", &api.DescribeListenersInput{ListenerArns: []string{listener[:len(listener)-4] + "ffff"}}},
		{"add to HTTP", "AddListenerCertificates", "OperationNotPermitted", "", &api.AddListenerCertificatesInput{ListenerArn: &listener, Certificates: certified(certificate).Certificates}},
		{"remove the default", "RemoveListenerCertificates", "OperationNotPermitted", "", &api.RemoveListenerCertificatesInput{ListenerArn: &secure, Certificates: certified(certificate).Certificates}},
		{"attribute of streams", "ModifyListenerAttributes", "InvalidConfigurationRequest", "", &api.ModifyListenerAttributesInput{ListenerArn: &listener, Attributes: []api.ListenerAttribute{{Key: aws.Ptr("tcp.idle_timeout.seconds"), Value: aws.Ptr("60")}}}},
		{"no such attribute", "ModifyListenerAttributes", "ValidationError", "Listener attribute key 'x' is not recognized", &api.ModifyListenerAttributesInput{ListenerArn: &listener, Attributes: []api.ListenerAttribute{{Key: aws.Ptr("x"), Value: aws.Ptr("60")}}}},
		{"no header", "ModifyListenerAttributes", "ValidationError", "", &api.ModifyListenerAttributesInput{ListenerArn: &secure, Attributes: []api.ListenerAttribute{{Key: aws.Ptr("routing.http.request.x_amzn_tls_version.header_name"), Value: aws.Ptr("a b")}}}},
		{"group in use", "DeleteTargetGroup", "ResourceInUse", "Target group '" + web + "' is currently in use by a listener or a rule", &api.DeleteTargetGroupInput{TargetGroupArn: &web}},
	})
}

func TestConditionRefusals(t *testing.T) {
	l := newLab(t)
	listener := l.listener(l.balancer("app"), "HTTP", 80, fixed())
	long := strings.Repeat("x", 129)
	values := func(field string, v ...string) api.RuleCondition { return api.RuleCondition{Field: &field, Values: v} }
	header := func(name string, v ...string) api.RuleCondition {
		return api.RuleCondition{Field: aws.Ptr("http-header"), HttpHeaderConfig: &api.HttpHeaderConditionConfig{HttpHeaderName: &name, Values: v}}
	}
	method := func(v ...string) api.RuleCondition {
		return api.RuleCondition{Field: aws.Ptr("http-request-method"), HttpRequestMethodConfig: &api.HttpRequestMethodConditionConfig{Values: v}}
	}
	query := func(key, value *string) api.RuleCondition {
		return api.RuleCondition{Field: aws.Ptr("query-string"), QueryStringConfig: &api.QueryStringConditionConfig{Values: []api.QueryStringKeyValuePair{{Key: key, Value: value}}}}
	}
	source := func(v ...string) api.RuleCondition {
		return api.RuleCondition{Field: aws.Ptr("source-ip"), SourceIpConfig: &api.SourceIpConditionConfig{Values: v}}
	}
	both := path("/b")[0]
	both.Values = []string{"/a"}
	misplaced := path("/b")[0]
	misplaced.Field = aws.Ptr("host-header")
	regex := api.RuleCondition{Field: aws.Ptr("path-pattern"), PathPatternConfig: &api.PathPatternConditionConfig{RegexValues: []string{"("}}}
	var list []refusal
	for _, c := range []struct {
		name, text string
		conditions []api.RuleCondition
	}{
		{"field", "Condition field 'x' must be one of '[path-pattern,host-header,http-header,http-request-method,query-string,source-ip]'", []api.RuleCondition{values("x", "y")}},
		{"long host", "The 'host-header' value is too long; the limit is '128'", []api.RuleCondition{values("host-header", long)}},
		{"long path", "The 'path-pattern' value is too long; the limit is '128'", path(long)},
		{"two values", "The 'path-pattern' field contains too many values; the limit is '1'", []api.RuleCondition{values("path-pattern", "/a", "/b")}},
		{"no value", "A condition value must be specified", []api.RuleCondition{values("host-header")}},
		{"two places", "You cannot provide both Values and 'PathPatternConfig' for a condition of type 'path-pattern'", []api.RuleCondition{both}},
		{"config of another", "The 'PathPatternConfig' field is not compatible with 'host-header'", []api.RuleCondition{misplaced}},
		{"values of a header", "The 'Values' field is not compatible with 'http-header'", []api.RuleCondition{values("http-header", "x")}},
		{"no header", "A 'HttpHeaderConfig' must be specified with 'http-header'", []api.RuleCondition{values("http-header")}},
		{"long name", "The 'HttpHeaderName' value is too long; the limit is '40'", []api.RuleCondition{header(strings.Repeat("x", 41), "y")}},
		{"host as header", "The 'HttpHeaderName' value 'Host' is not valid", []api.RuleCondition{header("Host", "y")}},
		{"long header", "The 'http-header' value is too long; the limit is '128'", []api.RuleCondition{header("X", long)}},
		{"method", "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen and underscore", []api.RuleCondition{method("get")}},
		{"long method", "The 'http-request-method' value is too long; the limit is '40'", []api.RuleCondition{method(strings.Repeat("X", 41))}},
		{"no method", "A 'HttpRequestMethodConfig' must be specified with 'http-request-method'", []api.RuleCondition{values("http-request-method")}},
		{"long key", "The 'Key' value is too long; the limit is '128'", []api.RuleCondition{query(&long, aws.Ptr("x"))}},
		{"long query", "The 'Value' value is too long; the limit is '128'", []api.RuleCondition{query(nil, &long)}},
		{"key alone", "A 'Value' must be specified in 'QueryStringKeyValuePair'", []api.RuleCondition{query(aws.Ptr("x"), nil)}},
		{"no query", "A 'QueryStringConfig' must be specified with 'query-string'", []api.RuleCondition{values("query-string")}},
		{"no source", "A 'SourceIpConfig' must be specified with 'source-ip'", []api.RuleCondition{values("source-ip")}},
		{"empty source", "A 'source-ip' value must be specified", []api.RuleCondition{source([]string{}...)}},
		{"address as source", "The 'source-ip' value '10.0.0.1' must be a valid CIDR block", []api.RuleCondition{source("10.0.0.1")}},
		{"six values", "A rule can only have '5' condition values", path("/1", "/2", "/3", "/4", "/5", "/6")},
		{"six wildcards", "A rule can only have '5' condition wildcards", path("/******")},
		{"twice", "The condition field 'path-pattern' can only be specified once", append(path("/a"), path("/b")...)},
		{"regular expression", "The 'path-pattern' regular expression '(' is not valid", []api.RuleCondition{regex}},
		{"none", "A condition must be specified", []api.RuleCondition{}},
	} {
		list = append(list, refusal{c.name, "CreateRule", "ValidationError", c.text, &api.CreateRuleInput{ListenerArn: &listener, Priority: aws.Ptr[int32](1), Conditions: c.conditions, Actions: fixed()}})
	}
	l.refuse(t, list)
}

func TestRuleRefusals(t *testing.T) {
	l := newLab(t)
	listener := l.listener(l.balancer("app"), "HTTP", 80, fixed())
	streaming := l.listener(l.balancer("net", network), "TCP", 80, forward(l.group("tcp", streams)))
	one, two := l.rule(listener, 1, fixed()), l.rule(listener, 2, fixed())
	last := l.rules(listener)[2]
	lost := one[:len(one)-4] + "ffff"
	put := func(pairs ...api.RulePriorityPair) *api.SetRulePrioritiesInput {
		return &api.SetRulePrioritiesInput{RulePriorities: pairs}
	}
	pair := func(arn string, n int32) api.RulePriorityPair {
		return api.RulePriorityPair{RuleArn: &arn, Priority: &n}
	}
	make := func(arn string, n int32, tr ...api.RuleTransform) *api.CreateRuleInput {
		return &api.CreateRuleInput{ListenerArn: &arn, Priority: &n, Conditions: path("/x"), Actions: fixed(), Transforms: tr}
	}
	rewrite := func(r string) api.RuleTransform {
		return api.RuleTransform{Type: "url-rewrite", UrlRewriteConfig: &api.UrlRewriteConfig{Rewrites: []api.RewriteConfig{{Regex: &r, Replace: aws.Ptr("")}}}}
	}
	l.refuse(t, []refusal{
		{"in use", "CreateRule", "PriorityInUse", "Priority '1' is currently in use", make(listener, 1)},
		{"out of range", "CreateRule", "ValidationError", "1 validation error detected: Value '50001' at 'priority' failed to satisfy constraint: Member must have value less than or equal to 50000", make(listener, 50001)},
		{"network balancer", "CreateRule", "UnsupportedProtocol", "Rules are unsupported for Network Load Balancer listeners", make(streaming, 1)},
		{"transform", "CreateRule", "ValidationError", "", make(listener, 9, rewrite("("))},
		{"transform twice", "CreateRule", "ValidationError", "", make(listener, 9, rewrite("a"), rewrite("b"))},
		{"empty transform", "CreateRule", "ValidationError", "", make(listener, 9, api.RuleTransform{Type: "url-rewrite"})},
		{"nothing to modify", "ModifyRule", "ValidationError", "Either conditions or actions must be specified", &api.ModifyRuleInput{RuleArn: &one}},
		{"both ways", "ModifyRule", "ValidationError", "", &api.ModifyRuleInput{RuleArn: &one, ResetTransforms: aws.Ptr(true), Transforms: []api.RuleTransform{rewrite("a")}}},
		{"default", "ModifyRule", "OperationNotPermitted", "Default rule '" + last + "' cannot be modified", &api.ModifyRuleInput{RuleArn: &last, Actions: fixed()}},
		{"lost", "ModifyRule", "RuleNotFound", "Rule '" + lost + "' not found", &api.ModifyRuleInput{RuleArn: &lost, Actions: fixed()}},
		{"delete the default", "DeleteRule", "OperationNotPermitted", "Default rule '" + last + "' cannot be deleted", &api.DeleteRuleInput{RuleArn: &last}},
		{"delete the lost", "DeleteRule", "RuleNotFound", "", &api.DeleteRuleInput{RuleArn: &lost}},
		{"same priority", "SetRulePriorities", "ValidationError", "Priority '7' was provided multiple times", put(pair(one, 7), pair(two, 7))},
		{"same rule", "SetRulePriorities", "ValidationError", "", put(pair(one, 7), pair(one, 8))},
		{"priority of another", "SetRulePriorities", "PriorityInUse", "", put(pair(one, 2))},
		{"priority of the default", "SetRulePriorities", "OperationNotPermitted", "", put(pair(last, 9))},
		{"neither", "DescribeRules", "ValidationError", "You must specify either listener rule ARNs or a listener ARN", &api.DescribeRulesInput{}},
		{"both", "DescribeRules", "ValidationError", "Listener rule ARNs and a listener ARN cannot be specified at the same time", &api.DescribeRulesInput{ListenerArn: &listener, RuleArns: []string{one}}},
		{"describe the lost", "DescribeRules", "RuleNotFound", "One or more rules not found", &api.DescribeRulesInput{RuleArns: []string{lost}}},
		{"tags of nothing", "AddTags", "ValidationError", "'x' is not a valid ARN", &api.AddTagsInput{ResourceArns: []string{"x"}, Tags: []api.Tag{{Key: aws.Ptr("a")}}}},
		{"tags of the lost", "DescribeTags", "RuleNotFound", "", &api.DescribeTagsInput{ResourceArns: []string{lost}}},
	})
}
