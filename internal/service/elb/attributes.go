package elb

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	defaultDrain = 300
	defaultIdle  = 60
	// desync is how requests that can be read in two ways are met. Here they are
	// refused, which is what AWS's default does with the dangerous ones.
	desync        = "elb.http.desyncmitigationmode"
	desyncDefault = "defensive"
)

// ModifyLoadBalancerAttributes changes the attributes that are given.
func (s *Service) ModifyLoadBalancerAttributes(ctx context.Context, in *api.ModifyLoadBalancerAttributesInput) (*api.ModifyLoadBalancerAttributesOutput, error) {
	a := in.LoadBalancerAttributes
	if _, err := s.view(ctx, in.LoadBalancerName); err != nil {
		return nil, err
	}
	if err := judgeAttributes(a); err != nil {
		return nil, err
	}
	b, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, _ store.Key, b *balancer) error {
		if c := a.CrossZoneLoadBalancing; c != nil {
			b.Attributes.CrossZone = aws.Val(c.Enabled)
		}
		if d := a.ConnectionDraining; d != nil {
			b.Attributes.Draining = aws.Val(d.Enabled)
			if d.Timeout != nil {
				b.Attributes.DrainTimeout = *d.Timeout
			}
		}
		if c := a.ConnectionSettings; c != nil {
			b.Attributes.IdleTimeout = aws.Val(c.IdleTimeout)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.LoadBalancerAttributes{AdditionalAttributes: a.AdditionalAttributes}
	all := b.attributes()
	if a.CrossZoneLoadBalancing != nil {
		out.CrossZoneLoadBalancing = all.CrossZoneLoadBalancing
	}
	if a.ConnectionDraining != nil {
		out.ConnectionDraining = all.ConnectionDraining
	}
	if a.ConnectionSettings != nil {
		out.ConnectionSettings = all.ConnectionSettings
	}
	if a.AccessLog != nil {
		out.AccessLog = all.AccessLog
	}
	return &api.ModifyLoadBalancerAttributesOutput{LoadBalancerName: in.LoadBalancerName, LoadBalancerAttributes: out}, nil
}

func judgeAttributes(a *api.LoadBalancerAttributes) error {
	if l := a.AccessLog; l != nil && aws.Val(l.Enabled) {
		return errNotImplemented("access logs of load balancers")
	}
	if d := a.ConnectionDraining; d != nil && d.Timeout != nil && (*d.Timeout < 1 || *d.Timeout > 3600) {
		return errConfiguration("ConnectionDraining timeout must be between 1 and 3600 seconds")
	}
	for _, more := range a.AdditionalAttributes {
		if aws.Val(more.Key) != desync {
			return awserr.New("LoadBalancerAttributeNotFound", "The attribute %s does not exist", aws.Val(more.Key))
		}
		switch v := aws.Val(more.Value); v {
		case desyncDefault:
		case "monitor", "strictest":
			return errNotImplemented(desync + " " + v)
		default:
			return errConfiguration("Invalid value %s for attribute %s. Valid values are monitor, defensive, strictest", v, desync)
		}
	}
	return nil
}

func (b *balancer) attributes() *api.LoadBalancerAttributes {
	return &api.LoadBalancerAttributes{
		CrossZoneLoadBalancing: &api.CrossZoneLoadBalancing{Enabled: aws.Ptr(b.Attributes.CrossZone)},
		AccessLog:              &api.AccessLog{Enabled: aws.Ptr(false)},
		ConnectionDraining:     &api.ConnectionDraining{Enabled: aws.Ptr(b.Attributes.Draining), Timeout: aws.Ptr(b.Attributes.DrainTimeout)},
		ConnectionSettings:     &api.ConnectionSettings{IdleTimeout: aws.Ptr(b.Attributes.IdleTimeout)},
		AdditionalAttributes:   []api.AdditionalAttribute{{Key: aws.Ptr(desync), Value: aws.Ptr(desyncDefault)}},
	}
}

// DescribeLoadBalancerAttributes tells all attributes.
func (s *Service) DescribeLoadBalancerAttributes(ctx context.Context, in *api.DescribeLoadBalancerAttributesInput) (*api.DescribeLoadBalancerAttributesOutput, error) {
	b, err := s.view(ctx, in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	return &api.DescribeLoadBalancerAttributesOutput{LoadBalancerAttributes: b.attributes()}, nil
}
