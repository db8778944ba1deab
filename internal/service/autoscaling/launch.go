package autoscaling

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// After a launch that failed the next waits, twice as long each time.
const (
	firstBackoff = 10 * time.Second
	lastBackoff  = 10 * time.Minute
)

// addMember decides to launch an instance: a row whose id is the token of the launch, and
// the activity.
func addMember(tx *store.Tx, k store.Key, g *group, src *source, where place, cause string) (*member, error) {
	m := &member{ID: ids.UUID(), Group: g.Name, place: where, State: api.LifecycleStatePending, Decided: tx.Now().UTC(), Protected: g.Protect,
		Number: g.Count, Configuration: src.Configuration, Ending: toTerminated}
	if spec, over := src.template(); spec != nil {
		t := *spec
		m.Template = &t
		if over != nil {
			m.Overridden, m.Image = val(over.InstanceType), val(over.ImageId)
		}
	}
	a, err := begin(tx, k, g, m, "Launching a new EC2 instance", cause)
	if err != nil {
		return nil, err
	}
	a.Status = preInService
	if err := activities.Put(tx, activityKey(k, a.ID), a); err != nil {
		return nil, err
	}
	return m, putMember(tx, k, m)
}

// arrive launches an instance that has been decided on, and sees it come up.
func (t *turn) arrive(m *member) error {
	if m.Instance == "" {
		return t.launch(m)
	}
	switch t.ec2State(m) {
	case "pending":
		return nil
	case "running":
		return t.change(m, func(tx *store.Tx, g *group, m *member) error {
			m.Launched = t.now
			return m.wait(tx, t.k, g, t.hook, launching)
		})
	}
	why := "unknown"
	if i := t.seen[m.Instance]; i != nil && i.StateReason != nil {
		why = val(i.StateReason.Message)
	}
	return t.diedOnTheWay(m, why)
}

// giveUp ends the launch of an instance that is there already.
func (m *member) giveUp(tx *store.Tx, k store.Key, g *group, why string) error {
	a, err := conclude(tx, k, m, cancelled, why)
	if err != nil {
		return err
	}
	g.failed(tx.Now().UTC())
	m.Ending, m.Actions, m.Extra = toTerminated, nil, false
	m.enter(tx, k, api.LifecycleStateTerminatingProceed)
	return notify(tx, k, g, launchErrorEvent, a)
}

// failed notes a launch that failed. Launches that were decided on together and fail
// together count once.
func (g *group) failed(now time.Time) {
	if now.Before(g.Retry) {
		return
	}
	wait := firstBackoff << min(g.Failures, 10)
	g.Failures++
	g.Retry = now.Add(min(wait, lastBackoff))
}

// launch calls RunInstances with the member's id as token: a server that ends before it
// has written the answer gets the same instance again.
func (t *turn) launch(m *member) error {
	in, version, err := t.runInput(m)
	var i *ec2.Instance
	if err == nil {
		i, err = t.run(in)
	}
	if awserr.Is(err, "IdempotentParameterMismatch") {
		i, err = t.launched(m)
	}
	if err != nil && awserr.As(err) == nil {
		return err // the server's own: again later
	}
	if err != nil {
		return t.launchFailed(m, messageOf(err))
	}
	return t.change(m, func(tx *store.Tx, g *group, m *member) error {
		m.Instance, m.Type, m.Image = *i.InstanceId, string(i.InstanceType), val(i.ImageId)
		m.Zone, m.Subnet = *i.Placement.AvailabilityZone, val(i.SubnetId)
		if m.Template != nil {
			m.Template.Version = &version
		}
		m.enter(tx, t.k, api.LifecycleStatePending)
		return progress(tx, t.k, m, func(a *activity) {
			a.Description, a.Details, a.Instance, a.Progress = "Launching a new EC2 instance: "+m.Instance, m.details(), m.Instance, 30
		})
	})
}

// launched finds the instance of a launch whose answer was lost, when what the group
// launches has changed since.
func (t *turn) launched(m *member) (*ec2.Instance, error) {
	as, err := t.role()
	if err != nil {
		return nil, err
	}
	out, err := wire.Call[ec2.DescribeInstancesOutput](as, t.s.cfg.Invoker, "ec2", "DescribeInstances",
		&ec2.DescribeInstancesInput{Filters: []ec2.Filter{{Name: ptr("client-token"), Values: []string{m.ID}}}})
	if err != nil {
		return nil, err
	}
	for _, r := range out.Reservations {
		return &r.Instances[0], nil
	}
	return nil, fmt.Errorf("the instance of launch %s cannot be found", m.ID)
}

func (t *turn) run(in *ec2.RunInstancesInput) (*ec2.Instance, error) {
	as, err := t.role()
	if err != nil {
		return nil, err
	}
	out, err := wire.Call[ec2.RunInstancesOutput](as, t.s.cfg.Invoker, "ec2", "RunInstances", in)
	if err != nil {
		return nil, err
	}
	return &out.Instances[0], nil
}

// launchFailed ends a launch that has made no instance.
func (t *turn) launchFailed(m *member, why string) error {
	return t.change(m, func(tx *store.Tx, g *group, m *member) error {
		a, err := conclude(tx, t.k, m, failed, strings.TrimSuffix(why, ".")+". Launching EC2 instance failed.")
		if err != nil {
			return err
		}
		g.failed(tx.Now().UTC())
		g.Avoid = m.Zone
		if err := notify(tx, t.k, g, launchErrorEvent, a); err != nil {
			return err
		}
		return members.Delete(tx, memberKey(t.k, m))
	})
}

