package ec2

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

func (w *world) attachInterface(id, nic string, device int32) string {
	w.t.Helper()
	return *do[api.AttachNetworkInterfaceOutput](w, "AttachNetworkInterface", &api.AttachNetworkInterfaceInput{InstanceId: &id, NetworkInterfaceId: &nic, DeviceIndex: &device}).AttachmentId
}

// TestAttachNetworkInterface: a further interface comes while the instance runs, shows
// where interfaces show, stays over a stop, and goes.
func TestAttachNetworkInterface(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	id := w.running(inSubnet(l.public))
	nic := *w.newInterface(l.private, func(in *api.CreateNetworkInterfaceInput) { in.Description = aws.Ptr("back") }).NetworkInterfaceId
	attachment := w.attachInterface(id, nic, 1)
	if w.machines.count("plug 1 "+nic+" "+id) != 1 {
		t.Errorf("the machine was told %v", w.machines.log)
	}
	n := w.networkInterface(nic)
	if n.Status != "in-use" || *n.Attachment.AttachmentId != attachment || *n.Attachment.InstanceId != id || *n.Attachment.DeviceIndex != 1 || *n.Attachment.DeleteOnTermination {
		t.Errorf("the interface is %+v", n)
	}
	i := w.instance(id)
	if len(i.NetworkInterfaces) != 2 || *i.NetworkInterfaces[1].NetworkInterfaceId != nic || *i.NetworkInterfaces[1].Attachment.DeviceIndex != 1 || *i.SubnetId != l.public {
		t.Errorf("the instance has %+v", i.NetworkInterfaces)
	}
	for _, f := range []api.Filter{filter("network-interface.network-interface-id", nic), filter("network-interface.description", "back"), filter("network-interface.attachment.device-index", "1"), filter("network-interface.subnet-id", l.private)} {
		if got := w.find(f); !slices.Equal(got, []string{id}) {
			t.Errorf("filter %s finds %v", *f.Name, got)
		}
	}
	md, err := w.svc.Metadata(w.ctx, id)
	if err != nil || len(md.Others) != 1 || md.Others[0].InterfaceID != nic || md.Others[0].Device != 1 {
		t.Errorf("the metadata has %+v, %v", md.Others, err)
	}
	do[api.ModifyNetworkInterfaceAttributeOutput](w, "ModifyNetworkInterfaceAttribute", &api.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &nic, SourceDestCheck: &api.AttributeBooleanValue{Value: aws.Ptr(false)}})
	if !w.net.forwards(nic) {
		t.Error("the network still checks source and destination")
	}
	w.stop(id)
	w.await(id, stateStopped)
	w.start(id)
	w.await(id, stateRunning)
	if spec, _ := w.machines.spec(id); len(spec.Others) != 1 || spec.Others[0].ID != nic || spec.Others[0].Device != 1 || !spec.Others[0].Forwards {
		t.Errorf("it started with %+v", spec.Others)
	}
	do[api.DetachNetworkInterfaceOutput](w, "DetachNetworkInterface", &api.DetachNetworkInterfaceInput{AttachmentId: &attachment})
	if n := w.networkInterface(nic); n.Status != "available" || n.Attachment != nil {
		t.Errorf("the interface is %+v", n)
	}
	if w.machines.count("unplug "+nic+" "+id) != 1 {
		t.Errorf("the machine was told %v", w.machines.log)
	}
	// An attachment that a detachment overtakes connects nothing.
	told := len(w.machines.log)
	if err := w.svc.plugInto(w.ctx, key(aws.CallFrom(w.ctx), nic), id); err != nil || len(w.machines.log) != told {
		t.Errorf("%v, the machine was told %v", err, w.machines.log[told:])
	}
	do[api.DeleteNetworkInterfaceOutput](w, "DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: &nic})
}

// TestDetachAgain: an interface that cannot be unplugged stays attached, and the next call
// unplugs it.
func TestDetachAgain(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	id := w.running(inSubnet(l.public))
	nic := *w.newInterface(l.private, nil).NetworkInterfaceId
	in := &api.DetachNetworkInterfaceInput{AttachmentId: aws.Ptr(w.attachInterface(id, nic, 1))}
	before := w.networkInterface(nic)
	w.machines.set(func(what, _ string) error {
		if what == "unplug" {
			return errBroken
		}
		return nil
	})
	refused(w, "DetachNetworkInterface", in)
	if diff := cmp.Diff(before, w.networkInterface(nic)); diff != "" {
		t.Errorf("after a detachment that failed (-want +got):\n%s", diff)
	}
	w.machines.set(nil)
	in.Force = aws.Ptr(true)
	do[api.DetachNetworkInterfaceOutput](w, "DetachNetworkInterface", in)
	if n := w.networkInterface(nic); n.Status != "available" || w.machines.count("unplug "+nic+" "+id) != 1 {
		t.Errorf("the interface is %+v, the machine was told %v", n, w.machines.log)
	}
}

