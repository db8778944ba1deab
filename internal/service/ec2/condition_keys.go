package ec2

import (
	"context"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// serviceWork lets services work for the accounts that they serve: load balancers have
// interfaces of their own, CodeDeploy forgets instances that have ended.
const serviceWork = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "elasticloadbalancing.amazonaws.com"},
	"Action": ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:AssociateAddress", "ec2:DisassociateAddress",
		"ec2:CreateTags", "ec2:Describe*"], "Resource": "*"},
	{"Effect": "Allow", "Principal": {"Service": "codedeploy.amazonaws.com"}, "Action": "ec2:DescribeInstances", "Resource": "*"}]}`

// describeCheck adds to a check what EC2 knows of the resource, as condition keys: its
// tags, where it is and what it is like. What is to be made has no id yet ("subnet/*")
// and is described by the request.
func (s *Service) describeCheck(ctx context.Context, in any, check *aws.Check) error {
	if !strings.HasPrefix(check.Action, "ec2:") {
		return nil
	}
	c := aws.CallFrom(ctx)
	check.Offer("ec2:Region", c.Region)
	if c.Principal.Type == aws.PrincipalService {
		check.ResourcePolicy = serviceWork
	}
	_, resource, _ := strings.Cut(check.Resource, ":ec2:")
	kind, id, ok := strings.Cut(resource[strings.LastIndexByte(resource, ':')+1:], "/")
	if !ok {
		return nil
	}
	d := description{c, check}
	if strings.Contains(id, "*") || id == "" {
		d.wanted(kind, in)
		return nil
	}
	d.attributes(kind, in)
	if kind == "image" {
		d.image(id)
		return nil
	}
	err := s.db.View(ctx, func(tx *store.Tx) error { return d.resource(tx, kind, id) })
	if err == nil {
		err = s.describeTags(ctx, d, kind, id)
	}
	if isNotFound(err) || awserr.As(err) != nil {
		return nil // the operation says that it is not there
	}
	if err != nil {
		return fmt.Errorf("describe %s: %w", check.Resource, err)
	}
	return nil
}

func (s *Service) describeTags(ctx context.Context, d description, kind, id string) error {
	t, err := taggableOf(id)
	if err != nil || t.kind != kind {
		return err
	}
	tags, err := s.tagsOf(ctx, d.call, t, id)
	d.tags(tags)
	return err
}

// description writes the condition keys of one check.
type description struct {
	call  aws.Call
	check *aws.Check
}

func (d description) set(key, value string) { d.check.OfferText("ec2:"+key, value) }

func (d description) tags(tags map[string]string) {
	for k, v := range tags {
		d.check.OfferTag(k, v)
		d.check.Offer("ec2:ResourceTag/"+k, v)
	}
}

// belongs says in which VPC and subnet the resource is, by their ARNs.
func (d description) belongs(vpc, subnet string) {
	if vpc != "" {
		d.set("Vpc", ec2ARN(d.call, "vpc/"+vpc))
	}
	if subnet != "" {
		d.set("Subnet", ec2ARN(d.call, "subnet/"+subnet))
	}
}

func (d description) zone(name string) {
	d.set("AvailabilityZone", name)
	for _, z := range zones(d.call.Region) {
		if z.Name == name {
			d.set("AvailabilityZoneId", z.ID)
		}
	}
}

// resource describes what there is.
func (d description) resource(tx *store.Tx, kind, id string) error {
	switch kind {
	case "instance", "volume":
		return d.machine(tx, kind, id)
	case "network-interface":
		return d.networkInterface(tx, id)
	case "subnet", "route-table", "vpc", "network-acl", "dhcp-options":
		return d.network(tx, kind, id)
	case "security-group":
		g, err := securityGroups.Get(tx, key(d.call, id))
		if err != nil {
			return err
		}
		d.set("SecurityGroupID", g.ID)
		d.belongs(g.VPC, "")
	case "key-pair":
		return d.key(tx, id)
	case "elastic-ip":
		a, err := addresses.Get(tx, key(d.call, id))
		if err != nil {
			return err
		}
		d.set("AllocationId", id)
		d.set("Domain", "vpc")
		d.set("PublicIpAddress", a.Public.String())
	case "natgateway":
		g, err := natGateways.Get(tx, key(d.call, id))
		if err != nil {
			return err
		}
		d.belongs(g.VPC, "")
	case "internet-gateway":
		d.set("InternetGatewayID", id)
	case "vpc-endpoint":
		v, err := vpcOfPart(tx, d.call, id)
		if err != nil {
			return err
		}
		if e := v.endpoint(id); e != nil {
			d.endpoint(e.Service)
		}
	}
	return nil
}

// key describes a key pair, which IAM knows by its name and tags are given by its id.
func (d description) key(tx *store.Tx, nameOrID string) error {
	p, err := keyPairs.Get(tx, key(d.call, nameOrID))
	if isNotFound(err) {
		d.set("KeyPairName", nameOrID)
		p, err = keyByName(tx, d.call, nameOrID)
	}
	if err != nil {
		return err
	}
	d.set("KeyPairName", p.Name)
	d.set("KeyPairType", p.Type)
	d.tags(p.Tags)
	return nil
}

func (d description) networkInterface(tx *store.Tx, id string) error {
	h, err := findInterface(tx, d.call, id)
	if err != nil {
		return err
	}
	d.set("NetworkInterfaceID", id)
	d.set("AvailabilityZone", h.zone())
	d.belongs(h.VPC, h.Subnet)
	return nil
}

// machine describes an instance or its volume.
func (d description) machine(tx *store.Tx, kind, id string) error {
	r, err := machineOf(tx, d.call, kind, id)
	if err != nil {
		return err
	}
	switch kind {
	case "volume":
		d.set("VolumeID", id)
		d.zone(r.Zone)
		d.volume(r.Root)
	default:
		d.set("InstanceID", id)
		d.zone(r.Zone)
		d.instance(*r)
	}
	return nil
}

// machineOf finds the instance that a resource is or belongs to.
func machineOf(tx *store.Tx, c aws.Call, kind, id string) (*instance, error) {
	if kind == "instance" {
		return instances.Get(tx, key(c, id))
	}
	rows, err := instances.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if r := row.Value; r.Root.ID == id && r.State != stateTerminated {
			return r, nil
		}
	}
	return nil, store.ErrNotFound
}

// network describes a VPC or what belongs to one.
func (d description) network(tx *store.Tx, kind, id string) error {
	if kind == "vpc" {
		v, err := vpcs.Get(tx, key(d.call, id))
		if err != nil {
			return err
		}
		d.set("VpcID", id)
		d.set("Tenancy", v.tenancy())
		return nil
	}
	name := map[string]string{"subnet": "SubnetID", "route-table": "RouteTableID", "network-acl": "NetworkAclID", "dhcp-options": "DhcpOptionsID"}[kind]
	d.set(name, id)
	if kind == "dhcp-options" { // those of several VPCs
		return nil
	}
	v, err := vpcOfPart(tx, d.call, id)
	if err != nil {
		return err
	}
	d.belongs(v.ID, "")
	if sub := v.subnet(id); sub != nil {
		d.zone(sub.Zone)
	}
	return nil
}

// image describes an image: all are public and say whose they would be on AWS.
func (d description) image(id string) {
	img := imageFor(id)
	d.set("ImageID", id)
	d.set("ImageType", string(img.ImageType))
	d.set("Owner", aws.Val(img.ImageOwnerAlias))
	d.set("Public", "true")
	d.set("RootDeviceType", "ebs")
}
