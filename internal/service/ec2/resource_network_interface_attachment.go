package ec2

import (
	"context"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceInterfaceAttachment is AWS::EC2::NetworkInterfaceAttachment.
type resourceInterfaceAttachment struct{ s *Service }

type interfaceAttachmentProperties struct {
	DeleteOnTermination *bool
	DeviceIndex         string `cfn:",required"`
	InstanceId          string `cfn:",required"`
	NetworkInterfaceId  string `cfn:",required"`
}

func (resourceInterfaceAttachment) Schema() stack.Schema {
	sc := stack.SchemaOf(interfaceAttachmentProperties{})
	sc.Attributes = []string{"AttachmentId"}
	return sc
}

func interfaceAttachmentResult(id string) stack.Result {
	return stack.Result{PhysicalID: id, Attributes: map[string]any{"AttachmentId": id}}
}

// Create attaches, unless an earlier call has done so: an interface is attached to one
// instance at a time.
func (t resourceInterfaceAttachment) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p interfaceAttachmentProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	device, err := strconv.ParseInt(p.DeviceIndex, 10, 32)
	if err != nil {
		return stack.Result{}, invalidValue(p.DeviceIndex, "deviceIndex")
	}
	index := int32(device)
	out, err := call[api.AttachNetworkInterfaceOutput](ctx, t.s, "AttachNetworkInterface", &api.AttachNetworkInterfaceInput{
		InstanceId: &p.InstanceId, NetworkInterfaceId: &p.NetworkInterfaceId, DeviceIndex: &index,
	})
	if awserr.Is(err, "InvalidNetworkInterface.InUse") {
		if n, look := resourceNetworkInterface(t).find(ctx, p.NetworkInterfaceId); look == nil && n.Attachment != nil &&
			aws.Val(n.Attachment.InstanceId) == p.InstanceId && aws.Val(n.Attachment.DeviceIndex) == index {
			out, err = &api.AttachNetworkInterfaceOutput{AttachmentId: n.Attachment.AttachmentId}, nil
		}
	}
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.AttachmentId)
	started(id)
	// CloudFormation's default differs from the operation's.
	return interfaceAttachmentResult(id), t.keep(ctx, id, p.NetworkInterfaceId, !orDefault(p.DeleteOnTermination, true))
}

// keep says whether the interface stays when the instance ends.
func (t resourceInterfaceAttachment) keep(ctx context.Context, id, nic string, keep bool) error {
	_, err := call[api.ModifyNetworkInterfaceAttributeOutput](ctx, t.s, "ModifyNetworkInterfaceAttribute", &api.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: &nic, Attachment: &api.NetworkInterfaceAttachmentChanges{AttachmentId: &id, DeleteOnTermination: aws.Ptr(!keep)},
	})
	return err
}

func (t resourceInterfaceAttachment) find(ctx context.Context, id string) (*api.NetworkInterface, error) {
	out, err := call[api.DescribeNetworkInterfacesOutput](ctx, t.s, "DescribeNetworkInterfaces", &api.DescribeNetworkInterfacesInput{
		Filters: []api.Filter{{Name: aws.Ptr("attachment.attachment-id"), Values: []string{id}}},
	})
	if err != nil {
		return nil, err
	}
	if len(out.NetworkInterfaces) == 0 {
		return nil, stack.ErrNotFound
	}
	return &out.NetworkInterfaces[0], nil
}

func (t resourceInterfaceAttachment) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r.PhysicalID)
	return interfaceAttachmentResult(r.PhysicalID), err
}

func (t resourceInterfaceAttachment) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p interfaceAttachmentProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := t.keep(ctx, r.PhysicalID, p.NetworkInterfaceId, !orDefault(p.DeleteOnTermination, true)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceInterfaceAttachment) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DetachNetworkInterfaceOutput](ctx, t.s, "DetachNetworkInterface", &api.DetachNetworkInterfaceInput{AttachmentId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceInterfaceAttachment) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	n, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"DeleteOnTermination": aws.Val(n.Attachment.DeleteOnTermination), "DeviceIndex": itoa(aws.Val(n.Attachment.DeviceIndex)),
		"InstanceId": liveText(n.Attachment.InstanceId), "NetworkInterfaceId": aws.Val(n.NetworkInterfaceId),
	}, nil
}
