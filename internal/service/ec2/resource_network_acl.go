package ec2

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

type (
	// resourceNetworkACL is AWS::EC2::NetworkAcl.
	resourceNetworkACL struct{ s *Service }
	// resourceACLEntry is AWS::EC2::NetworkAclEntry. Entries have no ids: properties say
	// which one it is.
	resourceACLEntry struct{ s *Service }
	// resourceACLAssociation is AWS::EC2::SubnetNetworkAclAssociation.
	resourceACLAssociation struct{ s *Service }
)

type networkACLProperties struct {
	VpcId string `cfn:",required"`
	Tags  []stack.Tag
}

type aclEntryProperties struct {
	NetworkAclId  string `cfn:",required"`
	RuleNumber    int32  `cfn:",required"`
	Protocol      string `cfn:",required"`
	RuleAction    string `cfn:",required"`
	Egress        *bool
	CidrBlock     *string
	Ipv6CidrBlock *string
	PortRange     *struct{ From, To *int32 }
	Icmp          *struct{ Type, Code *int32 }
}

type aclAssociationProperties struct {
	NetworkAclId string `cfn:",required"`
	SubnetId     string `cfn:",required"`
}

func (resourceNetworkACL) Schema() stack.Schema {
	sc := stack.SchemaOf(networkACLProperties{})
	sc.Attributes, sc.Taggable = []string{"Id"}, true
	return sc
}

func (t resourceNetworkACL) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p networkACLProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateNetworkAclOutput](ctx, t.s, "CreateNetworkAcl", &api.CreateNetworkAclInput{VpcId: &p.VpcId, TagSpecifications: newResourceTags("network-acl", r, p.Tags)})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.NetworkAcl.NetworkAclId)
	started(id)
	return idResult(id, "Id", id), nil
}

// idResult has one attribute, which is an id.
func idResult(physical, name, id string) stack.Result {
	return stack.Result{PhysicalID: physical, Attributes: map[string]any{name: id}}
}

func (s *Service) findACL(ctx context.Context, id string) (*api.NetworkAcl, error) {
	out, err := call[api.DescribeNetworkAclsOutput](ctx, s, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{NetworkAclIds: []string{id}})
	if err != nil {
		return nil, absent(err)
	}
	return &out.NetworkAcls[0], nil
}

func (t resourceNetworkACL) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.s.findACL(ctx, r.PhysicalID)
	return idResult(r.PhysicalID, "Id", r.PhysicalID), err
}

func (t resourceNetworkACL) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old networkACLProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	return idResult(r.PhysicalID, "Id", r.PhysicalID), t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags))
}

func (t resourceNetworkACL) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DeleteNetworkAclOutput](ctx, t.s, "DeleteNetworkAcl", &api.DeleteNetworkAclInput{NetworkAclId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceNetworkACL) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	a, err := t.s.findACL(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"VpcId": aws.Val(a.VpcId), "Tags": liveTags(a.Tags)}, nil
}

func (resourceACLEntry) Schema() stack.Schema {
	sc := stack.SchemaOf(aclEntryProperties{})
	sc.Attributes = []string{"Id"}
	return sc
}

func (p *aclEntryProperties) input() *api.CreateNetworkAclEntryInput {
	in := &api.CreateNetworkAclEntryInput{
		NetworkAclId: &p.NetworkAclId, RuleNumber: &p.RuleNumber, Protocol: &p.Protocol, RuleAction: api.RuleAction(p.RuleAction), Egress: aws.Ptr(aws.Val(p.Egress)),
		CidrBlock: p.CidrBlock, Ipv6CidrBlock: p.Ipv6CidrBlock,
	}
	if p.PortRange != nil {
		in.PortRange = &api.PortRange{From: p.PortRange.From, To: p.PortRange.To}
	}
	if p.Icmp != nil {
		in.IcmpTypeCode = &api.IcmpTypeCode{Type: p.Icmp.Type, Code: p.Icmp.Code}
	}
	return in
}

func (t resourceACLEntry) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p aclEntryProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if _, err := call[api.CreateNetworkAclEntryOutput](ctx, t.s, "CreateNetworkAclEntry", p.input()); err != nil {
		return stack.Result{}, err
	}
	id := r.Name(128)
	started(id)
	return idResult(id, "Id", id), nil
}

func (t resourceACLEntry) find(ctx context.Context, r stack.Request) (*api.NetworkAclEntry, error) {
	var p aclEntryProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return nil, err
	}
	a, err := t.s.findACL(ctx, p.NetworkAclId)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(a.Entries, func(e api.NetworkAclEntry) bool {
		return *e.RuleNumber == p.RuleNumber && *e.Egress == aws.Val(p.Egress)
	})
	if i < 0 {
		return nil, stack.ErrNotFound
	}
	return &a.Entries[i], nil
}

func (t resourceACLEntry) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r)
	return idResult(r.PhysicalID, "Id", r.PhysicalID), err
}

