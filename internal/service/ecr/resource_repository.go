package ecr

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ecr"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{"AWS::ECR::Repository": resourceRepository{s}}
}

// resourceRepository is AWS::ECR::Repository; its physical id is the name.
type resourceRepository struct{ s *Service }

type repositoryProperties struct {
	RepositoryName                     *string
	EncryptionConfiguration            *encryptionProperties
	ImageScanningConfiguration         *struct{ ScanOnPush *bool }
	ImageTagMutability                 *string
	ImageTagMutabilityExclusionFilters []exclusionProperties
	LifecyclePolicy                    *lifecycleProperties
	RepositoryPolicyText               json.RawMessage
	EmptyOnDelete                      *bool
	Tags                               []stack.Tag
}

type encryptionProperties struct {
	EncryptionType string `cfn:",required"`
	KmsKey         *string
}

type exclusionProperties struct {
	ImageTagMutabilityExclusionFilterType  string `cfn:",required"`
	ImageTagMutabilityExclusionFilterValue string `cfn:",required"`
}

type lifecycleProperties struct {
	LifecyclePolicyText *string
	RegistryId          *string //nolint:revive // the property's name
}

func (p repositoryProperties) scan() *api.ImageScanningConfiguration {
	scan := p.ImageScanningConfiguration != nil && aws.Val(p.ImageScanningConfiguration.ScanOnPush)
	return &api.ImageScanningConfiguration{ScanOnPush: &scan}
}

func (p repositoryProperties) exclusions() (out []api.ImageTagMutabilityExclusionFilter) {
	for _, e := range p.ImageTagMutabilityExclusionFilters {
		out = append(out, api.ImageTagMutabilityExclusionFilter{FilterType: api.ImageTagMutabilityExclusionFilterType(e.ImageTagMutabilityExclusionFilterType),
			Filter: &e.ImageTagMutabilityExclusionFilterValue})
	}
	return out
}

func (p repositoryProperties) lifecycle() string {
	if p.LifecyclePolicy == nil {
		return ""
	}
	return aws.Val(p.LifecyclePolicy.LifecyclePolicyText)
}

// maxGenerated is how long a generated name may be.
const maxGenerated = 256

func (resourceRepository) Schema() stack.Schema {
	sc := stack.SchemaOf(repositoryProperties{})
	sc.Attributes, sc.Taggable, sc.NameProperty = []string{"Arn", "RepositoryUri"}, true, "RepositoryName"
	return sc
}

func invoke[O any](ctx context.Context, s *Service, operation string, in any) (*O, error) {
	return wire.Call[O](ctx, s.cfg.Invoker, name, operation, in)
}

func result(r *api.Repository) stack.Result {
	return stack.Result{PhysicalID: *r.RepositoryName, Attributes: map[string]any{"Arn": *r.RepositoryArn, "RepositoryUri": *r.RepositoryUri}}
}

func (t resourceRepository) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p repositoryProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	in := &api.CreateRepositoryInput{RepositoryName: p.RepositoryName, ImageScanningConfiguration: p.scan(),
		ImageTagMutability: api.ImageTagMutability(aws.Val(p.ImageTagMutability)), ImageTagMutabilityExclusionFilters: p.exclusions(), Tags: apiTags(r.TagsWith(p.Tags))}
	if in.RepositoryName == nil {
		in.RepositoryName = aws.Ptr(r.LowerName(maxGenerated))
	}
	if e := p.EncryptionConfiguration; e != nil {
		in.EncryptionConfiguration = &api.EncryptionConfiguration{EncryptionType: api.EncryptionType(e.EncryptionType), KmsKey: e.KmsKey}
	}
	out, err := invoke[api.CreateRepositoryOutput](ctx, t.s, "CreateRepository", in)
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.Repository.RepositoryName)
	return result(out.Repository), t.texts(ctx, *out.Repository.RepositoryName, p, repositoryProperties{})
}

