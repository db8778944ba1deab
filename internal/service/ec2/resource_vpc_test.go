package ec2

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resource performs work on one resource as the engine does, with its token.
func (w *world) resource(kind, token string, props map[string]any) (stack.Resource, stack.Request) {
	call := aws.CallFrom(w.ctx)
	call.Token = token
	w.ctx = aws.WithCall(w.ctx, call)
	return w.svc.Resources()[kind], stack.Request{StackName: "s", LogicalID: "R", Type: kind, Token: token, Properties: props, Account: testAccount, Region: testRegion}
}

// create makes a resource in the background and returns what becomes of it.
func (w *world) create(kind, token string, props map[string]any) <-chan error {
	done := make(chan error, 1)
	home := w.ctx
	t, r := w.resource(kind, token, props)
	ctx := w.ctx
	w.ctx = home
	go func() { _, err := t.Create(ctx, r, func(string) {}); done <- err }()
	return done
}

// TestRouteBeforeAttachment: a route, and an address, may come before the gateway
// that they need and do not name.
func TestRouteBeforeAttachment(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	id := w.running(inSubnet(l.private))
	do[api.DetachInternetGatewayOutput](w, "DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc})
	eip := w.allocate()
	route := w.create("AWS::EC2::Route", "t1", map[string]any{"RouteTableId": l.main, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": l.gateway})
	address := w.create("AWS::EC2::EIPAssociation", "t2", map[string]any{"AllocationId": *eip.AllocationId, "InstanceId": id})
	if err := w.clock.BlockUntil(w.ctx, 3); err != nil { // these two, and the worker's sweep
		t.Fatal(err)
	}
	do[api.AttachInternetGatewayOutput](w, "AttachInternetGateway", &api.AttachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc})
	if err := errors.Join(<-route, <-address); err != nil {
		t.Fatal(err)
	}
	// The attachment goes when nobody has a public address any more.
	attachment := attachmentResult(l.vpc).PhysicalID
	gone := make(chan error, 1)
	go func() {
		gone <- (resourceGatewayAttachment{w.svc}).Delete(w.ctx, stack.Request{PhysicalID: attachment})
	}()
	w.terminate(id)
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
}

// TestReplacedAssociation: the engine makes the new association first; it then
// removes the old one or, to roll back, the new one. What is kept stays what it was.
func TestReplacedAssociation(t *testing.T) {
	for name, kind := range map[string]func(w *world) (string, map[string]any, map[string]any, func(id string) string){
		"route table": func(w *world) (string, map[string]any, map[string]any, func(string) string) {
			l := w.lan()
			return "AWS::EC2::SubnetRouteTableAssociation", map[string]any{"RouteTableId": l.table, "SubnetId": l.private}, map[string]any{"RouteTableId": l.main, "SubnetId": l.private}, func(id string) string {
				found := w.tables(filter("association.route-table-association-id", id), filter("association.subnet-id", l.private))
				if len(found) == 0 {
					return ""
				}
				return *found[0].RouteTableId
			}
		},
		"address": func(w *world) (string, map[string]any, map[string]any, func(string) string) {
			a, b, eip := w.running(nil), w.running(nil), w.allocate()
			return "AWS::EC2::EIPAssociation", map[string]any{"AllocationId": *eip.AllocationId, "InstanceId": a}, map[string]any{"AllocationId": *eip.AllocationId, "InstanceId": b}, func(id string) string {
				found := do[api.DescribeAddressesOutput](w, "DescribeAddresses", &api.DescribeAddressesInput{Filters: []api.Filter{filter("association-id", id)}}).Addresses
				if len(found) == 0 {
					return ""
				}
				if nic := w.row(*found[0].InstanceId).NIC; nic.Association != id || nic.Public != w.net.publicOf(nic.ID) {
					t.Errorf("the interface has %+v", nic)
				}
				return *found[0].InstanceId
			}
		},
	} {
		for _, rollBack := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " rolled back: ", rollBack), func(t *testing.T) {
				w := newWorld(t)
				w.run()
				typ, first, second, holder := kind(w)
				replaceAssociation(t, w, typ, []map[string]any{first, second}, holder, rollBack)
			})
		}
	}
}

