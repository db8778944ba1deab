package elbv2

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceListener is AWS::ElasticLoadBalancingV2::Listener. Its physical id is the ARN.
type resourceListener struct{ s *Service }

type listenerProperties struct {
	AlpnPolicy           []string
	Certificates         []certificateProperty
	DefaultActions       []api.Action `cfn:",required"`
	ListenerAttributes   []api.ListenerAttribute
	LoadBalancerArn      string `cfn:",required"`
	MutualAuthentication *mutualProperty
	Port                 *int32
	Protocol             *string
	SslPolicy            *string
}

type certificateProperty struct{ CertificateArn string }

type mutualProperty struct {
	AdvertiseTrustStoreCaNames    *string
	IgnoreClientCertificateExpiry *bool
	Mode                          *string
	TrustStoreArn                 *string
}

func (m *mutualProperty) input() *api.MutualAuthenticationAttributes {
	if m == nil {
		return nil
	}
	return &api.MutualAuthenticationAttributes{Mode: m.Mode, TrustStoreArn: m.TrustStoreArn, IgnoreClientCertificateExpiry: m.IgnoreClientCertificateExpiry,
		AdvertiseTrustStoreCaNames: api.AdvertiseTrustStoreCaNamesEnum(aws.Val(m.AdvertiseTrustStoreCaNames))}
}

func certificates(list []certificateProperty) (out []api.Certificate) {
	for _, c := range list {
		out = append(out, api.Certificate{CertificateArn: &c.CertificateArn})
	}
	return out
}

// Schema implements stack.Resource.
func (resourceListener) Schema() stack.Schema {
	sc := stack.SchemaOf(listenerProperties{})
	sc.Attributes = []string{"ListenerArn"}
	return sc
}

// Create implements stack.Resource.
func (t resourceListener) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p listenerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := invoke[api.CreateListenerOutput](ctx, t.s, "CreateListener", &api.CreateListenerInput{LoadBalancerArn: &p.LoadBalancerArn, Protocol: api.ProtocolEnum(aws.Val(p.Protocol)),
		Port: p.Port, SslPolicy: p.SslPolicy, Certificates: certificates(p.Certificates), DefaultActions: p.DefaultActions, AlpnPolicy: p.AlpnPolicy,
		MutualAuthentication: p.MutualAuthentication.input()})
	if err != nil {
		return stack.Result{}, err
	}
	r.PhysicalID = *out.Listeners[0].ListenerArn
	started(r.PhysicalID)
	if err := t.modify(ctx, r.PhysicalID, nil, p.ListenerAttributes); err != nil {
		return stack.Result{}, err
	}
	return listenerResult(r.PhysicalID), nil
}

func listenerResult(name string) stack.Result {
	return stack.Result{PhysicalID: name, Attributes: map[string]any{"ListenerArn": name}}
}

func (t resourceListener) modify(ctx context.Context, name string, had, want []api.ListenerAttribute) error {
	var list []api.ListenerAttribute
	for _, p := range listenerAttributes.changed(nil, settings(had), settings(want)) {
		list = append(list, api.ListenerAttribute{Key: &p.Key, Value: &p.Value})
	}
	if len(list) == 0 {
		return nil
	}
	_, err := invoke[api.ModifyListenerAttributesOutput](ctx, t.s, "ModifyListenerAttributes", &api.ModifyListenerAttributesInput{ListenerArn: &name, Attributes: list})
	return err
}

func (t resourceListener) describe(ctx context.Context, name string) (*api.Listener, error) {
	out, err := invoke[api.DescribeListenersOutput](ctx, t.s, "DescribeListeners", &api.DescribeListenersInput{ListenerArns: []string{name}})
	if err != nil {
		return nil, orNotThere(err)
	}
	return &out.Listeners[0], nil
}

// Read implements stack.Resource.
func (t resourceListener) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.describe(ctx, r.PhysicalID)
	return listenerResult(r.PhysicalID), err
}

// Update implements stack.Resource.
func (t resourceListener) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old listenerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	in := &api.ModifyListenerInput{ListenerArn: &r.PhysicalID, Port: p.Port, Protocol: api.ProtocolEnum(aws.Val(p.Protocol)), SslPolicy: p.SslPolicy,
		Certificates: certificates(p.Certificates), DefaultActions: p.DefaultActions, AlpnPolicy: p.AlpnPolicy, MutualAuthentication: p.MutualAuthentication.input()}
	if secured := aws.Val(p.Protocol) == "HTTPS" || aws.Val(p.Protocol) == "TLS"; secured && p.SslPolicy == nil {
		in.SslPolicy = aws.Ptr(standardPolicy)
	}
	if p.AlpnPolicy == nil && old.AlpnPolicy != nil {
		in.AlpnPolicy = []string{}
	}
	if _, err := invoke[api.ModifyListenerOutput](ctx, t.s, "ModifyListener", in); err != nil {
		return stack.Result{}, err
	}
	return listenerResult(r.PhysicalID), t.modify(ctx, r.PhysicalID, old.ListenerAttributes, p.ListenerAttributes)
}

// Delete implements stack.Resource.
func (t resourceListener) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteListenerOutput](ctx, t.s, "DeleteListener", &api.DeleteListenerInput{ListenerArn: &r.PhysicalID})
	return orGone(err)
}

// orGone: what is gone already is deleted.
func orGone(err error) error {
	if orNotThere(err) == stack.ErrNotFound {
		return nil
	}
	return err
}

// Live implements stack.Live.
func (t resourceListener) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	var p listenerProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	l, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	now, err := invoke[api.DescribeListenerAttributesOutput](ctx, t.s, "DescribeListenerAttributes", &api.DescribeListenerAttributesInput{ListenerArn: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	live, _ := generic(l).(map[string]any)
	live["ListenerAttributes"] = liveSettings(settings(p.ListenerAttributes), settings(now.Attributes))
	return live, nil
}
