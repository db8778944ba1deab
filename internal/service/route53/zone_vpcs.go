package route53

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

func (v vpc) api() api.VPC { return api.VPC{VPCRegion: api.VPCRegion(v.Region), VPCId: aws.Ptr(v.ID)} }

// vpc returns the VPC that a request names, which must be one of the caller's: it
// asks EC2 in the caller's name, as AWS does.
func (s *Service) vpc(ctx context.Context, in *api.VPC) (vpc, error) {
	v := vpc{Region: string(in.VPCRegion), ID: aws.Val(in.VPCId)}
	if v.Region == "" || v.ID == "" {
		return v, invalidInput("Invalid VPC: both VPCId and VPCRegion are required.")
	}
	c := aws.CallFrom(ctx)
	c.Region, c.Token = v.Region, ""
	out, err := wire.Call[ec2.DescribeVpcsOutput](aws.WithCall(ctx, c), s.cfg.Invoker, "ec2", "DescribeVpcs", &ec2.DescribeVpcsInput{VpcIds: []string{v.ID}})
	if e := awserr.As(err); e != nil && strings.HasPrefix(e.Code, "InvalidVpcID") || err == nil && len(out.Vpcs) == 0 {
		return v, awserr.New("InvalidVPCId", "The VPC: %s you provided does not exist in the region %s.", v.ID, v.Region)
	}
	return v, err
}

// maxVPCs is AWS's quota of VPCs per zone.
const maxVPCs = 300

// AssociateVPCWithHostedZone makes the names of a private zone known in a VPC.
func (s *Service) AssociateVPCWithHostedZone(ctx context.Context, in *api.AssociateVPCWithHostedZoneInput) (*api.AssociateVPCWithHostedZoneOutput, error) {
	if _, _, err := s.zone(ctx, in.HostedZoneId); err != nil {
		return nil, err
	}
	v, err := s.vpc(ctx, in.VPC)
	if err != nil {
		return nil, err
	}
	info, err := s.changeZone(ctx, in.HostedZoneId, aws.Val(in.Comment), func(tx *store.Tx, k store.Key, z *zone) error {
		switch {
		case !z.Private:
			return awserr.New("PublicZoneVPCAssociation", "You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support associating a VPC with a public hosted zone.")
		case slices.Contains(z.VPCs, v):
			return conflict(tx, v, z.Name)
		case len(z.VPCs) >= maxVPCs:
			return awserr.New("LimitsExceeded", "Limits Exceeded: MAX_VPCS_ASSOCIATED_BY_ZONE - Cannot associate more than %d VPCs with a hosted zone.", maxVPCs)
		}
		if err := conflict(tx, v, z.Name); err != nil {
			return err
		}
		z.VPCs = append(z.VPCs, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.AssociateVPCWithHostedZoneOutput{ChangeInfo: info}, nil
}

// DisassociateVPCFromHostedZone takes a VPC from a private zone that has another.
func (s *Service) DisassociateVPCFromHostedZone(ctx context.Context, in *api.DisassociateVPCFromHostedZoneInput) (*api.DisassociateVPCFromHostedZoneOutput, error) {
	v := vpc{Region: string(in.VPC.VPCRegion), ID: aws.Val(in.VPC.VPCId)}
	info, err := s.changeZone(ctx, in.HostedZoneId, aws.Val(in.Comment), func(_ *store.Tx, k store.Key, z *zone) error {
		i := slices.Index(z.VPCs, v)
		switch {
		case i < 0:
			return awserr.Status(404, "VPCAssociationNotFound", "The VPC: %s and hosted zone %s you provided are not currently associated.", v.ID, k.ID)
		case len(z.VPCs) == 1:
			return awserr.New("LastVPCAssociation", "Cannot remove the last VPC association for the private zone")
		}
		z.VPCs = slices.Delete(z.VPCs, i, i+1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DisassociateVPCFromHostedZoneOutput{ChangeInfo: info}, nil
}

// ListHostedZonesByVPC lists the private zones whose names a VPC knows.
func (s *Service) ListHostedZonesByVPC(ctx context.Context, in *api.ListHostedZonesByVPCInput) (*api.ListHostedZonesByVPCOutput, error) {
	c, v := aws.CallFrom(ctx), vpc{Region: string(in.VPCRegion), ID: aws.Val(in.VPCId)}
	limit, err := maxItems(in.MaxItems, defaultItems)
	if err != nil {
		return nil, err
	}
	var rows []store.Row[zone]
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err = zones.Lookup(tx, "vpc", v.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r store.Row[zone]) bool {
		return r.Key.Account != c.Account || !slices.Contains(r.Value.VPCs, v) || in.NextToken != nil && r.Key.ID < *in.NextToken
	})
	out := &api.ListHostedZonesByVPCOutput{MaxItems: asked(in.MaxItems), HostedZoneSummaries: []api.HostedZoneSummary{}}
	for i, r := range rows {
		if i == limit {
			out.NextToken = &r.Key.ID
			break
		}
		out.HostedZoneSummaries = append(out.HostedZoneSummaries, api.HostedZoneSummary{HostedZoneId: &r.Key.ID, Name: aws.Ptr(shown(r.Value.Name)),
			Owner: &api.HostedZoneOwner{OwningAccount: &r.Key.Account}})
	}
	return out, nil
}
