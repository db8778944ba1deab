package ec2

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

type (
	// resourceInternetGateway is AWS::EC2::InternetGateway.
	resourceInternetGateway struct{ s *Service }
	// resourceGatewayAttachment is AWS::EC2::VPCGatewayAttachment. Its physical id is
	// the kind of the gateway and the VPC: a VPC has one of each.
	resourceGatewayAttachment struct{ s *Service }
)

type internetGatewayProperties struct{ Tags []stack.Tag }

type attachmentProperties struct {
	InternetGatewayId *string
	VpcId             string `cfn:",required"`
}

func (resourceInternetGateway) Schema() stack.Schema {
	sc := stack.SchemaOf(internetGatewayProperties{})
	sc.Attributes, sc.Taggable = []string{"InternetGatewayId"}, true
	return sc
}

func gatewayResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"InternetGatewayId": id}}
}

func (t resourceInternetGateway) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p internetGatewayProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreateInternetGatewayOutput](ctx, t.s, "CreateInternetGateway", &api.CreateInternetGatewayInput{TagSpecifications: newResourceTags("internet-gateway", r, p.Tags)})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.InternetGateway.InternetGatewayId)
	started(id)
	return gatewayResult(id), nil
}

func (t resourceInternetGateway) find(ctx context.Context, id string) (*api.InternetGateway, error) {
	out, err := call[api.DescribeInternetGatewaysOutput](ctx, t.s, "DescribeInternetGateways", &api.DescribeInternetGatewaysInput{InternetGatewayIds: []string{id}})
	if err != nil {
		return nil, absent(err)
	}
	return &out.InternetGateways[0], nil
}

func (t resourceInternetGateway) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r.PhysicalID)
	return gatewayResult(r.PhysicalID), err
}

func (t resourceInternetGateway) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old internetGatewayProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	return gatewayResult(r.PhysicalID), t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, old.Tags), tagMap(r.Tags, p.Tags))
}

func (t resourceInternetGateway) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DeleteInternetGatewayOutput](ctx, t.s, "DeleteInternetGateway", &api.DeleteInternetGatewayInput{InternetGatewayId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceInternetGateway) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	g, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Tags": liveTags(g.Tags)}, nil
}

func (resourceGatewayAttachment) Schema() stack.Schema {
	sc := stack.SchemaOf(attachmentProperties{})
	sc.Attributes = []string{"AttachmentType"}
	return sc
}

// attachmentType begins the physical id of an attachment.
const attachmentType = "IGW"

func attachmentResult(vpcID string) stack.Result {
	return stack.Result{PhysicalID: attachmentType + "|" + vpcID, Attributes: map[string]any{"AttachmentType": attachmentType}}
}

func attachedVPC(physicalID string) string {
	_, id, _ := strings.Cut(physicalID, "|")
	return id
}

func (t resourceGatewayAttachment) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p attachmentProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if p.InternetGatewayId == nil {
		return stack.Result{}, missing("InternetGatewayId")
	}
	if err := t.attach(ctx, *p.InternetGatewayId, p.VpcId); err != nil {
		return stack.Result{}, err
	}
	made := attachmentResult(p.VpcId)
	started(made.PhysicalID)
	return made, nil
}

func (t resourceGatewayAttachment) attach(ctx context.Context, gatewayID, vpcID string) error {
	_, err := call[api.AttachInternetGatewayOutput](ctx, t.s, "AttachInternetGateway", &api.AttachInternetGatewayInput{InternetGatewayId: &gatewayID, VpcId: &vpcID})
	return err
}

// detach waits while instances with public addresses are about to end: nothing in a
// template says that they need the attachment.
func (t resourceGatewayAttachment) detach(ctx context.Context, gatewayID, vpcID string) error {
	return t.s.patiently(ctx, func(err error) bool { return awserr.Is(err, "DependencyViolation") }, func() error {
		_, err := call[api.DetachInternetGatewayOutput](ctx, t.s, "DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: &gatewayID, VpcId: &vpcID})
		return err
	})
}

// find returns the gateway of the attachment's VPC, or stack.ErrNotFound.
func (t resourceGatewayAttachment) find(ctx context.Context, physicalID string) (string, error) {
	out, err := call[api.DescribeInternetGatewaysOutput](ctx, t.s, "DescribeInternetGateways", &api.DescribeInternetGatewaysInput{
		Filters: []api.Filter{{Name: aws.Ptr("attachment.vpc-id"), Values: []string{attachedVPC(physicalID)}}},
	})
	if err != nil {
		return "", err
	}
	if len(out.InternetGateways) == 0 {
		return "", stack.ErrNotFound
	}
	return aws.Val(out.InternetGateways[0].InternetGatewayId), nil
}

func (t resourceGatewayAttachment) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r.PhysicalID)
	return attachmentResult(attachedVPC(r.PhysicalID)), err
}

func (t resourceGatewayAttachment) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p attachmentProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if p.InternetGatewayId == nil {
		return stack.Result{}, missing("InternetGatewayId")
	}
	have, err := t.find(ctx, r.PhysicalID)
	if err != nil && err != stack.ErrNotFound {
		return stack.Result{}, err
	}
	if have == *p.InternetGatewayId {
		return attachmentResult(p.VpcId), nil
	}
	if have != "" {
		if err := t.detach(ctx, have, p.VpcId); err != nil {
			return stack.Result{}, err
		}
	}
	return attachmentResult(p.VpcId), t.attach(ctx, *p.InternetGatewayId, p.VpcId)
}

func (t resourceGatewayAttachment) Delete(ctx context.Context, r stack.Request) error {
	have, err := t.find(ctx, r.PhysicalID)
	if err == stack.ErrNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return gone(t.detach(ctx, have, attachedVPC(r.PhysicalID)))
}

// Live implements stack.Live.
func (t resourceGatewayAttachment) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	have, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{"InternetGatewayId": have, "VpcId": attachedVPC(r.PhysicalID)}, nil
}
