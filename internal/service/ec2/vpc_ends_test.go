package ec2

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// TestDedicatedVPC: instances have the tenancy of the VPC that they are launched into.
func TestDedicatedVPC(t *testing.T) {
	w := newWorld(t)
	w.run()
	v := do[api.CreateVpcOutput](w, "CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.0.0.0/16"), InstanceTenancy: "dedicated"}).Vpc
	if v.InstanceTenancy != "dedicated" {
		t.Errorf("the VPC is %s", v.InstanceTenancy)
	}
	id := w.running(inSubnet(w.subnet(*v.VpcId, "10.0.1.0/24")))
	if got := w.instance(id).Placement.Tenancy; got != "dedicated" {
		t.Errorf("the instance is %s", got)
	}
	if got := w.find(filter("tenancy", "dedicated")); len(got) != 1 || got[0] != id {
		t.Errorf("the filter finds %v", got)
	}
}

// TestVPCStaysWithItsNetwork: a VPC whose network cannot be removed is still there.
func TestVPCStaysWithItsNetwork(t *testing.T) {
	w := newWorld(t)
	id := *do[api.CreateVpcOutput](w, "CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.0.0.0/16")}).Vpc.VpcId
	w.net.cut(errBroken)
	refused(w, "DeleteVpc", &api.DeleteVpcInput{VpcId: &id})
	if n := len(do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{VpcIds: []string{id}}).Vpcs); n != 1 {
		t.Errorf("%d VPCs are left", n)
	}
	w.net.cut(nil)
	do[api.DeleteVpcOutput](w, "DeleteVpc", &api.DeleteVpcInput{VpcId: &id})
}

// TestSkipOsShutdown: an instance that is not to be asked is ended at once.
func TestSkipOsShutdown(t *testing.T) {
	w := newWorld(t)
	w.run()
	asked, unasked := w.running(nil), w.running(nil)
	do[api.TerminateInstancesOutput](w, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{asked}, Force: aws.Ptr(true)})
	do[api.TerminateInstancesOutput](w, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{unasked}, SkipOsShutdown: aws.Ptr(true)})
	w.await(asked, stateTerminated)
	w.await(unasked, stateTerminated)
	if w.machines.count("force "+unasked) != 1 || w.machines.count("force "+asked) != 0 {
		t.Errorf("the machines were told %v", w.machines.log)
	}
}
