package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/store"
)

// IAM's quotas, as its documentation gives the defaults.
const (
	maxTags          = 50
	maxAttached      = 10
	maxGroupsPerUser = 10
	maxKeysPerUser   = 2
	maxVersions      = 5
)

// tagRules are how a kind of resource compares the keys of its tags: users and roles
// without case, the others as they are.
func tagRules(kind string) (same func(a, b string) bool, duplicate string) {
	if kind == userKind || kind == roleKind {
		return strings.EqualFold, "Duplicate tag keys found. Please note that Tag keys are case insensitive."
	}
	return func(a, b string) bool { return a == b }, "Duplicate tag keys found."
}

// newTags returns old, the tags of a resource of the kind, with add put over it.
func newTags(ctx context.Context, kind string, old []tag, add []api.Tag) ([]tag, error) {
	out := slices.Clone(old)
	same, duplicate := tagRules(kind)
	for n, t := range add {
		key := aws.Val(t.Key)
		if slices.ContainsFunc(add[:n], func(o api.Tag) bool { return same(aws.Val(o.Key), key) }) {
			return nil, invalidInput("%s", duplicate)
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") && !byCloudFormation(ctx) {
			return nil, invalidInput("Caller does not have permission to update or delete system tags")
		}
		i := slices.IndexFunc(out, func(t tag) bool { return same(t.Key, key) })
		if i >= 0 {
			out[i] = tag{key, aws.Val(t.Value)}
		} else {
			out = append(out, tag{key, aws.Val(t.Value)})
		}
	}
	if len(out) > maxTags {
		return nil, quota("The number of tags has reached the maximum limit.")
	}
	return out, nil
}

// byCloudFormation tells calls of a stack, which tags what it makes with
// aws:cloudformation:*.
func byCloudFormation(ctx context.Context) bool {
	return slices.Contains(aws.CallFrom(ctx).Via, "cloudformation.amazonaws.com")
}

func withoutTags(kind string, old []tag, remove []string) []tag {
	same, _ := tagRules(kind)
	return slices.DeleteFunc(slices.Clone(old), func(t tag) bool {
		return slices.ContainsFunc(remove, func(k string) bool { return same(k, t.Key) })
	})
}

func tagsOut(tags []tag) []api.Tag {
	var out []api.Tag
	for _, t := range tags {
		out = append(out, api.Tag{Key: aws.Ptr(t.Key), Value: aws.Ptr(t.Value)})
	}
	return out
}

// someTags is tagsOut for the answers that tell an empty list too.
func someTags(tags []tag) []api.Tag { return append([]api.Tag{}, tagsOut(tags)...) }

