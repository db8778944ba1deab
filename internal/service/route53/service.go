// Package route53 is Amazon Route 53: hosted zones, public ones and those of VPCs,
// their record sets, tags, and the answers to questions about them.
//
// It owns the tables route53.zone, route53.record and route53.change. It imports
// store, stack (its resource types), network (for the form of answers), wire and
// the API's types. The flow enters through Wire's operations, and through Answer,
// which the VPCs' name servers ask: instances resolve the names of zones that their
// VPC is associated with and of all public zones. There are no health checks:
// records that need one are refused, and the primary of a failover is always well.
package route53

import (
	"context"
	"net/netip"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Invoker Invoker
	// Balancers finds the addresses of the load balancer of a name, without a dot at its
	// end; false for none. Nil where there are no load balancers.
	Balancers func(ctx context.Context, name string) ([]netip.Addr, bool, error)
}

// Service implements the operations.
type Service struct{ cfg Config }

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg} }

const name = "route53"

// Wire lists the operations, each judged on the zone it is about.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Operations: []wire.Operation{
		wire.Op("CreateHostedZone", "route53:CreateHostedZone", s.CreateHostedZone, withVPC(nil, func(in *api.CreateHostedZoneInput) *api.VPC { return in.VPC })),
		wire.Op("GetHostedZone", "route53:GetHostedZone", s.GetHostedZone, onZone(func(in *api.GetHostedZoneInput) *string { return in.Id })),
		wire.Op("DeleteHostedZone", "route53:DeleteHostedZone", s.DeleteHostedZone, onZone(func(in *api.DeleteHostedZoneInput) *string { return in.Id })),
		wire.Op("UpdateHostedZoneComment", "route53:UpdateHostedZoneComment", s.UpdateHostedZoneComment,
			onZone(func(in *api.UpdateHostedZoneCommentInput) *string { return in.Id })),
		wire.Op("ListHostedZones", "route53:ListHostedZones", s.ListHostedZones, nil),
		wire.Op("ListHostedZonesByName", "route53:ListHostedZonesByName", s.ListHostedZonesByName, nil),
		wire.Op("ListHostedZonesByVPC", "route53:ListHostedZonesByVPC", s.ListHostedZonesByVPC,
			withVPC(nil, func(in *api.ListHostedZonesByVPCInput) *api.VPC {
				return &api.VPC{VPCId: in.VPCId, VPCRegion: in.VPCRegion}
			})),
		wire.Op("GetHostedZoneCount", "route53:GetHostedZoneCount", s.GetHostedZoneCount, nil),
		wire.Op("GetHostedZoneLimit", "route53:GetHostedZoneLimit", s.GetHostedZoneLimit,
			onZone(func(in *api.GetHostedZoneLimitInput) *string { return in.HostedZoneId })),
		wire.Op("GetAccountLimit", "route53:GetAccountLimit", s.GetAccountLimit, nil),
		wire.Op("GetDNSSEC", "route53:GetDNSSEC", s.GetDNSSEC, onZone(func(in *api.GetDNSSECInput) *string { return in.HostedZoneId })),
		wire.Op("AssociateVPCWithHostedZone", "route53:AssociateVPCWithHostedZone", s.AssociateVPCWithHostedZone,
			withVPC(onZone(func(in *api.AssociateVPCWithHostedZoneInput) *string { return in.HostedZoneId }),
				func(in *api.AssociateVPCWithHostedZoneInput) *api.VPC { return in.VPC })),
		wire.Op("DisassociateVPCFromHostedZone", "route53:DisassociateVPCFromHostedZone", s.DisassociateVPCFromHostedZone,
			withVPC(onZone(func(in *api.DisassociateVPCFromHostedZoneInput) *string { return in.HostedZoneId }),
				func(in *api.DisassociateVPCFromHostedZoneInput) *api.VPC { return in.VPC })),
		wire.Op("ChangeResourceRecordSets", "route53:ChangeResourceRecordSets", s.ChangeResourceRecordSets, changeChecks),
		wire.Op("ListResourceRecordSets", "route53:ListResourceRecordSets", s.ListResourceRecordSets,
			onZone(func(in *api.ListResourceRecordSetsInput) *string { return in.HostedZoneId })),
		wire.Op("GetChange", "route53:GetChange", s.GetChange, func(_ context.Context, in *api.GetChangeInput) ([]aws.Check, error) {
			return []aws.Check{{Resource: "arn:aws:route53:::change/" + bare(in.Id)}}, nil
		}),
		wire.Op("TestDNSAnswer", "route53:TestDNSAnswer", s.TestDNSAnswer, nil),
		wire.Op("ChangeTagsForResource", "route53:ChangeTagsForResource", s.ChangeTagsForResource,
			onTagged(func(in *api.ChangeTagsForResourceInput) (api.TagResourceType, []string) {
				return in.ResourceType, []string{aws.Val(in.ResourceId)}
			})),
		wire.Op("ListTagsForResource", "route53:ListTagsForResource", s.ListTagsForResource,
			onTagged(func(in *api.ListTagsForResourceInput) (api.TagResourceType, []string) {
				return in.ResourceType, []string{aws.Val(in.ResourceId)}
			})),
		wire.Op("ListTagsForResources", "route53:ListTagsForResources", s.ListTagsForResources,
			onTagged(func(in *api.ListTagsForResourcesInput) (api.TagResourceType, []string) {
				return in.ResourceType, in.ResourceIds
			})),
		wire.Op("ListHealthChecks", "route53:ListHealthChecks", s.ListHealthChecks, nil),
		wire.Op("ListQueryLoggingConfigs", "route53:ListQueryLoggingConfigs", s.ListQueryLoggingConfigs,
			onZone(func(in *api.ListQueryLoggingConfigsInput) *string {
				if in.HostedZoneId == nil {
					return aws.Ptr("*")
				}
				return in.HostedZoneId
			})),
		wire.Op("ListTrafficPolicies", "route53:ListTrafficPolicies", s.ListTrafficPolicies, nil),
	}}
}
