package ec2

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

func tagList(pairs ...string) []api.Tag {
	var out []api.Tag
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, api.Tag{Key: aws.Ptr(pairs[i]), Value: aws.Ptr(pairs[i+1])})
	}
	return out
}

// group makes a security group and returns its id.
func (w *world) group(name string) string {
	w.t.Helper()
	return *do[api.CreateSecurityGroupOutput](w, "CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: &name, Description: aws.Ptr("for " + name)}).GroupId
}

func (w *world) subnets() []api.Subnet {
	w.t.Helper()
	return do[api.DescribeSubnetsOutput](w, "DescribeSubnets", &api.DescribeSubnetsInput{}).Subnets
}

// TestRunEverything sets all that RunInstances takes and looks for it where it has
// to appear: in the description, in the attributes and in what boots.
func TestRunEverything(t *testing.T) {
	w := newWorld(t)
	w.run()
	sg := w.group("web")
	do[api.CreateKeyPairOutput](w, "CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("k"), KeyType: "ed25519"})
	sub := w.subnets()[1]
	id := w.running(func(in *api.RunInstancesInput) {
		in.InstanceType, in.KeyName, in.SecurityGroupIds, in.SubnetId = "t3.small", aws.Ptr("k"), []string{sg}, sub.SubnetId
		in.PrivateIpAddress = aws.Ptr("172.31.16.77")
		in.UserData = aws.Ptr(base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\n")))
		in.IamInstanceProfile = &api.IamInstanceProfileSpecification{Name: aws.Ptr("web")}
		in.Monitoring = &api.RunInstancesMonitoringEnabled{Enabled: aws.Ptr(true)}
		in.Placement = &api.Placement{AvailabilityZone: sub.AvailabilityZone}
		in.EbsOptimized, in.DisableApiTermination, in.DisableApiStop = aws.Ptr(true), aws.Ptr(true), aws.Ptr(true)
		in.InstanceInitiatedShutdownBehavior = "terminate"
		in.CreditSpecification = &api.CreditSpecificationRequest{CpuCredits: aws.Ptr("standard")}
		in.MetadataOptions = &api.InstanceMetadataOptionsRequest{HttpTokens: "required", HttpPutResponseHopLimit: aws.Ptr[int32](3), InstanceMetadataTags: "enabled"}
		in.BlockDeviceMappings = []api.BlockDeviceMapping{{DeviceName: aws.Ptr("/dev/sdc"), VirtualName: aws.Ptr("ephemeral0")}, {DeviceName: aws.Ptr("/dev/sdd"), NoDevice: aws.Ptr("")}, {DeviceName: aws.Ptr(rootDevice), Ebs: &api.EbsBlockDevice{VolumeSize: aws.Ptr[int32](20), VolumeType: "gp3", DeleteOnTermination: aws.Ptr(true)}}}
		in.TagSpecifications = []api.TagSpecification{
			{ResourceType: "instance", Tags: tagList("Name", "web")}, {ResourceType: "volume", Tags: tagList("Name", "disk")}, {ResourceType: "network-interface", Tags: tagList("Name", "nic")},
		}
	})
	i := w.instance(id)
	got := []string{
		string(i.InstanceType), *i.KeyName, *i.SecurityGroups[0].GroupId, *i.SecurityGroups[0].GroupName, *i.SubnetId, *i.PrivateIpAddress, *i.PrivateDnsName, *i.PublicIpAddress, *i.PublicDnsName,
		*i.IamInstanceProfile.Arn, string(i.Monitoring.State), *i.Placement.AvailabilityZone, string(i.MetadataOptions.HttpTokens), *i.Tags[0].Value, *i.StateTransitionReason,
	}
	want := []string{
		"t3.small", "k", sg, "web", *sub.SubnetId, "172.31.16.77", "ip-172-31-16-77.ec2.internal", "198.18.0.10", "ec2-198-18-0-10.compute-1.amazonaws.com",
		w.profiles["web"].ARN, "enabled", "us-east-1b", "required", "web", "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("described (-want +got):\n%s", diff)
	}
	if i.StateReason != nil || !*i.EbsOptimized || *i.MetadataOptions.HttpPutResponseHopLimit != 3 {
		t.Errorf("state reason %v, EBS optimized %v, hop limit %v", i.StateReason, *i.EbsOptimized, *i.MetadataOptions.HttpPutResponseHopLimit)
	}
	w.checkAttributes(id)
	w.checkAttachments(id)
	spec, _ := w.machines.spec(id)
	if !spec.FirstBoot || spec.VCPUs != 2 || spec.MemoryMiB != 2048 || string(spec.UserData) != "#!/bin/sh\n" || len(spec.AuthorizedKeys) != 1 || spec.NIC.Public.String() != "198.18.0.10" {
		t.Errorf("booted with %+v", spec)
	}
}

func (w *world) attribute(id, name string) *api.DescribeInstanceAttributeOutput {
	w.t.Helper()
	return do[api.DescribeInstanceAttributeOutput](w, "DescribeInstanceAttribute", &api.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: api.InstanceAttributeName(name)})
}

func (w *world) checkAttributes(id string) {
	w.t.Helper()
	if u := w.attribute(id, "userData").UserData; u == nil || *u.Value != "IyEvYmluL3NoCg==" {
		w.t.Errorf("user data %v", u)
	}
	if v := w.attribute(id, "instanceInitiatedShutdownBehavior").InstanceInitiatedShutdownBehavior; *v.Value != "terminate" {
		w.t.Errorf("shutdown behaviour %v", *v.Value)
	}
	if !*w.attribute(id, "disableApiTermination").DisableApiTermination.Value || !*w.attribute(id, "disableApiStop").DisableApiStop.Value {
		w.t.Error("protection is off")
	}
	credits := do[api.DescribeInstanceCreditSpecificationsOutput](w, "DescribeInstanceCreditSpecifications", &api.DescribeInstanceCreditSpecificationsInput{InstanceIds: []string{id}})
	if c := credits.InstanceCreditSpecifications; len(c) != 1 || *c[0].CpuCredits != "standard" {
		w.t.Errorf("credits %v", c)
	}
	for op, want := range map[string]string{
		"TerminateInstances": "OperationNotPermitted: The instance '" + id + "' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.",
		"StopInstances":      "OperationNotPermitted: The instance '" + id + "' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.",
	} {
		var in any = &api.TerminateInstancesInput{InstanceIds: []string{id}}
		if op == "StopInstances" {
			in = &api.StopInstancesInput{InstanceIds: []string{id}}
		}
		if got := refused(w, op, in); got != want {
			w.t.Errorf("%s: %s", op, got)
		}
	}
}

func (w *world) checkAttachments(id string) {
	w.t.Helper()
	byInstance := []api.Filter{{Name: aws.Ptr("attachment.instance-id"), Values: []string{id}}}
	vols := do[api.DescribeVolumesOutput](w, "DescribeVolumes", &api.DescribeVolumesInput{Filters: byInstance}).Volumes
	if v := vols[0]; *v.Size != 20 || v.VolumeType != "gp3" || *v.Iops != 3000 || *v.Throughput != 125 || *v.Tags[0].Value != "disk" {
		w.t.Errorf("volume %+v", v)
	}
	nics := do[api.DescribeNetworkInterfacesOutput](w, "DescribeNetworkInterfaces", &api.DescribeNetworkInterfacesInput{Filters: byInstance}).NetworkInterfaces
	if n := nics[0]; *n.TagSet[0].Value != "nic" || *n.Association.PublicIp != "198.18.0.10" {
		w.t.Errorf("interface %+v", n)
	}
	do[api.CreateTagsOutput](w, "CreateTags", &api.CreateTagsInput{Resources: []string{*vols[0].VolumeId, *nics[0].NetworkInterfaceId}, Tags: tagList("a", "b")})
	tags := do[api.DescribeTagsOutput](w, "DescribeTags", &api.DescribeTagsInput{Filters: []api.Filter{{Name: aws.Ptr("key"), Values: []string{"a"}}}}).Tags
	if len(tags) != 2 || tags[0].ResourceType != "volume" || tags[1].ResourceType != "network-interface" {
		w.t.Errorf("tags %+v", tags)
	}
}

// TestRunByInterface gives subnet and groups as the wizard and Terraform do.
func TestRunByInterface(t *testing.T) {
	w := newWorld(t)
	sg, sub := w.group("web"), w.subnets()[2]
	id := w.launch(func(in *api.RunInstancesInput) {
		in.NetworkInterfaces = []api.InstanceNetworkInterfaceSpecification{{
			DeviceIndex: aws.Ptr[int32](0), SubnetId: sub.SubnetId, Groups: []string{sg}, AssociatePublicIpAddress: aws.Ptr(false), Description: aws.Ptr("front"),
		}}
	})
	i := w.instance(id)
	if *i.SubnetId != *sub.SubnetId || *i.SecurityGroups[0].GroupId != sg || i.PublicIpAddress != nil || *i.NetworkInterfaces[0].Description != "front" {
		t.Errorf("described as %+v", i)
	}
	if i.StateReason == nil || *i.StateReason.Code != "pending" {
		t.Errorf("a pending instance has the reason %+v", i.StateReason)
	}
}

func TestRunGroupsByName(t *testing.T) {
	w := newWorld(t)
	a, b := w.group("a"), w.group("b")
	id := w.launch(func(in *api.RunInstancesInput) { in.SecurityGroups, in.SecurityGroupIds = []string{"b"}, []string{a} })
	if got := w.row(id).NIC.Groups; len(got) != 2 || got[0] != a || got[1] != b {
		t.Errorf("groups %v", got)
	}
	plain := w.launch(nil)
	if g := w.instance(plain).SecurityGroups; len(g) != 1 || *g[0].GroupName != "default" {
		t.Errorf("without groups: %+v", g)
	}
}

func TestRunCounts(t *testing.T) {
	w := newWorld(t)
	run := func(least, most int32) *api.RunInstancesInput {
		return &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: &least, MaxCount: &most, InstanceType: "t3.micro"}
	}
	out := do[api.RunInstancesOutput](w, "RunInstances", run(2, 5))
	seen := map[string]bool{}
	for n, i := range out.Instances {
		if *i.AmiLaunchIndex != int32(n) {
			t.Errorf("instance %d has index %d", n, *i.AmiLaunchIndex)
		}
		seen[*i.PrivateIpAddress], seen[*i.PublicIpAddress] = true, true
	}
	if len(out.Instances) != 5 || len(seen) != 10 {
		t.Errorf("%d instances with %d addresses", len(out.Instances), len(seen))
	}
	w.shrink("198.18.0.0/28") // of which .10 to .14 may be given out, and are
	if got := refused(w, "RunInstances", run(1, 1)); !strings.HasPrefix(got, "AddressLimitExceeded") {
		t.Error(got)
	}
}

func TestClientToken(t *testing.T) {
	w := newWorld(t)
	w.run()
	in := &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](2), MaxCount: aws.Ptr[int32](2), InstanceType: "t3.micro", ClientToken: aws.Ptr("once")}
	first := do[api.RunInstancesOutput](w, "RunInstances", in)
	again := do[api.RunInstancesOutput](w, "RunInstances", in)
	if len(again.Instances) != 2 || *again.Instances[0].InstanceId != *first.Instances[0].InstanceId || *again.ReservationId != *first.ReservationId {
		t.Errorf("the same token launched anew: %v", again)
	}
	if *first.Instances[0].ClientToken != "once" {
		t.Errorf("client token %v", *first.Instances[0].ClientToken)
	}
	other := *in
	other.InstanceType = "t3.small"
	if got := refused(w, "RunInstances", &other); got != "IdempotentParameterMismatch: Arguments on this idempotent request are inconsistent with arguments used in previous request(s)." {
		t.Error(got)
	}
	both := []string{*first.Instances[0].InstanceId, *first.Instances[1].InstanceId}
	for n, id := range both {
		w.await(id, stateRunning)
		do[api.TerminateInstancesOutput](w, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{id}})
		w.await(id, stateTerminated)
		if n == 0 { // one is left: still the first answer
			do[api.RunInstancesOutput](w, "RunInstances", in)
		}
	}
	if got := refused(w, "RunInstances", in); !strings.HasPrefix(got, "IdempotentInstanceTerminated: ") {
		t.Error(got)
	}
}

