package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceLaunchTemplate is AWS::EC2::LaunchTemplate. An update of what it says makes
// another version; which one is the default is not the template's to say.
type resourceLaunchTemplate struct{ s *Service }

type launchTemplateProperties struct {
	LaunchTemplateName *string
	LaunchTemplateData *api.RequestLaunchTemplateData `cfn:",required"`
	VersionDescription *string
	TagSpecifications  []struct {
		ResourceType string
		Tags         []stack.Tag
	}
}

func (resourceLaunchTemplate) Schema() stack.Schema {
	sc := stack.SchemaOf(launchTemplateProperties{})
	sc.Attributes = []string{"DefaultVersionNumber", "LatestVersionNumber", "LaunchTemplateId"}
	sc.Taggable, sc.NameProperty = true, "LaunchTemplateName"
	return sc
}

// tags are those of the launch template itself.
func (p *launchTemplateProperties) tags() ([]stack.Tag, error) {
	var out []stack.Tag
	for _, spec := range p.TagSpecifications {
		if spec.ResourceType != "launch-template" {
			return nil, &stack.PropertyError{Message: "'" + spec.ResourceType + "' is not a valid taggable resource type for this operation."}
		}
		out = append(out, spec.Tags...)
	}
	return out, nil
}

func (t resourceLaunchTemplate) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p launchTemplateProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	own, err := p.tags()
	if err != nil {
		return stack.Result{}, err
	}
	// CloudFormation joins the logical id and the random part of a name by a line below.
	name := strings.Replace(strings.TrimPrefix(r.MixedName(), "CFN-"), "-", "_", 1)
	out, err := call[api.CreateLaunchTemplateOutput](ctx, t.s, "CreateLaunchTemplate", &api.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.Ptr(orDefault(p.LaunchTemplateName, name)), LaunchTemplateData: p.LaunchTemplateData, VersionDescription: p.VersionDescription,
		TagSpecifications: newResourceTags("launch-template", r, own),
	})
	if err != nil {
		return stack.Result{}, err
	}
	id := aws.Val(out.LaunchTemplate.LaunchTemplateId)
	started(id)
	return templateResult(out.LaunchTemplate), nil
}

func templateResult(t *api.LaunchTemplate) stack.Result {
	return stack.Result{PhysicalID: *t.LaunchTemplateId, Attributes: map[string]any{
		"LaunchTemplateId": *t.LaunchTemplateId, "DefaultVersionNumber": strconv.FormatInt(*t.DefaultVersionNumber, 10),
		"LatestVersionNumber": strconv.FormatInt(*t.LatestVersionNumber, 10),
	}}
}

func (t resourceLaunchTemplate) find(ctx context.Context, id string) (*api.LaunchTemplate, error) {
	out, err := call[api.DescribeLaunchTemplatesOutput](ctx, t.s, "DescribeLaunchTemplates", &api.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{id}})
	if err != nil {
		return nil, absent(err)
	}
	return &out.LaunchTemplates[0], nil
}

func (t resourceLaunchTemplate) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	have, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return templateResult(have), nil
}

func (t resourceLaunchTemplate) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old launchTemplateProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	own, err := p.tags()
	if err != nil {
		return stack.Result{}, err
	}
	former, err := old.tags()
	if err != nil {
		return stack.Result{}, err
	}
	if !reflect.DeepEqual(p.LaunchTemplateData, old.LaunchTemplateData) || aws.Val(p.VersionDescription) != aws.Val(old.VersionDescription) {
		// The token is of this update: the same one, repeated, makes no version twice.
		sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%v", r.Token, r.Operation, r.Undo))
		_, err := call[api.CreateLaunchTemplateVersionOutput](ctx, t.s, "CreateLaunchTemplateVersion", &api.CreateLaunchTemplateVersionInput{
			LaunchTemplateId: &r.PhysicalID, LaunchTemplateData: p.LaunchTemplateData, VersionDescription: p.VersionDescription, ClientToken: aws.Ptr(hex.EncodeToString(sum[:])),
		})
		if err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.s.syncTags(ctx, r.PhysicalID, tagMap(r.OldTags, former), tagMap(r.Tags, own)); err != nil {
		return stack.Result{}, err
	}
	return t.Read(ctx, r)
}

func (t resourceLaunchTemplate) Delete(ctx context.Context, r stack.Request) error {
	_, err := call[api.DeleteLaunchTemplateOutput](ctx, t.s, "DeleteLaunchTemplate", &api.DeleteLaunchTemplateInput{LaunchTemplateId: &r.PhysicalID})
	return gone(err)
}

// Live implements stack.Live.
func (t resourceLaunchTemplate) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	have, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	out, err := call[api.DescribeLaunchTemplateVersionsOutput](ctx, t.s, "DescribeLaunchTemplateVersions", &api.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: &r.PhysicalID, Versions: []string{"$Latest"},
	})
	if err != nil {
		return nil, absent(err)
	}
	v := out.LaunchTemplateVersions[0]
	live := map[string]any{
		"LaunchTemplateName": aws.Val(have.LaunchTemplateName), "VersionDescription": liveText(v.VersionDescription), "LaunchTemplateData": stack.Plain(v.LaunchTemplateData),
		"Tags": liveTags(have.Tags), "TagSpecifications": nil,
	}
	own := slices.DeleteFunc(have.Tags, func(tag api.Tag) bool {
		value, ok := r.Tags[*tag.Key]
		return strings.HasPrefix(*tag.Key, "aws:") || ok && value == *tag.Value // the stack's
	})
	if len(own) > 0 {
		live["TagSpecifications"] = []any{map[string]any{"ResourceType": "launch-template", "Tags": liveTags(own)}}
	}
	return live, nil
}

// launchTemplateProperty is how an instance names the template that it begins from.
type launchTemplateProperty struct {
	LaunchTemplateId, LaunchTemplateName *string
	Version                              string `cfn:",required"`
}

func (p *launchTemplateProperty) specification() *api.LaunchTemplateSpecification {
	if p == nil {
		return nil
	}
	return &api.LaunchTemplateSpecification{LaunchTemplateId: p.LaunchTemplateId, LaunchTemplateName: p.LaunchTemplateName, Version: &p.Version}
}
