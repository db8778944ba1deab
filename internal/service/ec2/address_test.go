package ec2

import (
	"net/netip"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

func (w *world) allocate() *api.AllocateAddressOutput {
	w.t.Helper()
	return do[api.AllocateAddressOutput](w, "AllocateAddress", &api.AllocateAddressInput{Domain: "vpc"})
}

func (w *world) associate(allocation, instance string) string {
	w.t.Helper()
	return *do[api.AssociateAddressOutput](w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: &allocation, InstanceId: &instance}).AssociationId
}

func (w *world) address(allocation string) api.Address {
	w.t.Helper()
	return do[api.DescribeAddressesOutput](w, "DescribeAddresses", &api.DescribeAddressesInput{AllocationIds: []string{allocation}}).Addresses[0]
}

// TestElasticAddress follows one address from instance to instance.
func TestElasticAddress(t *testing.T) {
	w := newWorld(t)
	w.run()
	a, b := w.running(nil), w.running(nil)
	eip := w.allocate()
	association := w.associate(*eip.AllocationId, a)
	if got := w.associate(*eip.AllocationId, a); got != association {
		t.Errorf("the same association again is %s", got)
	}
	i := w.instance(a)
	if *i.PublicIpAddress != *eip.PublicIp || *i.NetworkInterfaces[0].Association.IpOwnerId != testAccount || w.net.publicOf(w.row(a).NIC.ID).String() != *eip.PublicIp {
		t.Errorf("the instance has %+v", i.NetworkInterfaces[0].Association)
	}
	if d := w.address(*eip.AllocationId); *d.InstanceId != a || *d.AssociationId != association || *d.PrivateIpAddress != *i.PrivateIpAddress {
		t.Errorf("the address is at %+v", d)
	}
	if got := refused(w, "ReleaseAddress", &api.ReleaseAddressInput{AllocationId: eip.AllocationId}); got != "InvalidIPAddress.InUse: Address "+*eip.PublicIp+" is in use." {
		t.Error(got)
	}
	if got := refused(w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: eip.AllocationId, InstanceId: &b, AllowReassociation: aws.Ptr(false)}); got != "Resource.AlreadyAssociated: resource "+*eip.AllocationId+" is already associated with associate-id "+association {
		t.Error(got)
	}

	moved := w.associate(*eip.AllocationId, b)
	if ip := w.instance(a).PublicIpAddress; ip == nil || *ip == *eip.PublicIp || w.net.publicOf(w.row(a).NIC.ID).String() != *ip {
		t.Errorf("the first instance is left with %v", ip)
	}
	w.stop(b)
	w.await(b, stateStopped)
	if ip := w.instance(b).PublicIpAddress; ip == nil || *ip != *eip.PublicIp {
		t.Errorf("a stopped instance keeps %v", ip)
	}
	do[api.DisassociateAddressOutput](w, "DisassociateAddress", &api.DisassociateAddressInput{AssociationId: &moved})
	if d := w.address(*eip.AllocationId); d.InstanceId != nil || d.AssociationId != nil {
		t.Errorf("still at %+v", d)
	}
	do[api.ReleaseAddressOutput](w, "ReleaseAddress", &api.ReleaseAddressInput{PublicIp: eip.PublicIp})
	if got := refused(w, "DescribeAddresses", &api.DescribeAddressesInput{PublicIps: []string{*eip.PublicIp}}); got != "InvalidAddress.NotFound: Address '"+*eip.PublicIp+"' not found." {
		t.Error(got)
	}
}

// TestTerminationFreesAddress: an elastic address outlives its instance.
func TestTerminationFreesAddress(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	eip := w.allocate()
	w.associate(*eip.AllocationId, id)
	w.terminate(id)
	w.await(id, stateTerminated)
	if d := w.address(*eip.AllocationId); d.AssociationId != nil || d.InstanceId != nil {
		t.Errorf("still at %+v", d)
	}
	do[api.ReleaseAddressOutput](w, "ReleaseAddress", &api.ReleaseAddressInput{AllocationId: eip.AllocationId})
}

// TestSecondAddressReplacesFirst: an instance has one public address.
func TestSecondAddressReplacesFirst(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	first, second := w.allocate(), w.allocate()
	w.associate(*first.AllocationId, id)
	w.associate(*second.AllocationId, id)
	if d := w.address(*first.AllocationId); d.AssociationId != nil {
		t.Errorf("the first address is still at %+v", d)
	}
	if ip := *w.instance(id).PublicIpAddress; ip != *second.PublicIp {
		t.Errorf("the instance has %s", ip)
	}
}

// TestAddressDuringLaunch: EC2 refuses a pending instance, but takes the address
// from one; the machine that comes up with it has to lose it.
func TestAddressDuringLaunch(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	eip := w.allocate()
	w.associate(*eip.AllocationId, id)
	w.stop(id)
	w.await(id, stateStopped)
	inside, goOn := make(chan struct{}), make(chan struct{})
	w.machines.set(func(what, _ string) error {
		if what == "start" {
			close(inside)
			<-goOn
		}
		return nil
	})
	w.start(id)
	<-inside
	if got := refused(w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: w.allocate().AllocationId, InstanceId: &id}); got != "InvalidInstanceID: The pending instance '"+id+"' is not in a valid state for this operation." {
		t.Error(got)
	}
	do[api.DisassociateAddressOutput](w, "DisassociateAddress", &api.DisassociateAddressInput{PublicIp: eip.PublicIp})
	close(goOn)
	nic := w.row(id).NIC
	if !nic.Public.IsValid() || nic.Public.String() == *eip.PublicIp {
		t.Errorf("the row has %v", nic.Public)
	}
	w.eventually("the new address", w.net.change, func() bool { return w.net.publicOf(nic.ID) == nic.Public })
}

func TestCursors(t *testing.T) {
	c := cursors{}
	first, last := usable(netip.MustParsePrefix("10.0.0.7/29"), 2)
	held := map[netip.Addr]bool{}
	taken := func(a netip.Addr) (bool, error) { return held[a], nil }
	var got []string
	for range 3 {
		a, _ := c.next("p", first, last, taken)
		got = append(got, a.String())
		held[a] = true
	}
	delete(held, netip.MustParseAddr("10.0.0.2"))
	for range 3 {
		a, _ := c.next("p", first, last, taken)
		got = append(got, a.String())
		held[a] = true
	}
	want := []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("handed out %v, want %v", got, want)
		}
	}
	if a, err := c.next("p", first, last, taken); a.IsValid() || err != nil {
		t.Errorf("from a full pool: %v %v", a, err)
	}
}

// TestAddressOfPendingInterface: an instance that is being launched takes no address, its
// interface does, and the machine has it when it runs.
func TestAddressOfPendingInterface(t *testing.T) {
	w := newWorld(t)
	id, a := w.launch(nil), w.allocate()
	want := "InvalidInstanceID: The pending instance '" + id + "' is not in a valid state for this operation."
	if got := refused(w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: a.AllocationId, InstanceId: &id}); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	nic := *w.instance(id).NetworkInterfaces[0].NetworkInterfaceId
	do[api.AssociateAddressOutput](w, "AssociateAddress", &api.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: &nic})
	w.run()
	w.await(id, stateRunning)
	if spec, _ := w.machines.spec(id); spec.NIC.Public.String() != *a.PublicIp || *w.instance(id).PublicIpAddress != *a.PublicIp {
		t.Errorf("booted with %s, described with %s, want %s", spec.NIC.Public, *w.instance(id).PublicIpAddress, *a.PublicIp)
	}
}