// TestLaunchWithInterfaces: a launch takes interfaces that are there and makes others;
// each goes or stays with the end of the instance, as it is to.
func TestLaunchWithInterfaces(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	eip := w.allocate()
	given := *w.newInterface(l.public, func(in *api.CreateNetworkInterfaceInput) {
		in.PrivateIpAddress, in.ClientToken = aws.Ptr("10.0.1.50"), aws.Ptr("once")
	}).NetworkInterfaceId
	do[api.AssociateAddressOutput](w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: eip.AllocationId, NetworkInterfaceId: &given})
	second := *w.newInterface(l.private, nil).NetworkInterfaceId
	id := w.running(func(in *api.RunInstancesInput) {
		in.InstanceType = "m5.xlarge"
		in.TagSpecifications = []api.TagSpecification{{ResourceType: "network-interface", Tags: tagList("Name", "made")}}
		in.NetworkInterfaces = []api.InstanceNetworkInterfaceSpecification{
			{DeviceIndex: aws.Ptr[int32](2), SubnetId: &l.private, PrivateIpAddress: aws.Ptr("10.0.2.60"), Description: aws.Ptr("third")},
			{DeviceIndex: aws.Ptr[int32](0), NetworkInterfaceId: &given},
			{DeviceIndex: aws.Ptr[int32](1), NetworkInterfaceId: &second, DeleteOnTermination: aws.Ptr(true)},
		}
	})
	i := w.instance(id)
	if *i.PrivateIpAddress != "10.0.1.50" || *i.PublicIpAddress != *eip.PublicIp || len(i.NetworkInterfaces) != 3 || *i.NetworkInterfaces[0].NetworkInterfaceId != given || *i.NetworkInterfaces[1].NetworkInterfaceId != second {
		t.Fatalf("the instance has %+v", i.NetworkInterfaces)
	}
	third := *i.NetworkInterfaces[2].NetworkInterfaceId
	if n := w.networkInterface(third); *n.TagSet[0].Value != "made" || *n.PrivateIpAddress != "10.0.2.60" || !*n.Attachment.DeleteOnTermination {
		t.Errorf("the third interface is %+v", n)
	}
	if a := w.address(*eip.AllocationId); *a.InstanceId != id || *a.NetworkInterfaceId != given {
		t.Errorf("the address is at %+v", a)
	}
	if got := refused(w, "ModifyInstanceAttribute", &api.ModifyInstanceAttributeInput{InstanceId: &id, SourceDestCheck: &api.AttributeBooleanValue{Value: aws.Ptr(false)}}); got != "InvalidInstanceID: There are multiple interfaces attached to instance '"+id+"'. Please specify an interface ID for the operation instead." {
		t.Error(got)
	}
	w.terminate(id)
	w.await(id, stateTerminated)
	if got := w.interfaces(); !slices.Equal(got, []string{given}) {
		t.Errorf("left are %v, want %s", got, given)
	}
	if n := w.networkInterface(given); n.Status != "available" || n.Attachment != nil || *n.Association.PublicIp != *eip.PublicIp {
		t.Errorf("the interface that stays is %+v", n)
	}
	if a := w.address(*eip.AllocationId); a.InstanceId != nil || *a.NetworkInterfaceId != given {
		t.Errorf("the address is at %+v", a)
	}
	again := w.running(func(in *api.RunInstancesInput) {
		in.NetworkInterfaces = []api.InstanceNetworkInterfaceSpecification{{NetworkInterfaceId: &given}}
	})
	if got := *w.instance(again).PrivateIpAddress; got != "10.0.1.50" {
		t.Errorf("the next instance has %s", got)
	}
}

// TestSourceDestCheckOfInstance: the attribute of an instance is its interface's.
func TestSourceDestCheckOfInstance(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	nic := w.row(id).NIC.ID
	do[api.ModifyInstanceAttributeOutput](w, "ModifyInstanceAttribute", &api.ModifyInstanceAttributeInput{InstanceId: &id, SourceDestCheck: &api.AttributeBooleanValue{Value: aws.Ptr(false)}})
	if *w.instance(id).SourceDestCheck || *w.networkInterface(nic).SourceDestCheck || !w.net.forwards(nic) {
		t.Error("source and destination are checked")
	}
	if got := w.find(filter("source-dest-check", "false")); !slices.Equal(got, []string{id}) {
		t.Errorf("the filter finds %v", got)
	}
}

