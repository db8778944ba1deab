package ec2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// DescribeVolumes lists the root volumes of instances; there are no others.
func (s *Service) DescribeVolumes(ctx context.Context, in *api.DescribeVolumesInput) (*api.DescribeVolumesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkFilters(in.Filters, "volume-id", "attachment.instance-id", "attachment.device", "attachment.status", "attachment.delete-on-termination", "availability-zone", "status", "size", "volume-type", "encrypted", "create-time"); err != nil {
		return nil, err
	}
	rows, _, err := s.selectInstances(ctx, c, nil, nil)
	if err != nil {
		return nil, err
	}
	list := []api.Volume{}
	seen := map[string]bool{}
	for _, r := range rows {
		if r.State == stateTerminated {
			continue
		}
		seen[r.Root.ID] = true
		f := fields{
			"volume-id": {r.Root.ID}, "attachment.instance-id": {r.ID}, "attachment.device": {rootDevice}, "attachment.status": {"attached"},
			"attachment.delete-on-termination": {"true"}, "availability-zone": {r.Zone}, "status": {"in-use"}, "size": {itoa(r.Root.GiB)},
			"volume-type": {r.Root.Type}, "encrypted": {"false"}, "create-time": {r.LaunchTime.Format("2006-01-02T15:04:05.000Z")},
		}
		if (len(in.VolumeIds) == 0 || slices.Contains(in.VolumeIds, r.Root.ID)) && f.withTags(r.Root.Tags).matches(in.Filters) {
			list = append(list, apiVolume(r))
		}
	}
	for _, id := range in.VolumeIds {
		if !seen[id] {
			return nil, notFound("InvalidVolume", "volume", id)
		}
	}
	list, next, err := paginate(list, func(i api.Volume) string { return *i.VolumeId }, in.NextToken, in.MaxResults)
	return &api.DescribeVolumesOutput{Volumes: list, NextToken: next}, err
}

func apiVolume(r *instance) api.Volume {
	v := api.Volume{
		VolumeId: aws.Ptr(r.Root.ID), Size: aws.Ptr(r.Root.GiB), AvailabilityZone: aws.Ptr(r.Zone), State: "in-use", CreateTime: aws.Ptr(r.LaunchTime),
		VolumeType: api.VolumeType(r.Root.Type), Encrypted: aws.Ptr(false), SnapshotId: aws.Ptr(""), MultiAttachEnabled: aws.Ptr(false), Tags: apiTags(r.Root.Tags),
		Attachments: []api.VolumeAttachment{{
			VolumeId: aws.Ptr(r.Root.ID), InstanceId: aws.Ptr(r.ID), Device: aws.Ptr(rootDevice), State: "attached",
			AttachTime: aws.Ptr(r.LaunchTime), DeleteOnTermination: aws.Ptr(true),
		}},
	}
	if r.Root.IOPS > 0 {
		v.Iops = aws.Ptr(r.Root.IOPS)
	}
	if r.Root.Throughput > 0 {
		v.Throughput = aws.Ptr(r.Root.Throughput)
	}
	return v
}
