package ec2

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// stateCodes are the codes of DescribeInstances' state member.
var stateCodes = map[string]int32{
	statePending: 0, stateRunning: 16, stateShuttingDown: 32, stateTerminated: 48, stateStopping: 64, stateStopped: 80,
}

var instanceFilters = []string{
	"instance-id", "instance-state-name", "instance-state-code", "instance-type", "image-id", "key-name", "vpc-id", "subnet-id",
	"availability-zone", "private-ip-address", "ip-address", "private-dns-name", "dns-name", "reservation-id", "owner-id",
	"instance.group-id", "instance.group-name", "group-id", "group-name", "iam-instance-profile.arn", "iam-instance-profile.id", "iam-instance-profile.name",
	"architecture", "root-device-type", "root-device-name", "hypervisor", "virtualization-type", "client-token", "launch-time",
	"launch-index", "monitoring-state", "platform-details", "tenancy", "network-interface.network-interface-id",
	"network-interface.vpc-id", "network-interface.subnet-id", "network-interface.addresses.private-ip-address", "metadata-options.http-tokens",
	"requester-id", "source-dest-check", "state-reason-code",
}

// DescribeInstances lists instances, grouped by reservation, oldest id first. Here and in
// the other descriptions IncludeManagedResources changes nothing: it is about resources
// that are hidden because a service manages them, and none is hidden.
func (s *Service) DescribeInstances(ctx context.Context, in *api.DescribeInstancesInput) (*api.DescribeInstancesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, slices.Concat(instanceFilters, instanceDetails, neverInstance)...); err != nil {
		return nil, err
	}
	if len(in.InstanceIds) > 0 && in.MaxResults != nil {
		return nil, awserr.New("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	rows, names, err := s.selectInstances(ctx, c, in.InstanceIds, in.Filters)
	if err != nil {
		return nil, err
	}
	rows, next, err := paginate(rows, func(r *instance) string { return r.ID }, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &api.DescribeInstancesOutput{Reservations: s.reservations(c, rows, names), NextToken: next}, nil
}

// reservations groups rows by the call that launched them.
func (s *Service) reservations(c aws.Call, rows []*instance, names naming) []api.Reservation {
	sizes := map[string]int{}
	for _, r := range rows {
		sizes[r.ReservationID]++
	}
	out := make([]api.Reservation, 0, len(sizes))
	at := make(map[string]int, len(sizes))
	for _, r := range rows {
		i, ok := at[r.ReservationID]
		if !ok {
			i = len(out)
			at[r.ReservationID] = i
			out = append(out, newReservation(c, r, sizes[r.ReservationID]))
		}
		out[i].Instances = append(out[i].Instances, s.describe(c, r, names))
	}
	return out
}

func newReservation(c aws.Call, r *instance, size int) api.Reservation {
	out := api.Reservation{
		ReservationId: aws.Ptr(r.ReservationID), OwnerId: aws.Ptr(c.Account), Groups: []api.GroupIdentifier{},
		Instances: make([]api.Instance, 0, size),
	}
	if r.Via != "" {
		out.RequesterId = aws.Ptr(r.Via)
	}
	return out
}

// selectInstances returns the instances that ids name (all when empty) and that
// pass filters, and the names of security groups by id.
func (s *Service) selectInstances(ctx context.Context, c aws.Call, ids []string, filters []api.Filter) ([]*instance, naming, error) {
	var out []*instance
	names := newNaming()
	err := s.db.View(ctx, func(tx *store.Tx) error {
		if err := names.load(tx, c); err != nil {
			return err
		}
		rows, err := instancesByID(tx, c, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if len(filters) == 0 || instanceFields(c, r, names).matches(filters) {
				out = append(out, r)
			}
		}
		return nil
	})
	return out, names, err
}

func instancesByID(tx *store.Tx, c aws.Call, ids []string) ([]*instance, error) {
	var out []*instance
	if len(ids) == 0 {
		rows, err := instances.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		if err != nil {
			return nil, fmt.Errorf("list instances: %w", err)
		}
		for _, r := range rows {
			out = append(out, r.Value)
		}
		return out, nil
	}
	var unknown []string
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		r, err := getInstance(tx, c, id)
		if awserr.Is(err, "InvalidInstanceID.NotFound") {
			unknown = append(unknown, id)
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	switch len(unknown) {
	case 0:
		return out, nil
	case 1:
		return nil, notFound("InvalidInstanceID", "instance ID", unknown[0])
	}
	return nil, awserr.New("InvalidInstanceID.NotFound", "The instance IDs '%s' do not exist", strings.Join(unknown, ", "))
}

// getInstance returns the row of id, or AWS's error for an id that names none.
func getInstance(tx *store.Tx, c aws.Call, id string) (*instance, error) {
	if !strings.HasPrefix(id, "i-") || len(id) < 10 {
		return nil, malformed("InvalidInstanceID", id)
	}
	r, err := instances.Get(tx, key(c, id))
	if isNotFound(err) {
		return nil, notFound("InvalidInstanceID", "instance ID", id)
	}
	return r, err
}

func instanceFields(c aws.Call, r *instance, names naming) fields {
	f := fields{
		"instance-id": {r.ID}, "instance-state-name": {r.State}, "instance-state-code": {itoa(stateCodes[r.State])},
		"instance-type": {r.Type}, "image-id": {r.ImageID}, "key-name": {r.KeyName},
		"availability-zone": {r.Zone}, "reservation-id": {r.ReservationID}, "owner-id": {c.Account},
		"architecture": {architecture}, "root-device-type": {"ebs"}, "root-device-name": {rootDevice}, "hypervisor": {"xen"},
		"virtualization-type": {"hvm"}, "launch-time": {r.LaunchTime.Format("2006-01-02T15:04:05.000Z")},
		"launch-index": {itoa(r.LaunchIndex)}, "monitoring-state": {monitoringState(r.Monitoring)}, "platform-details": {"Linux/UNIX"},
		"tenancy": {(&vpc{Dedicated: r.Dedicated}).tenancy()}, "metadata-options.http-tokens": {r.Metadata.Tokens}, "requester-id": {r.Via},
		"source-dest-check": {boolText(!r.NIC.Forwards)}, "state-reason-code": {r.StateReason.Code},
	}
	if t, ok := strings.CutPrefix(r.Token, clientToken); ok {
		f["client-token"] = []string{t}
	}
	r.detailFields(c, f)
	if r.State != stateTerminated {
		r.networkFields(c, f, names)
		r.attachedFields(c, f, names)
	}
	if r.Profile != nil {
		f["iam-instance-profile.arn"], f["iam-instance-profile.id"], f["iam-instance-profile.name"] = []string{r.Profile.ARN}, []string{r.Profile.ID}, []string{r.Profile.Name}
	}
	return f.withTags(r.Tags)
}

func (r *instance) networkFields(c aws.Call, f fields, names naming) {
	private := r.NIC.Private.String()
	f["vpc-id"], f["subnet-id"] = []string{r.NIC.VPC}, []string{r.NIC.Subnet}
	f["private-ip-address"] = []string{private}
	f["private-dns-name"] = []string{privateDNS(c.Region, r.NIC.Private)}
	if r.NIC.Public.IsValid() {
		f["ip-address"] = []string{r.NIC.Public.String()}
		f["dns-name"] = []string{names.public(c.Region, r.NIC)}
	}
	for _, g := range r.NIC.Groups {
		f["instance.group-id"] = append(f["instance.group-id"], g)
		f["instance.group-name"] = append(f["instance.group-name"], names.groups[g])
	}
	f["group-id"], f["group-name"] = f["instance.group-id"], f["instance.group-name"]
}

func monitoringState(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}