// TestInternalToken repeats a creation as the stack engine does after a crash.
func TestInternalToken(t *testing.T) {
	w := newWorld(t)
	call := aws.CallFrom(w.ctx)
	call.Token = "stack/1/Web/1"
	w.ctx = aws.WithCall(w.ctx, call)
	id := w.launch(nil)
	if again := w.launch(func(in *api.RunInstancesInput) { in.InstanceType = "t3.small" }); again != id {
		t.Errorf("launched %s and %s", id, again)
	}
	w.run()
	w.await(id, stateRunning)
	do[api.TerminateInstancesOutput](w, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{id}})
	w.await(id, stateTerminated)
	if again := w.launch(nil); again != id {
		t.Errorf("launched %s in place of %s, which has ended", again, id)
	}
}

func TestDryRun(t *testing.T) {
	w := newWorld(t)
	got := refused(w, "RunInstances", &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](1), MaxCount: aws.Ptr[int32](1), DryRun: aws.Ptr(true)})
	if got != "DryRunOperation: Request would have succeeded, but DryRun flag is set." {
		t.Error(got)
	}
	if out := do[api.DescribeInstancesOutput](w, "DescribeInstances", &api.DescribeInstancesInput{}); len(out.Reservations) != 0 {
		t.Errorf("a dry run launched %v", out.Reservations)
	}
}

