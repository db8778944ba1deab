package ec2

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// RunInstances commits rows in state pending and answers; the worker launches
// them. A repeated call with the same client token returns the first rows.
func (s *Service) RunInstances(ctx context.Context, in *api.RunInstancesInput) (*api.RunInstancesOutput, error) {
	c := aws.CallFrom(ctx)
	req, err := s.planRun(ctx, c, in)
	if err != nil {
		return nil, err
	}
	var rows []*instance
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err = existingRun(tx, c, req)
		if err != nil || rows != nil {
			return err
		}
		rows, err = s.insertRun(tx, c, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		s.work.Wake(key(c, r.ID))
	}
	names, err := s.names(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.reservation(c, rows, names), nil
}

func (s *Service) reservation(c aws.Call, rows []*instance, names naming) *api.RunInstancesOutput {
	out := &api.RunInstancesOutput{ReservationId: aws.Ptr(rows[0].ReservationID), OwnerId: aws.Ptr(c.Account)}
	if len(rows[0].Via) > 0 {
		out.RequesterId = aws.Ptr(rows[0].Via)
	}
	for _, r := range rows {
		out.Instances = append(out.Instances, s.describe(c, r, names))
	}
	return out
}

// existingRun returns the instances that an earlier call with the same token made.
// The stack engine gets them even when they have ended, and reports why they did.
func existingRun(tx *store.Tx, c aws.Call, r *runRequest) ([]*instance, error) {
	if r.token == "" {
		return nil, nil
	}
	rows, err := instances.Lookup(tx, "token", scoped(key(c, ""), r.token))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	out := make([]*instance, 0, len(rows))
	ended := true
	for _, row := range rows {
		out = append(out, row.Value)
		ended = ended && row.Value.State == stateTerminated
	}
	if strings.HasPrefix(r.token, clientToken) {
		switch {
		case out[0].TokenHash != r.hash:
			return nil, idempotentMismatch()
		case ended:
			return nil, awserr.New("IdempotentInstanceTerminated", "The request to launch an instance uses the same client token as a previous request for which the instance has been terminated.")
		}
	}
	slices.SortFunc(out, func(a, b *instance) int { return int(a.LaunchIndex - b.LaunchIndex) })
	return out, nil
}

func (s *Service) insertRun(tx *store.Tx, c aws.Call, r *runRequest) ([]*instance, error) {
	given, err := r.givenPrimary(tx, c)
	if err != nil {
		return nil, err
	}
	if given != nil {
		r.subnetID = given.NIC.Subnet
	}
	v, sub, err := r.pickSubnet(tx, c)
	if err != nil {
		return nil, err
	}
	groups, err := resolveGroups(tx, c, v, sub.ID, r.groupIDs, r.groupNames)
	if err != nil {
		return nil, err
	}
	if r.template.AuthorizedKey, err = authorizedKey(tx, c, r.template.KeyName); err != nil {
		return nil, err
	}
	reservation := ids.Resource("r")
	var out []*instance
	for i := int32(0); i < r.max; i++ {
		row, err := s.newInstance(tx, v, sub, r, groups, given, i)
		if awserr.Is(err, "InsufficientFreeAddressesInSubnet") && i >= r.min {
			break
		}
		if err != nil {
			return nil, err
		}
		row.ReservationID = reservation
		if err := instances.Insert(tx, key(c, row.ID), row); err != nil {
			return nil, fmt.Errorf("insert instance: %w", err)
		}
		if given != nil {
			if err := takePrimary(tx, c, row, given); err != nil {
				return nil, err
			}
		}
		for _, d := range r.devices {
			if err := s.addDevice(tx, c, row, d, maps.Clone(r.template.NIC.Tags)); err != nil {
				return nil, err
			}
		}
		s.emit(tx, c, row, "")
		out = append(out, row)
	}
	return out, nil
}

// pickSubnet returns the subnet that the call names, or the default one of the
// zone, with its VPC.
func (r *runRequest) pickSubnet(tx *store.Tx, c aws.Call) (*vpc, *subnet, error) {
	if r.subnetID != "" {
		if _, err := ensureDefaultVPC(tx, c); err != nil && !awserr.Is(err, "VPCIdNotSpecified") {
			return nil, nil, err
		}
		v, sub, err := vpcOfSubnet(tx, c, r.subnetID)
		if err != nil {
			return nil, nil, err
		}
		if r.zone != "" && sub.Zone != r.zone {
			return nil, nil, awserr.New("InvalidParameterValue", "The availability zone '%s' does not match the zone of subnet '%s'.", r.zone, r.subnetID)
		}
		return v, sub, nil
	}
	v, err := ensureDefaultVPC(tx, c)
	if err != nil {
		return nil, nil, err
	}
	if r.zone != "" && !slices.ContainsFunc(zones(c.Region), func(z zone) bool { return z.Name == r.zone }) {
		return nil, nil, awserr.New("InvalidParameterValue", "Invalid availability zone: [%s]", r.zone)
	}
	i := slices.IndexFunc(v.Subnets, r.suits)
	switch {
	case i >= 0:
		return v, &v.Subnets[i], nil
	case r.zone != "":
		return nil, nil, awserr.New("InvalidInput", "No default subnet for availability zone: '%s'.", r.zone)
	}
	return nil, nil, awserr.New("MissingInput", "No subnets found for the default VPC '%s'. Please specify a subnet.", v.ID)
}

// suits says whether a subnet is the default one for the launch.
func (r *runRequest) suits(s subnet) bool { return s.Default && (r.zone == "" || s.Zone == r.zone) }

func (s *Service) newInstance(tx *store.Tx, v *vpc, sub *subnet, r *runRequest, groups []string, given *networkInterface, i int32) (*instance, error) {
	row := r.template
	row.ID, row.Zone, row.LaunchIndex = ids.Resource("i"), sub.Zone, i
	row.LaunchTime = s.clock.Now().UTC()
	row.Root.ID = ids.Resource("vol")
	row.Token, row.TokenHash = r.token, r.hash
	if row.Profile != nil {
		row.ProfileAssocID = ids.Resource("iip-assoc")
	}
	var err error
	if row.UserData, err = s.sealUserData(row.ID, r.userData); err != nil {
		return nil, err
	}
	row.Dedicated = v.Dedicated
	row.NIC.AttachmentID = ids.Resource("eni-attach")
	if given != nil {
		keep, attachment := row.NIC.Keep, row.NIC.AttachmentID
		row.NIC = given.NIC
		row.NIC.Keep, row.NIC.AttachmentID = keep, attachment
		return &row, nil
	}
	row.NIC.ID = ids.Resource("eni")
	row.NIC.VPC, row.NIC.Subnet, row.NIC.Groups = v.ID, sub.ID, groups
	row.NIC.AutoPublic = sub.MapPublic
	if r.public != nil {
		row.NIC.AutoPublic = *r.public
	}
	return &row, s.address(tx, v, sub, r, &row.NIC)
}

// address gives the interface of a new instance its addresses.
func (s *Service) address(tx *store.Tx, v *vpc, sub *subnet, r *runRequest, of *nic) (err error) {
	if r.private.IsValid() {
		of.Private, err = r.private, checkPrivate(tx, v, sub, r.private)
	} else {
		of.Private, err = s.freePrivate(tx, v, sub)
	}
	if err != nil {
		return err
	}
	if of.AutoPublic {
		if of.Public, err = s.freePublic(tx); err != nil {
			return err
		}
	}
	of.MAC = macOf(of.Private)
	return nil
}

func checkPrivate(tx *store.Tx, v *vpc, sub *subnet, a netip.Addr) error {
	if first, last := usable(sub.CIDR, firstPrivate); a.Less(first) || last.Less(a) {
		return awserr.New("InvalidParameterValue", "Address %s does not fall within the subnet's address range", a)
	}
	held, err := addressHeld(tx, privateEntry(v.ID, a))
	if err != nil {
		return err
	}
	if held {
		return awserr.New("InvalidIPAddress.InUse", "Address %s is in use.", a)
	}
	return nil
}

// macOf derives a locally administered address from the private one, which is
// unique in its VPC.
func macOf(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("02:68:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}
