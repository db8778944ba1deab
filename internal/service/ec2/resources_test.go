package ec2

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

// TestResources runs the contract of the stack engine against every type.
func TestResources(t *testing.T) {
	type props = map[string]any
	tags := func(v string) []any { return []any{props{"Key": "Name", "Value": v}} }
	for name, c := range map[string]struct {
		kind          string
		make, changed func(w *world) props
	}{
		"instance": {"AWS::EC2::Instance", func(*world) props {
			return props{"ImageId": testImage, "InstanceType": "t3.micro", "UserData": "aGVsbG8=", "Tags": tags("a")}
		}, func(w *world) props {
			return props{"ImageId": testImage, "InstanceType": "t3.small", "UserData": "aGVsbG8=", "Tags": tags("b"), "IamInstanceProfile": "web", "Monitoring": true,
				"SecurityGroupIds": []any{w.group("web")}, "DisableApiTermination": false, "MetadataOptions": props{"HttpTokens": "required"}}
		}},
		"security group": {"AWS::EC2::SecurityGroup", func(*world) props {
			return props{"GroupDescription": "d", "SecurityGroupIngress": []any{props{"IpProtocol": "tcp", "FromPort": json.Number("80"), "ToPort": json.Number("80"), "CidrIp": "0.0.0.0/0"}}}
		}, func(*world) props {
			return props{"GroupDescription": "d", "Tags": tags("b"), "SecurityGroupEgress": []any{props{"IpProtocol": "-1", "CidrIp": "10.0.0.0/8"}}}
		}},
		"ingress": {"AWS::EC2::SecurityGroupIngress", func(w *world) props {
			return props{"GroupId": w.group("web"), "IpProtocol": "tcp", "FromPort": json.Number("22"), "ToPort": json.Number("22"), "CidrIp": "0.0.0.0/0"}
		}, nil},
		"egress": {"AWS::EC2::SecurityGroupEgress", func(w *world) props {
			return props{"GroupId": w.group("web"), "IpProtocol": "udp", "FromPort": json.Number("53"), "ToPort": json.Number("53"), "CidrIp": "10.0.0.0/8"}
		}, nil},
		"key pair":     {"AWS::EC2::KeyPair", func(*world) props { return props{"KeyName": "k", "KeyType": "ed25519"} }, func(*world) props { return props{"KeyName": "k", "KeyType": "ed25519", "Tags": tags("b")} }},
		"imported key": {"AWS::EC2::KeyPair", func(*world) props { return props{"KeyName": "k", "PublicKeyMaterial": testPublicKey} }, nil},
		"address":      {"AWS::EC2::EIP", func(*world) props { return props{"Domain": "vpc"} }, func(w *world) props { return props{"Domain": "vpc", "InstanceId": w.running(nil), "Tags": tags("b")} }},
		"address of instance": {"AWS::EC2::EIPAssociation", func(w *world) props {
			return props{"AllocationId": *w.allocate().AllocationId, "InstanceId": w.running(nil)}
		}, nil},
		"address of interface": {"AWS::EC2::EIPAssociation", func(w *world) props {
			i := w.instance(w.running(nil))
			return props{"EIP": *w.allocate().PublicIp, "NetworkInterfaceId": *i.NetworkInterfaces[0].NetworkInterfaceId, "PrivateIpAddress": *i.PrivateIpAddress}
		}, nil},
		"VPC": {"AWS::EC2::VPC", func(*world) props { return props{"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": "true"} }, func(*world) props {
			return props{"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": false, "InstanceTenancy": "default", "Tags": tags("b")}
		}},
		"subnet": {"AWS::EC2::Subnet", func(w *world) props {
			return props{"VpcId": w.lan().vpc, "CidrBlock": "10.0.9.0/24", "MapPublicIpOnLaunch": true, "Tags": tags("a")}
		}, func(w *world) props {
			return props{"VpcId": "-", "CidrBlock": "10.0.9.0/24", "MapPublicIpOnLaunch": false, "PrivateDnsNameOptionsOnLaunch": props{"HostnameType": "ip-name", "EnableResourceNameDnsARecord": false}}
		}},
		"internet gateway": {"AWS::EC2::InternetGateway", func(*world) props { return props{} }, func(*world) props { return props{"Tags": tags("b")} }},
		"route table":      {"AWS::EC2::RouteTable", func(w *world) props { return props{"VpcId": w.lan().vpc, "Tags": tags("a")} }, nil},
		"route": {"AWS::EC2::Route", func(w *world) props {
			l := w.lan()
			return props{"RouteTableId": l.main, "DestinationCidrBlock": "192.0.2.9/24", "GatewayId": l.gateway}
		}, nil},
		"attachment": {"AWS::EC2::VPCGatewayAttachment", func(w *world) props {
			l := w.lan()
			do[api.DetachInternetGatewayOutput](w, "DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: &l.gateway, VpcId: &l.vpc})
			return props{"InternetGatewayId": l.gateway, "VpcId": l.vpc}
		}, nil},
		"association": {"AWS::EC2::SubnetRouteTableAssociation", func(w *world) props {
			l := w.lan()
			return props{"RouteTableId": l.table, "SubnetId": l.private}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.run()
			kase := stacktest.Case{Resource: w.svc.Resources()[c.kind], Type: c.kind, Context: w.ctx, Properties: c.make(w)}
			kase.Context = aws.WithCall(w.ctx, aws.CallFrom(w.ctx).WithVia("cloudformation.amazonaws.com"))
			if c.changed != nil {
				kase.Changed = c.changed(w)
				if kase.Changed["VpcId"] == "-" { // as it was
					kase.Changed["VpcId"] = kase.Properties["VpcId"]
				}
			}
			w.checkDenied(kase)
			stacktest.Conform(t, kase)
		})
	}
}

// checkDenied: without permission nothing is made, and what is there stays.
func (w *world) checkDenied(c stacktest.Case) {
	w.t.Helper()
	w.auth.setDeny(true)
	defer w.auth.setDeny(false)
	r := stack.Request{StackName: "s", LogicalID: "R", Type: c.Type, Properties: c.Properties, Account: testAccount, Region: testRegion}
	_, err := c.Resource.Create(c.Context, r, func(id string) { w.t.Errorf("made %q without permission", id) })
	if !awserr.Is(err, "UnauthorizedOperation", "AccessDeniedException") {
		w.t.Errorf("Create without permission: %v", err)
	}
}

// TestDeniedHalfway: a resource whose second step is denied is announced, so that
// the engine takes it back.
func TestDeniedHalfway(t *testing.T) {
	w := newWorld(t)
	l := w.lan()
	for _, c := range []struct {
		kind, action string
		props        map[string]any
	}{
		{"AWS::EC2::VPC", "ec2:ModifyVpcAttribute", map[string]any{"CidrBlock": "10.8.0.0/16", "EnableDnsHostnames": true}},
		{"AWS::EC2::VPC", "ec2:DescribeSecurityGroups", map[string]any{"CidrBlock": "10.8.0.0/16"}},
		{"AWS::EC2::Subnet", "ec2:ModifySubnetAttribute", map[string]any{"VpcId": l.vpc, "CidrBlock": "10.0.7.0/24", "MapPublicIpOnLaunch": true}},
		{"AWS::EC2::SecurityGroup", "ec2:AuthorizeSecurityGroupIngress", map[string]any{"VpcId": l.vpc, "GroupDescription": "d", "SecurityGroupIngress": []any{map[string]any{"IpProtocol": "-1", "CidrIp": "10.0.0.0/8"}}}},
	} {
		before := w.everything()
		kind, r := w.resource(c.kind, c.action, c.props)
		w.auth.setDenyAction(c.action)
		_, err := kind.Create(w.ctx, r, func(id string) { r.PhysicalID = id })
		w.auth.setDenyAction("")
		if !awserr.Is(err, "UnauthorizedOperation") || r.PhysicalID == "" {
			t.Errorf("%s: announced %q: %v", c.action, r.PhysicalID, err)
		}
		if err := kind.Delete(w.ctx, r); err != nil {
			t.Errorf("%s: %v", c.action, err)
		}
		if after := w.everything(); after != before {
			t.Errorf("%s leaves something: %s, was %s", c.action, after, before)
		}
	}
}

// everything counts what an account has in its networks.
func (w *world) everything() string {
	w.t.Helper()
	return fmt.Sprint(len(do[api.DescribeVpcsOutput](w, "DescribeVpcs", &api.DescribeVpcsInput{}).Vpcs), len(w.subnets()), len(w.tables()),
		len(do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{}).SecurityGroups))
}

const testPublicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINHMr1EVh8HMzuIdgvh7mVJUqZnF8D6eLm7oM/fbGRvD me@home"

// TestInstanceThatCannotLaunch: the stack learns why.
func TestInstanceThatCannotLaunch(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.machines.set(func(what, _ string) error {
		if what == "start" {
			return errBroken
		}
		return nil
	})
	var id string
	_, err := w.svc.Resources()["AWS::EC2::Instance"].Create(w.ctx, stack.Request{Properties: map[string]any{"ImageId": testImage}, LogicalID: "Web", Account: testAccount, Region: testRegion}, func(p string) { id = p })
	if err == nil || id == "" {
		t.Fatalf("created %q: %v", id, err)
	}
	w.await(id, stateTerminated)
	got := err.Error()
	if !strings.HasPrefix(got, "InstanceFailed: Instance "+id+" did not stabilize: it is ") || !strings.Contains(got, errBroken.Error()) {
		t.Errorf("error %q", got)
	}
}

// TestInstanceUpdate: what an update changes in place, seen on the instance.
func TestInstanceUpdate(t *testing.T) {
	w := newWorld(t)
	w.run()
	type props = map[string]any
	r := stack.Request{LogicalID: "Web", Account: testAccount, Region: testRegion, Properties: props{"ImageId": testImage, "InstanceType": "t3.micro", "PropagateTagsToVolumeOnCreation": true, "Tags": []any{props{"Key": "a", "Value": "b"}}}}
	kind := w.svc.Resources()["AWS::EC2::Instance"]
	made, err := kind.Create(w.ctx, r, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	id := made.PhysicalID
	if tags := w.row(id).Root.Tags; tags["a"] != "b" {
		t.Errorf("the volume has the tags %v", tags)
	}
	r.PhysicalID, r.OldProperties = id, r.Properties
	r.Properties = props{"ImageId": testImage, "InstanceType": "t3.micro", "UserData": "bmV3", "EbsOptimized": true, "InstanceInitiatedShutdownBehavior": "terminate", "Tags": []any{props{"Key": "c", "Value": "d"}}}
	if _, err := kind.Update(w.ctx, r); err != nil {
		t.Fatal(err)
	}
	row := w.row(id)
	if w.userData(id) != "new" || !row.EBSOptimized || !row.ShutdownTerminates || len(row.Tags) != 1 || row.Tags["c"] != "d" {
		t.Errorf("updated to %+v", row)
	}
	r.OldProperties, r.Properties = r.Properties, props{"ImageId": testImage, "CreditSpecification": props{"CPUCredits": "standard"}}
	if _, err := kind.Update(w.ctx, r); err == nil {
		t.Error("a change that is not made was accepted")
	}
	if n := len(do[api.DescribeInstancesOutput](w, "DescribeInstances", &api.DescribeInstancesInput{}).Reservations); n != 1 {
		t.Errorf("%d reservations", n)
	}
}
