package elbv2

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
)

// spec is a balancer as the plane shall run it.
func (s *Service) spec(ctx context.Context, k store.Key) (lb.Spec, error) {
	var spec lb.Spec
	var shown map[string][]string // certificates by listener
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		b, err := balancers.Get(tx, k)
		if err != nil {
			return err
		}
		spec, shown, err = specOf(tx, k, b)
		return err
	})
	if err != nil {
		return spec, err
	}
	for i := range spec.Listeners {
		for _, name := range shown[spec.Listeners[i].ID] {
			c, err := s.certificate(ctx, name)
			if err != nil {
				return spec, err
			}
			spec.Listeners[i].Certificates = append(spec.Listeners[i].Certificates, c)
		}
	}
	spec.Report = s.report
	return spec, nil
}

func (s *Service) certificate(ctx context.Context, name string) (tls.Certificate, error) {
	if s.cfg.Certificates == nil {
		return tls.Certificate{}, fmt.Errorf("certificate %s: there are no certificates", name)
	}
	return s.cfg.Certificates.ServerCertificate(ctx, name)
}

func specOf(tx *store.Tx, k store.Key, b *balancer) (lb.Spec, map[string][]string, error) {
	set := b.settings()
	on := func(key string) bool { return balancerAttributes.on(set, key) }
	spec := lb.Spec{ID: balancerARN(k), Kind: lb.Kind(b.Type), Attributes: lb.Attributes{
		IdleTimeout: seconds(balancerAttributes.number(set, keyIdle)), ClientKeepAlive: seconds(balancerAttributes.number(set, keyKeepAlive)),
		HTTP2: on(keyHTTP2), DropInvalidHeaders: on(keyDropInvalid), PreserveHost: on(keyKeepHost), ForwardedFor: balancerAttributes.value(set, keyForwarded),
		ForwardedClientPort: on(keyClientPort), TLSHeaders: on(keyTLSHeaders),
	}}
	for _, n := range b.Nodes {
		addr, err := netip.ParseAddr(n.Private)
		if err != nil {
			continue // just added: its event asks for more
		}
		spec.Nodes = append(spec.Nodes, lb.Node{ID: n.Interface, Zone: n.Zone, Addr: addr})
	}
	rows, err := listenersOf(tx, k)
	if err != nil {
		return spec, nil, err
	}
	shown := map[string][]string{}
	for _, r := range rows {
		l, err := listenerSpec(tx, r)
		if err != nil {
			return spec, nil, err
		}
		spec.Listeners = append(spec.Listeners, l)
		if r.Value.secured() {
			shown[l.ID] = append([]string{r.Value.Certificate}, r.Value.Certificates...)
		}
	}
	spec.Groups, err = groupSpecs(tx, k, b)
	return spec, shown, err
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func listenerSpec(tx *store.Tx, r store.Row[listener]) (lb.Listener, error) {
	l := r.Value
	out := lb.Listener{ID: listenerARN(r.Key), Protocol: string(l.Protocol), Port: uint16(l.Port), SecurityPolicy: l.SSLPolicy, ALPN: l.ALPN,
		Default: actionSpecs(l.Actions), IdleTimeout: seconds(listenerAttributes.number(l.Attributes, keyTCPIdle)),
		Headers: lb.HeaderChanges{HideServer: !listenerAttributes.on(l.Attributes, keyServer), Rename: map[string]string{}, Response: map[string]string{}}}
	for key, value := range l.Attributes {
		if middle, ok := middleOf(key, requestStart, requestEnd); ok && value != requestHeaders[middle] {
			out.Headers.Rename[requestHeaders[middle]] = value
		}
		if middle, ok := middleOf(key, responseStart, responseEnd); ok && value != "" {
			out.Headers.Response[responseHeaders[middle]] = value
		}
	}
	rows, err := rulesOf(tx, r.Key)
	for _, r := range rows {
		out.Rules = append(out.Rules, ruleSpec(r))
	}
	return out, err
}

func middleOf(key, start, end string) (string, bool) {
	rest, a := strings.CutPrefix(key, start)
	middle, b := strings.CutSuffix(rest, end)
	return middle, a && b
}

func ruleSpec(r store.Row[rule]) lb.Rule {
	out := lb.Rule{ID: ruleARN(r.Key), Actions: actionSpecs(r.Value.Actions)}
	for i := range r.Value.Conditions {
		out.Conditions = append(out.Conditions, conditionSpec(&r.Value.Conditions[i]))
	}
	for i := range r.Value.Transforms {
		t := &r.Value.Transforms[i]
		if w := rewriteOf(t); w != nil {
			out.Transforms = append(out.Transforms, lb.Transform{Type: string(t.Type), Regex: aws.Val(w.Regex), Replace: aws.Val(w.Replace)})
		}
	}
	return out
}

func conditionSpec(c *api.RuleCondition) lb.Condition {
	out := lb.Condition{Field: aws.Val(c.Field)}
	switch {
	case c.HostHeaderConfig != nil:
		out.Values, out.Regex = c.HostHeaderConfig.Values, c.HostHeaderConfig.RegexValues
	case c.PathPatternConfig != nil:
		out.Values, out.Regex = c.PathPatternConfig.Values, c.PathPatternConfig.RegexValues
	case c.HttpHeaderConfig != nil:
		out.Header, out.Values, out.Regex = aws.Val(c.HttpHeaderConfig.HttpHeaderName), c.HttpHeaderConfig.Values, c.HttpHeaderConfig.RegexValues
	case c.QueryStringConfig != nil:
		for _, q := range c.QueryStringConfig.Values {
			out.Query = append(out.Query, lb.KeyValue{Key: aws.Val(q.Key), Value: aws.Val(q.Value)})
		}
	default:
		out.Values = valuesOf(c)
	}
	return out
}

func actionSpecs(list []api.Action) (out []lb.Action) {
	for i := range list {
		a := &list[i]
		switch {
		case a.ForwardConfig != nil:
			f := &lb.Forward{}
			for _, t := range a.ForwardConfig.TargetGroups {
				f.Groups = append(f.Groups, lb.WeightedGroup{Group: aws.Val(t.TargetGroupArn), Weight: int(aws.Val(t.Weight))})
			}
			if st := a.ForwardConfig.TargetGroupStickinessConfig; st != nil && aws.Val(st.Enabled) {
				f.Sticky = seconds(int(aws.Val(st.DurationSeconds)))
			}
			out = append(out, lb.Action{Forward: f})
		case a.RedirectConfig != nil:
			r := a.RedirectConfig
			status := 302
			if r.StatusCode == "HTTP_301" {
				status = 301
			}
			out = append(out, lb.Action{Redirect: &lb.Redirect{Protocol: aws.Val(r.Protocol), Host: aws.Val(r.Host), Port: aws.Val(r.Port), Path: aws.Val(r.Path),
				Query: aws.Val(r.Query), Status: status}})
		case a.FixedResponseConfig != nil:
			f := a.FixedResponseConfig
			status, _ := strconv.Atoi(aws.Val(f.StatusCode))
			out = append(out, lb.Action{Fixed: &lb.FixedResponse{Status: status, ContentType: aws.Val(f.ContentType), Body: aws.Val(f.MessageBody)}})
		}
	}
	return out
}

func groupSpecs(tx *store.Tx, k store.Key, b *balancer) (out []lb.TargetGroup, err error) {
	used, err := groupsUsed(tx, k)
	for _, id := range used {
		gk := at(k, id)
		g, err := groups.Get(tx, gk)
		if err != nil {
			return nil, err
		}
		rows, err := targetsOf(tx, gk)
		if err != nil {
			return nil, err
		}
		out = append(out, g.spec(gk, b, rows))
	}
	return out, err
}

func (g *group) spec(k store.Key, b *balancer, rows []store.Row[target]) lb.TargetGroup {
	set := g.settings()
	out := lb.TargetGroup{ID: groupARN(k), Protocol: string(g.Protocol), Version: g.Version, Algorithm: groupAttributes.value(set, keyAlgorithm),
		SlowStart: seconds(groupAttributes.number(set, keySlowStart)), CrossZone: g.crossZone(b), KeepUnhealthy: !groupAttributes.on(set, keyEndUnhealthy),
		FailOpenCount: groupAttributes.number(set, keyFailCount), FailOpenPercent: groupAttributes.number(set, keyFailPercent), Check: g.checkSpec()}
	out.KeepDeregistered = g.scope() == ofNLB && !groupAttributes.on(set, keyEndDelayed)
	if groupAttributes.on(set, keyProxy) {
		out.ProxyProtocol = 2
	}
	if groupAttributes.on(set, keySticky) {
		out.Stickiness = lb.Stickiness{Type: g.stickyType(), Duration: seconds(groupAttributes.number(set, keyLBCookie))}
		if out.Stickiness.Type == "app_cookie" {
			out.Stickiness.Cookie = set[keyAppCookie]
			out.Stickiness.Duration = seconds(groupAttributes.number(set, keyAppDuration))
		}
	}
	zones := map[string]bool{}
	for _, n := range b.Nodes {
		zones[n.Zone] = true
	}
	for _, r := range rows {
		t := r.Value
		addr, err := netip.ParseAddr(t.Addr)
		if err != nil {
			continue // an application balancer whose nodes are not there yet
		}
		out.Targets = append(out.Targets, lb.Target{TargetID: t.ID, Port: uint16(t.Port), Addr: addr, Zone: t.Zone, Draining: !t.Leaves.IsZero(),
			Unused: t.Stopped || !out.CrossZone && t.Asked != "all" && !zones[t.Zone], Known: lb.State(t.Health.State), AnyZone: t.Asked == "all"})
	}
	return out
}

func (g *group) checkSpec() lb.HealthCheck {
	c := g.Check
	out := lb.HealthCheck{Protocol: string(c.Protocol), Version: g.Version, Path: c.Path, Interval: seconds(int(c.Interval)), Timeout: seconds(int(c.Timeout)),
		Healthy: int(c.Healthy), Unhealthy: int(c.Unhealthy), Matcher: c.HTTPCode}
	if g.Version == grpc {
		out.Matcher = c.GRPCCode
	}
	if n, err := strconv.Atoi(c.Port); err == nil {
		out.Port = uint16(n)
	}
	return out
}
