package ec2

import (
	"net/netip"
	"regexp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

const (
	rootDevice  = "/dev/xvda"
	defaultRoot = int32(8) // GiB
	maxRoot     = int32(16 << 10)
)

// placement reads zone, subnet, groups and addresses from the top level or from
// the network interfaces that may be given instead.
func (r *runRequest) placement(in *api.RunInstancesInput) error {
	r.subnetID, r.groupIDs, r.groupNames = aws.Val(in.SubnetId), in.SecurityGroupIds, in.SecurityGroups
	if r.subnetID != "" && len(r.groupNames) > 0 {
		return awserr.New("InvalidParameterCombination", "The parameter groupName cannot be used with the parameter subnet")
	}
	private := aws.Val(in.PrivateIpAddress)
	if p := in.Placement; p != nil {
		if p.GroupName != nil || p.GroupId != nil || p.HostId != nil || p.HostResourceGroupArn != nil || p.AvailabilityZoneId != nil ||
			p.Affinity != nil || p.PartitionNumber != nil || p.SpreadDomain != nil || (p.Tenancy != "" && p.Tenancy != "default") {
			return unsupported("Placement beyond AvailabilityZone")
		}
		r.zone = aws.Val(p.AvailabilityZone)
	}
	if len(in.NetworkInterfaces) > 0 {
		if r.subnetID != "" || len(r.groupIDs)+len(r.groupNames) > 0 {
			return awserr.New("InvalidParameterCombination", "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request")
		}
		devices, err := wantedDevices(in.NetworkInterfaces, r.max)
		if err != nil {
			return err
		}
		r.primary, r.devices = devices[0], devices[1:]
		r.subnetID, r.groupIDs, r.public = r.primary.subnetID, r.primary.groups, r.primary.public
		if r.primary.private.IsValid() {
			private = r.primary.private.String()
		}
	}
	if private == "" {
		return nil
	}
	a, err := netip.ParseAddr(private)
	if err != nil || !a.Is4() {
		return invalidValue(private, "privateIpAddress")
	}
	if r.max > 1 {
		return awserr.New("InvalidParameterCombination", "The parameter 'PrivateIpAddress' may not be used when launching more than one instance")
	}
	r.private = a
	return nil
}

// rootNames are the names that images give their root device.
var rootNames = map[string]bool{rootDevice: true, "/dev/sda1": true, "/dev/xvda1": true, "/dev/sda": true}

// ephemeral are the names of the instance store volumes that a type may have.
var ephemeral = regexp.MustCompile(`^ephemeral([0-9]|1[0-9]|2[0-3])$`)

// mapsNothing tells whether a mapping leaves the instance as it is: EC2 ignores one of
// an instance store volume that the type does not have, and no type here has any, and
// one that suppresses a device that the image does not have.
func mapsNothing(name string, m api.BlockDeviceMapping) bool {
	if m.Ebs != nil || rootNames[name] {
		return false
	}
	return m.NoDevice != nil && m.VirtualName == nil || m.NoDevice == nil && ephemeral.MatchString(aws.Val(m.VirtualName))
}

// requestedRoot returns the root volume to make. The root device is the one device
// there is; it always goes away with its instance.
func requestedRoot(maps []api.BlockDeviceMapping) (volume, error) {
	v := volume{Type: "gp2", GiB: defaultRoot}
	for _, m := range maps {
		name := aws.Val(m.DeviceName)
		if mapsNothing(name, m) {
			continue
		}
		if !rootNames[name] {
			return v, unsupported("BlockDeviceMapping " + name + " beyond the root device")
		}
		if err := refuse(asked{"BlockDeviceMapping.NoDevice", m.NoDevice != nil}, asked{"BlockDeviceMapping.VirtualName", m.VirtualName != nil}); err != nil {
			return v, err
		}
		if m.Ebs == nil {
			continue
		}
		if err := v.apply(m.Ebs); err != nil {
			return v, err
		}
	}
	v.complete()
	return v, nil
}

func (v *volume) apply(e *api.EbsBlockDevice) error {
	err := refuse(
		asked{"BlockDeviceMapping.Ebs.SnapshotId", e.SnapshotId != nil},
		asked{"BlockDeviceMapping.Ebs.Encrypted", aws.Val(e.Encrypted) || e.KmsKeyId != nil},
		asked{"BlockDeviceMapping.Ebs.DeleteOnTermination=false", e.DeleteOnTermination != nil && !*e.DeleteOnTermination},
		asked{"BlockDeviceMapping.Ebs.OutpostArn", e.OutpostArn != nil},
		asked{"BlockDeviceMapping.Ebs.AvailabilityZone", e.AvailabilityZone != nil || e.AvailabilityZoneId != nil},
		asked{"BlockDeviceMapping.Ebs.EbsCardIndex beyond 0", aws.Val(e.EbsCardIndex) != 0},
		asked{"BlockDeviceMapping.Ebs.VolumeInitializationRate", e.VolumeInitializationRate != nil},
	)
	if err != nil {
		return err
	}
	if n := e.VolumeSize; n != nil {
		if *n < 1 || *n > maxRoot {
			return awserr.New("InvalidBlockDeviceMapping", "Invalid volume size %d GiB: it must be between 1 and %d.", *n, maxRoot)
		}
		v.GiB = *n
	}
	if e.VolumeType != "" {
		v.Type = string(e.VolumeType)
	}
	v.IOPS, v.Throughput = aws.Val(e.Iops), aws.Val(e.Throughput)
	return nil
}

// complete fills in the performance that EC2 gives a volume without being asked.
func (v *volume) complete() {
	switch {
	case v.Type == "gp3" && v.IOPS == 0:
		v.IOPS = 3000
	case v.Type == "gp2":
		v.IOPS = min(max(100, 3*v.GiB), 16000)
	}
	if v.Type == "gp3" && v.Throughput == 0 {
		v.Throughput = 125
	}
}
