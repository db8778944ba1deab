package ec2

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/instance/imds"
	"github.com/hardstand/hardstand/internal/store"
)

// Metadata is what the instance's metadata service shows, as it stands now.
func (s *Service) Metadata(ctx context.Context, id string) (imds.Metadata, error) {
	k, err := s.keyOf(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return imds.Metadata{}, imds.ErrNoInstance
	}
	if err != nil {
		return imds.Metadata{}, err
	}
	var m imds.Metadata
	var r *instance
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if r, err = instances.Get(tx, k); err != nil {
			return err
		}
		m = plainMetadata(k, r)
		if m.UserData, err = s.userData(r); err != nil {
			return err
		}
		return networkMetadata(tx, k, r, &m)
	})
	if err != nil {
		return m, fmt.Errorf("metadata of %s: %w", id, err)
	}
	return m, s.profileMetadata(ctx, k, r, &m)
}

func plainMetadata(k store.Key, r *instance) imds.Metadata {
	m := imds.Metadata{
		Account: k.Account, Partition: "aws", Domain: "amazonaws.com", Region: k.Region, Zone: r.Zone,
		InstanceID: r.ID, InstanceType: r.Type, ImageID: r.ImageID, ReservationID: r.ReservationID, Architecture: architecture,
		LaunchIndex: int(r.LaunchIndex), LaunchTime: r.LaunchTime, RootDevice: rootDevice,
		PrivateIP: r.NIC.Private, PublicIP: r.NIC.Public,
		PrivateHost: privateDNS(k.Region, r.NIC.Private),
		MAC:         r.NIC.MAC, InterfaceID: r.NIC.ID, SubnetID: r.NIC.Subnet, VPCID: r.NIC.VPC,
		KeyName: r.KeyName, PublicKey: r.AuthorizedKey, Tags: r.Tags,
		Options: imds.Options{Tokens: r.Metadata.Tokens, Endpoint: r.Metadata.Endpoint, HopLimit: int(r.Metadata.HopLimit), Tags: r.Metadata.Tags},
	}
	if i := slices.IndexFunc(zones(k.Region), func(z zone) bool { return z.Name == r.Zone }); i >= 0 {
		m.ZoneID = zones(k.Region)[i].ID
	}
	return m
}

func networkMetadata(tx *store.Tx, k store.Key, r *instance, m *imds.Metadata) error {
	own, err := interfaceMetadata(tx, k, r.NIC)
	if err != nil {
		return err
	}
	m.VPCCIDR, m.VPCCIDRs, m.SubnetCIDR, m.PublicHost, m.SecurityGroups = own.VPCCIDR, own.VPCCIDRs, own.SubnetCIDR, own.PublicHost, own.SecurityGroups
	rows, err := interfaces.Lookup(tx, "instance", r.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		other, err := interfaceMetadata(tx, k, row.Value.NIC)
		if err != nil {
			return err
		}
		other.Device = int(row.Value.Device)
		m.Others = append(m.Others, other)
	}
	return nil
}

func interfaceMetadata(tx *store.Tx, k store.Key, n nic) (imds.Interface, error) {
	out := imds.Interface{
		PrivateIP: n.Private, PublicIP: n.Public, PrivateHost: privateDNS(k.Region, n.Private), MAC: n.MAC, InterfaceID: n.ID, SubnetID: n.Subnet, VPCID: n.VPC,
	}
	v, err := vpcs.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: n.VPC})
	if err != nil {
		return out, err
	}
	out.VPCCIDR, out.VPCCIDRs = v.CIDR, v.blocks()
	if v.publicNames() {
		out.PublicHost = publicDNS(k.Region, n.Public)
	}
	if sub := v.subnet(n.Subnet); sub != nil {
		out.SubnetCIDR = sub.CIDR
	}
	for _, id := range n.Groups {
		g, err := securityGroups.Get(tx, store.Key{Account: k.Account, Region: k.Region, ID: id})
		if err != nil {
			return out, err
		}
		out.SecurityGroups = append(out.SecurityGroups, imds.SecurityGroup{ID: g.ID, Name: g.Name})
	}
	return out, nil
}

// profileMetadata reads the profile anew: a role that was put into it or taken out
// after the launch counts at once.
func (s *Service) profileMetadata(ctx context.Context, k store.Key, r *instance, m *imds.Metadata) error {
	if r.Profile == nil {
		return nil
	}
	m.ProfileARN, m.ProfileID = r.Profile.ARN, r.Profile.ID
	p, err := s.profiles.InstanceProfile(ctx, k.Account, r.Profile.Name)
	if errors.Is(err, ErrNoProfile) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("profile of %s: %w", r.ID, err)
	}
	m.RoleARN, m.RoleID = p.RoleARN, p.RoleID
	if p.RoleARN != "" {
		m.RoleName = arn.Name(p.RoleARN)
	}
	return nil
}

// InStack reports whether the instance belongs to the account and region of c and
// to the stack: the helper scripts of an instance may ask about its own stack only.
func (s *Service) InStack(ctx context.Context, c aws.Call, id, stackID string) (bool, error) {
	r, err := s.load(ctx, key(c, id))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return r.Tags["aws:cloudformation:stack-id"] == stackID && r.State != stateTerminated, nil
}
