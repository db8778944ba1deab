package elbv2

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceListenerCertificate is AWS::ElasticLoadBalancingV2::ListenerCertificate. Its
// physical id is the listener's ARN, a bar and the first certificate's.
type resourceListenerCertificate struct{ s *Service }

type listenerCertificateProperties struct {
	Certificates []certificateProperty `cfn:",required"`
	ListenerArn  string                `cfn:",required"`
}

// Schema implements stack.Resource.
func (resourceListenerCertificate) Schema() stack.Schema {
	sc := stack.SchemaOf(listenerCertificateProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func certificateResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"Id": id}}
}

// Create implements stack.Resource.
func (t resourceListenerCertificate) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p listenerCertificateProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := t.add(ctx, p.ListenerArn, p.Certificates); err != nil {
		return stack.Result{}, err
	}
	id := p.ListenerArn + "|" + p.Certificates[0].CertificateArn
	started(id)
	return certificateResult(id), nil
}

func (t resourceListenerCertificate) add(ctx context.Context, listenerName string, list []certificateProperty) error {
	if len(list) == 0 {
		return invalid("At least one certificate must be specified")
	}
	_, err := invoke[api.AddListenerCertificatesOutput](ctx, t.s, "AddListenerCertificates", &api.AddListenerCertificatesInput{ListenerArn: &listenerName, Certificates: certificates(list)})
	return err
}

func (t resourceListenerCertificate) remove(ctx context.Context, listenerName string, list []certificateProperty) error {
	if len(list) == 0 {
		return nil
	}
	_, err := invoke[api.RemoveListenerCertificatesOutput](ctx, t.s, "RemoveListenerCertificates",
		&api.RemoveListenerCertificatesInput{ListenerArn: &listenerName, Certificates: certificates(list)})
	return orGone(err)
}

// there are the certificates of the listener beside the default one.
func (t resourceListenerCertificate) there(ctx context.Context, id string) (listenerName string, list []certificateProperty, err error) {
	listenerName, _, _ = strings.Cut(id, "|")
	out, err := invoke[api.DescribeListenerCertificatesOutput](ctx, t.s, "DescribeListenerCertificates", &api.DescribeListenerCertificatesInput{ListenerArn: &listenerName})
	if err != nil {
		return listenerName, nil, orNotThere(err)
	}
	for _, c := range out.Certificates {
		if !aws.Val(c.IsDefault) {
			list = append(list, certificateProperty{aws.Val(c.CertificateArn)})
		}
	}
	return listenerName, list, nil
}

// Read implements stack.Resource.
func (t resourceListenerCertificate) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.own(ctx, r)
	return certificateResult(r.PhysicalID), err
}

// own are the certificates of the template that the listener has.
func (t resourceListenerCertificate) own(ctx context.Context, r stack.Request) ([]certificateProperty, error) {
	var p listenerCertificateProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	_, list, err := t.there(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(slices.Clone(p.Certificates), func(c certificateProperty) bool { return !slices.Contains(list, c) })
	if len(own) == 0 {
		return nil, stack.ErrNotFound
	}
	return own, nil
}

// Update implements stack.Resource.
func (t resourceListenerCertificate) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old listenerCertificateProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	gone := slices.DeleteFunc(old.Certificates, func(c certificateProperty) bool { return slices.Contains(p.Certificates, c) })
	if err := t.remove(ctx, p.ListenerArn, gone); err != nil {
		return stack.Result{}, err
	}
	return certificateResult(r.PhysicalID), t.add(ctx, p.ListenerArn, p.Certificates)
}

// Delete implements stack.Resource.
func (t resourceListenerCertificate) Delete(ctx context.Context, r stack.Request) error {
	own, err := t.own(ctx, r)
	if err != nil {
		if err == stack.ErrNotFound {
			return nil
		}
		return err
	}
	listenerName, _, _ := strings.Cut(r.PhysicalID, "|")
	return t.remove(ctx, listenerName, own)
}

// Live implements stack.Live.
func (t resourceListenerCertificate) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	own, err := t.own(ctx, r)
	if err != nil {
		return nil, err
	}
	listenerName, _, _ := strings.Cut(r.PhysicalID, "|")
	return map[string]any{"ListenerArn": listenerName, "Certificates": generic(own)}, nil
}
