package ec2

import (
	"errors"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
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
// removes the old one or, to roll back, the new one.
func TestReplacedAssociation(t *testing.T) {
	for name, rollBack := range map[string]bool{"clean-up": false, "rollback": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			l := w.lan()
			kind, r := w.resource("AWS::EC2::SubnetRouteTableAssociation", "t", map[string]any{"RouteTableId": l.main, "SubnetId": l.public})
			made, err := kind.Create(w.ctx, r, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			again, err := kind.Create(w.ctx, r, func(string) {})
			if err != nil || again.PhysicalID != made.PhysicalID {
				t.Errorf("made again: %q, %v", again.PhysicalID, err)
			}
			remove, keep, table := l.association, made.PhysicalID, l.main
			if rollBack {
				remove, keep, table = made.PhysicalID, l.association, l.table
			}
			for range 2 {
				if err := kind.Delete(w.ctx, stack.Request{PhysicalID: remove}); err != nil {
					t.Fatal(err)
				}
			}
			found := w.tables(filter("association.route-table-association-id", keep))
			if len(found) != 1 || *found[0].RouteTableId != table {
				t.Errorf("%s is in %+v, want %s", keep, found, table)
			}
			if err := kind.Delete(w.ctx, stack.Request{PhysicalID: keep}); err != nil {
				t.Fatal(err)
			}
			if left := w.tables(filter("association.subnet-id", l.public)); len(left) != 0 {
				t.Errorf("still associated: %+v", left)
			}
		})
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