// tagPage cuts a page of tags, ordered by key.
func tagPage(tags []tag, marker *string, limit *int32) (page[tag], error) {
	sorted := slices.SortedFunc(slices.Values(tags), func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	return paginate(sorted, func(t tag) string { return t.Key }, marker, limit)
}

// tagged is a row that has tags.
type tagged interface{ tagList() *[]tag }

func (e *entity) tagList() *[]tag            { return &e.Tags }
func (m *managed) tagList() *[]tag           { return &m.Tags }
func (p *profile) tagList() *[]tag           { return &p.Tags }
func (p *oidcProvider) tagList() *[]tag      { return &p.Tags }
func (c *serverCertificate) tagList() *[]tag { return &c.Tags }

// addTags is the edit that adds tags to a row or changes them.
func addTags[T tagged](ctx context.Context, kind string, add []api.Tag) func(*store.Tx, T) error {
	return func(_ *store.Tx, row T) (err error) {
		list := row.tagList()
		*list, err = newTags(ctx, kind, *list, add)
		return err
	}
}

// dropTags is the edit that removes tags from a row by key.
func dropTags[T tagged](kind string, remove []string) func(*store.Tx, T) error {
	return func(_ *store.Tx, row T) error {
		list := row.tagList()
		*list = withoutTags(kind, *list, remove)
		return nil
	}
}

// TagUser adds tags to a user or changes them.
func (s *Service) TagUser(ctx context.Context, in *api.TagUserInput) (*api.TagUserOutput, error) {
	return &api.TagUserOutput{}, s.editEntity(ctx, userKind, *in.UserName, addTags[*entity](ctx, userKind, in.Tags))
}

// UntagUser removes tags by key.
func (s *Service) UntagUser(ctx context.Context, in *api.UntagUserInput) (*api.UntagUserOutput, error) {
	return &api.UntagUserOutput{}, s.editEntity(ctx, userKind, *in.UserName, dropTags[*entity](userKind, in.TagKeys))
}

// ListUserTags lists a user's tags.
func (s *Service) ListUserTags(ctx context.Context, in *api.ListUserTagsInput) (*api.ListUserTagsOutput, error) {
	e, err := s.viewEntity(ctx, userKind, *in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := tagPage(e.Tags, in.Marker, in.MaxItems)
	return &api.ListUserTagsOutput{Tags: someTags(p.items), IsTruncated: p.truncated, Marker: p.marker}, err
}

// TagRole adds tags to a role or changes them.
func (s *Service) TagRole(ctx context.Context, in *api.TagRoleInput) (*api.TagRoleOutput, error) {
	return &api.TagRoleOutput{}, s.editEntity(ctx, roleKind, *in.RoleName, addTags[*entity](ctx, roleKind, in.Tags))
}

// UntagRole removes tags by key.
func (s *Service) UntagRole(ctx context.Context, in *api.UntagRoleInput) (*api.UntagRoleOutput, error) {
	return &api.UntagRoleOutput{}, s.editEntity(ctx, roleKind, *in.RoleName, dropTags[*entity](roleKind, in.TagKeys))
}

// ListRoleTags lists a role's tags.
func (s *Service) ListRoleTags(ctx context.Context, in *api.ListRoleTagsInput) (*api.ListRoleTagsOutput, error) {
	e, err := s.viewEntity(ctx, roleKind, *in.RoleName)
	if err != nil {
		return nil, err
	}
	p, err := tagPage(e.Tags, in.Marker, in.MaxItems)
	return &api.ListRoleTagsOutput{Tags: someTags(p.items), IsTruncated: p.truncated, Marker: p.marker}, err
}

// TagPolicy adds tags to a managed policy or changes them.
func (s *Service) TagPolicy(ctx context.Context, in *api.TagPolicyInput) (*api.TagPolicyOutput, error) {
	return &api.TagPolicyOutput{}, s.editPolicy(ctx, *in.PolicyArn, addTags[*managed](ctx, "policy", in.Tags))
}

// UntagPolicy removes tags by key.
func (s *Service) UntagPolicy(ctx context.Context, in *api.UntagPolicyInput) (*api.UntagPolicyOutput, error) {
	return &api.UntagPolicyOutput{}, s.editPolicy(ctx, *in.PolicyArn, dropTags[*managed]("policy", in.TagKeys))
}

// ListPolicyTags lists a managed policy's tags.
func (s *Service) ListPolicyTags(ctx context.Context, in *api.ListPolicyTagsInput) (*api.ListPolicyTagsOutput, error) {
	m, err := s.viewPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p, err := tagPage(m.Tags, in.Marker, in.MaxItems)
	return &api.ListPolicyTagsOutput{Tags: someTags(p.items), IsTruncated: p.truncated, Marker: p.marker}, err
}

// TagInstanceProfile adds tags to an instance profile or changes them.
func (s *Service) TagInstanceProfile(ctx context.Context, in *api.TagInstanceProfileInput) (*api.TagInstanceProfileOutput, error) {
	return &api.TagInstanceProfileOutput{}, s.editProfile(ctx, *in.InstanceProfileName, addTags[*profile](ctx, "instance-profile", in.Tags))
}

// UntagInstanceProfile removes tags by key.
func (s *Service) UntagInstanceProfile(ctx context.Context, in *api.UntagInstanceProfileInput) (*api.UntagInstanceProfileOutput, error) {
	return &api.UntagInstanceProfileOutput{}, s.editProfile(ctx, *in.InstanceProfileName, dropTags[*profile]("instance-profile", in.TagKeys))
}

// ListInstanceProfileTags lists an instance profile's tags.
func (s *Service) ListInstanceProfileTags(ctx context.Context, in *api.ListInstanceProfileTagsInput) (*api.ListInstanceProfileTagsOutput, error) {
	pr, err := view(ctx, s, func(tx *store.Tx) (*profile, error) { return getProfile(tx, accountOf(ctx), *in.InstanceProfileName) })
	if err != nil {
		return nil, err
	}
	p, err := tagPage(pr.Tags, in.Marker, in.MaxItems)
	return &api.ListInstanceProfileTagsOutput{Tags: someTags(p.items), IsTruncated: p.truncated, Marker: p.marker}, err
}