func (t resourceACLEntry) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p aclEntryProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	_, err := call[api.ReplaceNetworkAclEntryOutput](ctx, t.s, "ReplaceNetworkAclEntry", (*api.ReplaceNetworkAclEntryInput)(p.input()))
	return idResult(r.PhysicalID, "Id", r.PhysicalID), err
}

func (t resourceACLEntry) Delete(ctx context.Context, r stack.Request) error {
	var p aclEntryProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	_, err := call[api.DeleteNetworkAclEntryOutput](ctx, t.s, "DeleteNetworkAclEntry", &api.DeleteNetworkAclEntryInput{NetworkAclId: &p.NetworkAclId, RuleNumber: &p.RuleNumber, Egress: aws.Ptr(aws.Val(p.Egress))})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceACLEntry) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	e, err := t.find(ctx, r)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"RuleAction": string(e.RuleAction), "CidrBlock": liveText(e.CidrBlock), "Ipv6CidrBlock": liveText(e.Ipv6CidrBlock), "Protocol": aws.Val(e.Protocol), "PortRange": nil, "Icmp": nil}
	if p := e.PortRange; p != nil {
		live["PortRange"] = map[string]any{"From": int64(*p.From), "To": int64(*p.To)}
	}
	if i := e.IcmpTypeCode; i != nil {
		live["Icmp"] = map[string]any{"Type": int64(*i.Type), "Code": int64(*i.Code)}
	}
	if *e.Protocol == "-1" { // which has all ports, whatever a template says
		delete(live, "PortRange")
		delete(live, "Icmp")
	}
	return live, nil
}

func (resourceACLAssociation) Schema() stack.Schema {
	sc := stack.SchemaOf(aclAssociationProperties{})
	sc.Attributes = []string{"AssociationId"}
	return sc
}

// associated returns the association that a subnet has, and the ACL.
func (t resourceACLAssociation) associated(ctx context.Context, name, value string) (*api.NetworkAclAssociation, error) {
	out, err := call[api.DescribeNetworkAclsOutput](ctx, t.s, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{Filters: []api.Filter{{Name: &name, Values: []string{value}}}})
	if err != nil {
		return nil, err
	}
	for _, a := range out.NetworkAcls {
		for _, as := range a.Associations {
			if *as.SubnetId == value || *as.NetworkAclAssociationId == value {
				return &as, nil
			}
		}
	}
	return nil, stack.ErrNotFound
}

func (t resourceACLAssociation) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p aclAssociationProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if r.PhysicalID != "" { // made before a crash
		if _, err := t.associated(ctx, "association.association-id", r.PhysicalID); err != stack.ErrNotFound {
			return idResult(r.PhysicalID, "AssociationId", r.PhysicalID), err
		}
	}
	have, err := t.associated(ctx, "association.subnet-id", p.SubnetId)
	if err == stack.ErrNotFound {
		err = notFound("InvalidSubnetID", "subnet ID", p.SubnetId)
	}
	if err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.ReplaceNetworkAclAssociationOutput](ctx, t.s, "ReplaceNetworkAclAssociation", &api.ReplaceNetworkAclAssociationInput{AssociationId: have.NetworkAclAssociationId, NetworkAclId: &p.NetworkAclId})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.NewAssociationId)
	started(id)
	return idResult(id, "AssociationId", id), nil
}

func (t resourceACLAssociation) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.associated(ctx, "association.association-id", r.PhysicalID)
	return idResult(r.PhysicalID, "AssociationId", r.PhysicalID), err
}

// Update has nothing to do: what an association joins does not change.
func (t resourceACLAssociation) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	return t.Read(ctx, r)
}

// Delete gives the subnet the default ACL of its VPC, or the one back that the
// association has replaced in the same update.
func (t resourceACLAssociation) Delete(ctx context.Context, r stack.Request) error {
	var p aclAssociationProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	subs, err := call[api.DescribeSubnetsOutput](ctx, t.s, "DescribeSubnets", &api.DescribeSubnetsInput{SubnetIds: []string{p.SubnetId}})
	if err != nil {
		return gone(err)
	}
	acls, err := call[api.DescribeNetworkAclsOutput](ctx, t.s, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{
		Filters: []api.Filter{{Name: aws.Ptr("vpc-id"), Values: []string{*subs.Subnets[0].VpcId}}, {Name: aws.Ptr("default"), Values: []string{"true"}}},
	})
	if err != nil {
		return err
	}
	_, err = call[api.ReplaceNetworkAclAssociationOutput](ctx, t.s, "ReplaceNetworkAclAssociation", &api.ReplaceNetworkAclAssociationInput{AssociationId: &r.PhysicalID, NetworkAclId: acls.NetworkAcls[0].NetworkAclId})
	if awserr.Is(err, "InvalidAssociationID.NotFound") {
		return nil
	}
	return err
}

// Live implements stack.Live.
func (t resourceACLAssociation) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	a, err := t.associated(ctx, "association.association-id", r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"NetworkAclId": aws.Val(a.NetworkAclId), "SubnetId": aws.Val(a.SubnetId)}, nil
}