func replaceAssociation(t *testing.T, w *world, typ string, props []map[string]any, holder func(id string) string, rollBack bool) {
	var made, holders [2]string
	for i, p := range props {
		kind, r := w.resource(typ, fmt.Sprint("stack/R/", i+1), p)
		for range 2 {
			res, err := kind.Create(w.ctx, r, func(string) {})
			if err != nil || made[i] != "" && res.PhysicalID != made[i] {
				t.Fatalf("made %q, then %q: %v", made[i], res.PhysicalID, err)
			}
			made[i] = res.PhysicalID
		}
		if holders[i] = holder(made[i]); holders[i] == "" {
			t.Fatalf("%s holds nothing", made[i])
		}
	}
	keep := 1
	if rollBack {
		keep = 0
	}
	kind, r := w.resource(typ, "", nil)
	for _, i := range []int{1 - keep, 1 - keep} {
		r.PhysicalID = made[i]
		if err := kind.Delete(w.ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if got := holder(made[keep]); got != holders[keep] {
		t.Errorf("%s holds %q, held %q", made[keep], got, holders[keep])
	}
	r.PhysicalID = made[keep]
	if err := kind.Delete(w.ctx, r); err != nil {
		t.Fatal(err)
	}
	if got := holder(made[keep]) + holder(made[1-keep]); got != "" {
		t.Errorf("%q is still held", got)
	}
}

// TestDeleteWhileInstancesLeave: a subnet and a group wait for an instance that
// somebody has told to go.
func TestDeleteWhileInstancesLeave(t *testing.T) {
	w := newWorld(t)
	w.run()
	l := w.lan()
	group := *do[api.CreateSecurityGroupOutput](w, "CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("x"), Description: aws.Ptr("d"), VpcId: &l.vpc}).GroupId
	id := w.running(func(in *api.RunInstancesInput) { in.SubnetId, in.SecurityGroupIds = &l.private, []string{group} })
	if err := (resourceSubnet{w.svc}).Delete(w.ctx, stack.Request{PhysicalID: l.private}); !awserr.Is(err, "DependencyViolation") {
		t.Errorf("with an instance that stays: %v", err)
	}
	held := make(chan struct{})
	w.machines.set(func(what, _ string) error {
		if what == "terminate" {
			<-held
		}
		return nil
	})
	w.terminate(id)
	done := make(chan error, 2)
	go func() { done <- (resourceSubnet{w.svc}).Delete(w.ctx, stack.Request{PhysicalID: l.private}) }()
	go func() { done <- (resourceSecurityGroup{w.svc}).Delete(w.ctx, stack.Request{PhysicalID: group}) }()
	if err := w.clock.BlockUntil(w.ctx, 3); err != nil { // these two, and the worker's sweep
		t.Fatal(err)
	}
	close(held)
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
}

// TestVPCAttributes: what Fn::GetAtt gives.
func TestVPCAttributes(t *testing.T) {
	w := newWorld(t)
	kind, r := w.resource("AWS::EC2::VPC", "t", map[string]any{"CidrBlock": "10.1.0.0/16"})
	made, err := kind.Create(w.ctx, r, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	a := made.Attributes
	if a["CidrBlock"] != "10.1.0.0/16" || a["VpcId"] != made.PhysicalID || !strings.HasPrefix(a["DefaultSecurityGroup"].(string), "sg-") ||
		!strings.HasPrefix(a["DefaultNetworkAcl"].(string), "acl-") || len(a["CidrBlockAssociations"].([]any)) != 1 {
		t.Errorf("attributes %+v", a)
	}
	sub, r := w.resource("AWS::EC2::Subnet", "t2", map[string]any{"VpcId": made.PhysicalID, "CidrBlock": "10.1.0.0/24", "AvailabilityZone": "us-east-1b"})
	if made, err = sub.Create(w.ctx, r, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if a := made.Attributes; a["AvailabilityZone"] != "us-east-1b" || a["AvailabilityZoneId"] != "use1-az2" || !strings.HasPrefix(a["NetworkAclAssociationId"].(string), "aclassoc-") {
		t.Errorf("attributes %+v", a)
	}
}