// TestAttachRefusals holds EC2's own words.
func TestAttachRefusals(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	id := w.running(inSubnet(l.public))
	primary := w.row(id).NIC
	far := w.newInterface(*do[api.CreateSubnetOutput](w, "CreateSubnet", &api.CreateSubnetInput{VpcId: &l.vpc, CidrBlock: aws.Ptr("10.0.9.0/24"), AvailabilityZone: aws.Ptr("us-east-1b")}).Subnet.SubnetId, nil)
	used, spare, overlapping := w.newInterface(l.public, nil), w.newInterface(l.public, nil), w.newInterface(w.lan().public, nil)
	w.attachInterface(id, *used.NetworkInterfaceId, 1)
	big := w.running(func(in *api.RunInstancesInput) { in.SubnetId, in.InstanceType = &l.public, "m5.xlarge" })
	w.attachInterface(big, *spare.NetworkInterfaceId, 5)
	free := *w.newInterface(l.public, nil).NetworkInterfaceId
	balancer := w.asBalancer().newInterface(l.public, nil)
	attach := func(instance, nic string, device int32) *api.AttachNetworkInterfaceInput {
		return &api.AttachNetworkInterfaceInput{InstanceId: &instance, NetworkInterfaceId: &nic, DeviceIndex: &device}
	}
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"AttachNetworkInterface", attach(big, *spare.NetworkInterfaceId, 2), "InvalidNetworkInterface.InUse: Interface: [" + *spare.NetworkInterfaceId + "] in use."},
		{"AttachNetworkInterface", attach(big, primary.ID, 2), "InvalidNetworkInterface.InUse: Interface: [" + primary.ID + "] in use."},
		{"AttachNetworkInterface", attach(big, free, 5), "InvalidParameterValue: Instance '" + big + "' already has an interface attached at device index '5'."},
		{"AttachNetworkInterface", attach(big, free, 0), "InvalidParameterValue: Instance '" + big + "' already has an interface attached at device index '0'."},
		{"AttachNetworkInterface", attach(big, free, 99), "InvalidParameterValue: Invalid value '99' for deviceIndex."},
		{"AttachNetworkInterface", attach(id, free, 2), "AttachmentLimitExceeded: Interface count 3 exceeds the limit for t3.micro"},
		{"AttachNetworkInterface", attach(big, *far.NetworkInterfaceId, 2), "InvalidParameterCombination: You may not attach a network interface to an instance if they are not in the same availability zone"},
		{"AttachNetworkInterface", attach(big, *overlapping.NetworkInterfaceId, 2), "InvalidParameterCombination: The networks " + *overlapping.VpcId + " and " + l.vpc + " of the interfaces of instance '" + big + "' overlap."},
		{"AttachNetworkInterface", attach("i-00000000000000000", free, 2), "InvalidInstanceID.NotFound: The instance ID 'i-00000000000000000' does not exist"},
		{"AttachNetworkInterface", attach(big, "eni-0", 2), "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0' does not exist"},
		{"AttachNetworkInterface", &api.AttachNetworkInterfaceInput{InstanceId: &big, NetworkInterfaceId: &free, DeviceIndex: aws.Ptr[int32](2), NetworkCardIndex: aws.Ptr[int32](1)}, "UnsupportedOperation: The parameter NetworkCardIndex beyond 0 is not supported by hardstand."},
		{"DetachNetworkInterface", &api.DetachNetworkInterfaceInput{AttachmentId: &primary.AttachmentID}, "OperationNotPermitted: The network interface at device index 0 and networkCard index 0 cannot be detached."},
		{"DetachNetworkInterface", &api.DetachNetworkInterfaceInput{AttachmentId: aws.Ptr("eni-attach-0")}, "InvalidAttachmentID.NotFound: The attachment ID 'eni-attach-0' does not exist"},
		{"DetachNetworkInterface", &api.DetachNetworkInterfaceInput{AttachmentId: w.networkInterface(*balancer.NetworkInterfaceId).Attachment.AttachmentId}, "OperationNotPermitted: You are not allowed to manage 'ela-attach' attachments."},
		{"CreateRoute", &api.CreateRouteInput{RouteTableId: &l.main, DestinationCidrBlock: aws.Ptr("9.0.0.0/8"), InstanceId: &big}, "InvalidInstanceID: There are multiple interfaces attached to instance '" + big + "'. Please specify an interface ID for the operation instead."},
	} {
		if got := refused(w, c.operation, c.in); got != c.want {
			t.Errorf("%s: %s\nwant\n%s", c.operation, got, c.want)
		}
	}
}