// TestRunInStack has a call that comes from a stack show its requester, and take
// the tags that only AWS may set.
func TestRunInStack(t *testing.T) {
	w := newWorld(t)
	in := &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](1), MaxCount: aws.Ptr[int32](1),
		TagSpecifications: []api.TagSpecification{{ResourceType: "instance", Tags: tagList("aws:cloudformation:stack-id", "s")}}}
	if got := refused(w, "RunInstances", in); !strings.Contains(got, "Tag keys starting with 'aws:' are reserved for internal use") {
		t.Error(got)
	}
	ctx := aws.WithCall(w.ctx, aws.CallFrom(w.ctx).WithVia("cloudformation.amazonaws.com"))
	out, err := wire.Call[api.RunInstancesOutput](ctx, w.server, "ec2", "RunInstances", in)
	if err != nil {
		t.Fatal(err)
	}
	id := *out.Instances[0].InstanceId
	if *out.RequesterId != "cloudformation.amazonaws.com" {
		t.Errorf("requester %v", *out.RequesterId)
	}
	if in, err := w.svc.InStack(w.ctx, aws.CallFrom(w.ctx), id, "s"); err != nil || !in {
		t.Errorf("in stack: %v %v", in, err)
	}
	if in, err := w.svc.InStack(w.ctx, aws.CallFrom(w.ctx), id, "other"); err != nil || in {
		t.Errorf("in another stack: %v %v", in, err)
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	do[api.TerminateInstancesOutput](w, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{id}})
	w.await(id, stateTerminated)
	events, err := w.db.Events(w.ctx, 0, store.Filter{Service: "ec2", Resource: id}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	want := []string{"instance-pending", "instance-running", "instance-shutting-down", "instance-terminated"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
