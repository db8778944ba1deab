package route53

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceZone is AWS::Route53::HostedZone; its physical id is the zone's.
type resourceZone struct{ s *Service }

type zoneProperties struct {
	Name             string `cfn:",required"`
	HostedZoneConfig *struct{ Comment *string }
	HostedZoneTags   []stack.Tag
	VPCs             []vpcProperties
}

type vpcProperties struct {
	VPCId     string `cfn:",required"` //nolint:revive // the property's name
	VPCRegion string `cfn:",required"`
}

func (v vpcProperties) api() *api.VPC {
	return &api.VPC{VPCRegion: api.VPCRegion(v.VPCRegion), VPCId: &v.VPCId}
}

func (p zoneProperties) comment() *string {
	if p.HostedZoneConfig == nil || p.HostedZoneConfig.Comment == nil {
		return aws.Ptr("")
	}
	return p.HostedZoneConfig.Comment
}

func (resourceZone) Schema() stack.Schema {
	sc := stack.SchemaOf(zoneProperties{})
	sc.Attributes, sc.Taggable = []string{"Id", "NameServers"}, true
	return sc
}

func (t resourceZone) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p zoneProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	sum := sha256.Sum256([]byte(r.Token))
	in := &api.CreateHostedZoneInput{Name: &p.Name, CallerReference: aws.Ptr(hex.EncodeToString(sum[:])),
		HostedZoneConfig: &api.HostedZoneConfig{PrivateZone: aws.Ptr(len(p.VPCs) > 0)}}
	if c := p.comment(); *c != "" {
		in.HostedZoneConfig.Comment = c
	}
	if len(p.VPCs) > 0 {
		in.VPC = p.VPCs[0].api()
	}
	out, err := invoke[api.CreateHostedZoneOutput](ctx, t.s, "CreateHostedZone", in)
	if err != nil {
		return stack.Result{}, err
	}
	id := bare(out.HostedZone.Id)
	started(id)
	for i := 1; i < len(p.VPCs); i++ {
		if err := t.associate(ctx, id, p.VPCs[i]); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.retag(ctx, id, nil, r.TagsWith(p.HostedZoneTags)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, stack.Request{PhysicalID: id})
}

func (t resourceZone) associate(ctx context.Context, id string, v vpcProperties) error {
	_, err := invoke[api.AssociateVPCWithHostedZoneOutput](ctx, t.s, "AssociateVPCWithHostedZone", &api.AssociateVPCWithHostedZoneInput{HostedZoneId: &id, VPC: v.api()})
	if !awserr.Is(err, "ConflictingDomainExists") {
		return err
	}
	// Repeated after a crash, the association is there already.
	zone, e := t.get(ctx, id)
	if e == nil && slices.ContainsFunc(zone.VPCs, func(o api.VPC) bool { return *o.VPCId == v.VPCId }) {
		return nil
	}
	return err
}

func (t resourceZone) get(ctx context.Context, id string) (*api.GetHostedZoneOutput, error) {
	out, err := invoke[api.GetHostedZoneOutput](ctx, t.s, "GetHostedZone", &api.GetHostedZoneInput{Id: &id})
	if awserr.Is(err, "NoSuchHostedZone") {
		return nil, stack.ErrNotFound
	}
	return out, err
}

func (t resourceZone) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := t.get(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	servers := []any{}
	if out.DelegationSet != nil {
		for _, s := range out.DelegationSet.NameServers {
			servers = append(servers, s)
		}
	}
	return stack.Result{PhysicalID: r.PhysicalID, Attributes: map[string]any{"Id": r.PhysicalID, "NameServers": servers}}, nil
}

func (t resourceZone) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old zoneProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	if (len(p.VPCs) > 0) != (len(old.VPCs) > 0) {
		return stack.Result{}, &stack.PropertyError{Message: "A public hosted zone cannot become a private one, nor a private one a public one"}
	}
	id := r.PhysicalID
	if *p.comment() != *old.comment() {
		if _, err := invoke[api.UpdateHostedZoneCommentOutput](ctx, t.s, "UpdateHostedZoneComment", &api.UpdateHostedZoneCommentInput{Id: &id, Comment: p.comment()}); err != nil {
			return stack.Result{}, err
		}
	}
	for _, v := range p.VPCs {
		if !slices.Contains(old.VPCs, v) {
			if err := t.associate(ctx, id, v); err != nil {
				return stack.Result{}, err
			}
		}
	}
	for _, v := range old.VPCs {
		if slices.Contains(p.VPCs, v) {
			continue
		}
		_, err := invoke[api.DisassociateVPCFromHostedZoneOutput](ctx, t.s, "DisassociateVPCFromHostedZone", &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: &id, VPC: v.api()})
		if err != nil && !awserr.Is(err, "VPCAssociationNotFound") {
			return stack.Result{}, err
		}
	}
	if err := t.retag(ctx, id, r.TagsBefore(old.HostedZoneTags), r.TagsWith(p.HostedZoneTags)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceZone) retag(ctx context.Context, id string, old, want []stack.Tag) error {
	in := &api.ChangeTagsForResourceInput{ResourceType: "hostedzone", ResourceId: &id, RemoveTagKeys: stack.TagsGone(old, want)}
	for _, w := range want {
		if !slices.ContainsFunc(old, func(o stack.Tag) bool { return o.Key == w.Key && o.Value == w.Value }) {
			in.AddTags = append(in.AddTags, api.Tag{Key: &w.Key, Value: &w.Value})
		}
	}
	if len(in.AddTags)+len(in.RemoveTagKeys) == 0 {
		return nil
	}
	_, err := invoke[api.ChangeTagsForResourceOutput](ctx, t.s, "ChangeTagsForResource", in)
	return err
}

func (t resourceZone) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteHostedZoneOutput](ctx, t.s, "DeleteHostedZone", &api.DeleteHostedZoneInput{Id: &r.PhysicalID})
	if awserr.Is(err, "NoSuchHostedZone") {
		return nil
	}
	return err
}

// Live implements stack.Live.
func (t resourceZone) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := t.get(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	listed, err := invoke[api.ListTagsForResourceOutput](ctx, t.s, "ListTagsForResource",
		&api.ListTagsForResourceInput{ResourceType: "hostedzone", ResourceId: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	var vpcs, tags []any
	for _, v := range out.VPCs {
		vpcs = append(vpcs, map[string]any{"VPCId": *v.VPCId, "VPCRegion": string(v.VPCRegion)})
	}
	for _, tag := range listed.ResourceTagSet.Tags {
		if _, ours := r.Tags[*tag.Key]; !ours {
			tags = append(tags, map[string]any{"Key": *tag.Key, "Value": aws.Val(tag.Value)})
		}
	}
	given, _ := r.Properties["Name"].(string)
	if canonical(given) != canonical(*out.HostedZone.Name) { // AWS does not mind the final dot
		given = *out.HostedZone.Name
	}
	return map[string]any{"Name": given, "HostedZoneConfig": map[string]any{"Comment": aws.Val(out.HostedZone.Config.Comment)},
		"VPCs": vpcs, "HostedZoneTags": tags}, nil
}