// runInput is the launch of a member, and the version of its template.
func (t *turn) runInput(m *member) (*ec2.RunInstancesInput, string, error) {
	one := ptr[int32](1)
	in := &ec2.RunInstancesInput{MinCount: one, MaxCount: one, ClientToken: &m.ID}
	tags := []ec2.Tag{}
	for _, tag := range t.g.Tags {
		if tag.Propagate {
			tags = append(tags, ec2.Tag{Key: &tag.Key, Value: &tag.Value})
		}
	}
	tags = append(tags, ec2.Tag{Key: ptr(groupNameTag), Value: &m.Group})
	in.TagSpecifications = []ec2.TagSpecification{{ResourceType: "instance", Tags: tags}}
	if m.Template == nil {
		err := t.configured(in, m)
		return in, "", err
	}
	as, err := t.role()
	if err != nil {
		return nil, "", err
	}
	v, err := t.s.templateVersion(as, m.Template)
	if err != nil {
		return nil, "", err
	}
	version := strconv.FormatInt(val(v.VersionNumber), 10)
	in.LaunchTemplate = &ec2.LaunchTemplateSpecification{LaunchTemplateId: v.LaunchTemplateId, Version: &version}
	if m.Overridden != "" {
		in.InstanceType = ec2.InstanceType(m.Overridden)
	}
	in.ImageId = text(m.Image)
	if in.NetworkInterfaces = interfacesOf(v, m.Subnet); in.NetworkInterfaces == nil {
		m.placed(in)
	}
	return in, version, nil
}

// groupNameTag marks the instances of a group.
const groupNameTag = "aws:autoscaling:groupName"

// placed says where the instance is launched.
func (m *member) placed(in *ec2.RunInstancesInput) {
	if m.Subnet != "" {
		in.SubnetId = &m.Subnet
		return
	}
	in.Placement = &ec2.Placement{AvailabilityZone: &m.Zone}
}

// configured fills in what the launch configuration says.
func (t *turn) configured(in *ec2.RunInstancesInput, m *member) error {
	var row *configuration
	err := t.s.view(t.ctx, func(tx *store.Tx) (err error) {
		row, err = getConfiguration(tx, activityKey(t.k, m.Configuration))
		return err
	})
	if err != nil {
		return err
	}
	c := &row.Spec
	data, err := t.s.userData(row)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		in.UserData = ptr(base64.StdEncoding.EncodeToString(data))
	}
	in.ImageId, in.InstanceType, in.EbsOptimized = c.ImageId, ec2.InstanceType(val(c.InstanceType)), c.EbsOptimized
	in.KeyName = text(val(c.KeyName))
	in.Monitoring = &ec2.RunInstancesMonitoringEnabled{Enabled: ptr(c.InstanceMonitoring == nil || c.InstanceMonitoring.Enabled == nil || *c.InstanceMonitoring.Enabled)}
	if p := val(c.IamInstanceProfile); strings.HasPrefix(p, "arn:") {
		in.IamInstanceProfile = &ec2.IamInstanceProfileSpecification{Arn: &p}
	} else if p != "" {
		in.IamInstanceProfile = &ec2.IamInstanceProfileSpecification{Name: &p}
	}
	if o := c.MetadataOptions; o != nil {
		in.MetadataOptions = &ec2.InstanceMetadataOptionsRequest{HttpTokens: ec2.HttpTokensState(o.HttpTokens), HttpEndpoint: ec2.InstanceMetadataEndpointState(o.HttpEndpoint),
			HttpPutResponseHopLimit: o.HttpPutResponseHopLimit}
	}
	for _, b := range c.BlockDeviceMappings {
		in.BlockDeviceMappings = append(in.BlockDeviceMappings, blockDevice(b))
	}
	m.networked(in, c)
	return nil
}

func blockDevice(b api.BlockDeviceMapping) ec2.BlockDeviceMapping {
	out := ec2.BlockDeviceMapping{DeviceName: b.DeviceName, VirtualName: b.VirtualName}
	if val(b.NoDevice) {
		out.NoDevice = ptr("")
	}
	if e := b.Ebs; e != nil {
		out.Ebs = &ec2.EbsBlockDevice{SnapshotId: e.SnapshotId, VolumeSize: e.VolumeSize, VolumeType: ec2.VolumeType(val(e.VolumeType)), DeleteOnTermination: e.DeleteOnTermination,
			Iops: e.Iops, Encrypted: e.Encrypted, Throughput: e.Throughput}
	}
	return out
}

// networked fills in subnet, security groups and public address.
func (m *member) networked(in *ec2.RunInstancesInput, c *api.CreateLaunchConfigurationInput) {
	byID := len(c.SecurityGroups) > 0 && isGroupID(c.SecurityGroups[0])
	if c.AssociatePublicIpAddress == nil || m.Subnet == "" {
		m.placed(in)
		if byID {
			in.SecurityGroupIds = c.SecurityGroups
		} else {
			in.SecurityGroups = c.SecurityGroups
		}
		return
	}
	nic := ec2.InstanceNetworkInterfaceSpecification{DeviceIndex: ptr[int32](0), SubnetId: &m.Subnet, AssociatePublicIpAddress: c.AssociatePublicIpAddress, DeleteOnTermination: ptr(true)}
	if byID {
		nic.Groups = c.SecurityGroups
	} else {
		in.SecurityGroups = c.SecurityGroups // EC2 says that they do not go together
	}
	in.NetworkInterfaces = []ec2.InstanceNetworkInterfaceSpecification{nic}
}

// startCause says why an instance beyond n is launched.
func startCause(now time.Time, n int) string {
	return fmt.Sprintf("At %s an instance was started in response to a difference between desired and actual capacity, increasing the capacity from %d to %d.", now.Format(stamp), n, n+1)
}