func apiTags(tags []stack.Tag) []api.Tag {
	var out []api.Tag
	for _, t := range tags {
		out = append(out, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}

// texts brings policy and lifecycle from what they were to what they are to be.
func (t resourceRepository) texts(ctx context.Context, id string, p, old repositoryProperties) (err error) {
	switch now, was := p.lifecycle(), old.lifecycle(); {
	case now == was:
	case now == "":
		_, err = invoke[api.DeleteLifecyclePolicyOutput](ctx, t.s, "DeleteLifecyclePolicy", &api.DeleteLifecyclePolicyInput{RepositoryName: &id})
	default:
		_, err = invoke[api.PutLifecyclePolicyOutput](ctx, t.s, "PutLifecyclePolicy", &api.PutLifecyclePolicyInput{RepositoryName: &id, LifecyclePolicyText: &now})
	}
	if err != nil && !awserr.Is(err, "LifecyclePolicyNotFoundException") {
		return err
	}
	switch now, was := string(p.RepositoryPolicyText), string(old.RepositoryPolicyText); {
	case now == was:
		return nil
	case now == "":
		_, err = invoke[api.DeleteRepositoryPolicyOutput](ctx, t.s, "DeleteRepositoryPolicy", &api.DeleteRepositoryPolicyInput{RepositoryName: &id})
		if awserr.Is(err, "RepositoryPolicyNotFoundException") {
			return nil
		}
		return err
	default:
		_, err = invoke[api.SetRepositoryPolicyOutput](ctx, t.s, "SetRepositoryPolicy", &api.SetRepositoryPolicyInput{RepositoryName: &id, PolicyText: &now})
		return err
	}
}

func (t resourceRepository) describe(ctx context.Context, id string) (*api.Repository, error) {
	out, err := invoke[api.DescribeRepositoriesOutput](ctx, t.s, "DescribeRepositories", &api.DescribeRepositoriesInput{RepositoryNames: []string{id}})
	if awserr.Is(err, "RepositoryNotFoundException") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.Repositories[0], nil
}

func (t resourceRepository) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return result(out), nil
}

func (t resourceRepository) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old repositoryProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	id := r.PhysicalID
	if *p.scan().ScanOnPush != *old.scan().ScanOnPush {
		in := &api.PutImageScanningConfigurationInput{RepositoryName: &id, ImageScanningConfiguration: p.scan()}
		if _, err := invoke[api.PutImageScanningConfigurationOutput](ctx, t.s, "PutImageScanningConfiguration", in); err != nil {
			return stack.Result{}, err
		}
	}
	if aws.Val(p.ImageTagMutability) != aws.Val(old.ImageTagMutability) || !slices.Equal(p.ImageTagMutabilityExclusionFilters, old.ImageTagMutabilityExclusionFilters) {
		in := &api.PutImageTagMutabilityInput{RepositoryName: &id, ImageTagMutability: api.ImageTagMutability(aws.Val(p.ImageTagMutability)),
			ImageTagMutabilityExclusionFilters: p.exclusions()}
		if in.ImageTagMutability == "" {
			in.ImageTagMutability = "MUTABLE"
		}
		if _, err := invoke[api.PutImageTagMutabilityOutput](ctx, t.s, "PutImageTagMutability", in); err != nil {
			return stack.Result{}, err
		}
	}
	if err := t.texts(ctx, id, p, old); err != nil {
		return stack.Result{}, err
	}
	res, err := t.Read(ctx, r)
	if err != nil {
		return stack.Result{}, err
	}
	return res, t.retag(ctx, res.Attributes["Arn"].(string), r.TagsBefore(old.Tags), r.TagsWith(p.Tags))
}

func (t resourceRepository) retag(ctx context.Context, arn string, old, want []stack.Tag) error {
	if gone := stack.TagsGone(old, want); len(gone) > 0 {
		if _, err := invoke[api.UntagResourceOutput](ctx, t.s, "UntagResource", &api.UntagResourceInput{ResourceArn: &arn, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(want) == 0 {
		return nil
	}
	_, err := invoke[api.TagResourceOutput](ctx, t.s, "TagResource", &api.TagResourceInput{ResourceArn: &arn, Tags: apiTags(want)})
	return err
}

func (t resourceRepository) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteRepositoryOutput](ctx, t.s, "DeleteRepository", &api.DeleteRepositoryInput{RepositoryName: &r.PhysicalID})
	if awserr.Is(err, "RepositoryNotFoundException") {
		return nil
	}
	return err
}

// Live implements stack.Live.
func (t resourceRepository) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"RepositoryName": *out.RepositoryName, "ImageTagMutability": string(out.ImageTagMutability),
		"ImageScanningConfiguration": map[string]any{"ScanOnPush": *out.ImageScanningConfiguration.ScanOnPush},
		"EncryptionConfiguration":    map[string]any{"EncryptionType": string(out.EncryptionConfiguration.EncryptionType)},
		"LifecyclePolicy":            nil, "RepositoryPolicyText": nil}
	lifecycle, err := invoke[api.GetLifecyclePolicyOutput](ctx, t.s, "GetLifecyclePolicy", &api.GetLifecyclePolicyInput{RepositoryName: &r.PhysicalID})
	if err == nil {
		live["LifecyclePolicy"] = map[string]any{"LifecyclePolicyText": *lifecycle.LifecyclePolicyText}
	} else if !awserr.Is(err, "LifecyclePolicyNotFoundException") {
		return nil, err
	}
	text, err := invoke[api.GetRepositoryPolicyOutput](ctx, t.s, "GetRepositoryPolicy", &api.GetRepositoryPolicyInput{RepositoryName: &r.PhysicalID})
	if err == nil {
		var document any
		if err := json.Unmarshal([]byte(*text.PolicyText), &document); err != nil {
			return nil, err
		}
		live["RepositoryPolicyText"] = document
	} else if !awserr.Is(err, "RepositoryPolicyNotFoundException") {
		return nil, err
	}
	listed, err := invoke[api.ListTagsForResourceOutput](ctx, t.s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: out.RepositoryArn})
	if err != nil {
		return nil, err
	}
	tags := []any{}
	for _, tag := range listed.Tags {
		tags = append(tags, map[string]any{"Key": *tag.Key, "Value": aws.Val(tag.Value)})
	}
	live["Tags"] = tags
	return live, nil
}
