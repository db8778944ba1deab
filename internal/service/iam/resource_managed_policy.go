package iam

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceManagedPolicy is AWS::IAM::ManagedPolicy. Its physical id is its ARN.
type resourceManagedPolicy struct{ c client }

type managedPolicyProperties struct {
	Description       *string
	ManagedPolicyName *string
	Path              *string
	PolicyDocument    json.RawMessage `cfn:",required"`
	Groups            []string
	Roles             []string
	Users             []string
}

func (p *managedPolicyProperties) holders() []holder {
	return (&policyProperties{Groups: p.Groups, Roles: p.Roles, Users: p.Users}).holders()
}

func (resourceManagedPolicy) Schema() stack.Schema {
	sc := stack.SchemaOf(managedPolicyProperties{})
	sc.Attributes = []string{"PolicyArn", "PolicyId", "DefaultVersionId", "AttachmentCount", "PermissionsBoundaryUsageCount", "IsAttachable", "CreateDate", "UpdateDate"}
	sc.Capability, sc.NameProperty = true, "ManagedPolicyName"
	return sc
}

func (t resourceManagedPolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p managedPolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	out, err := call[api.CreatePolicyOutput](ctx, t.c, "CreatePolicy", &api.CreatePolicyInput{PolicyName: aws.Ptr(nameOr(p.ManagedPolicyName, r, 128)),
		Path: p.Path, Description: p.Description, PolicyDocument: aws.Ptr(string(p.PolicyDocument))})
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.Policy.Arn)
	for _, h := range p.holders() {
		if err := t.c.attach(ctx, h.kind, h.name, *out.Policy.Arn); err != nil {
			return managedResult(out.Policy), err
		}
	}
	return managedResult(out.Policy), nil
}

func managedResult(p *api.Policy) stack.Result {
	return stack.Result{PhysicalID: *p.Arn, Attributes: map[string]any{"PolicyArn": *p.Arn, "PolicyId": *p.PolicyId, "DefaultVersionId": *p.DefaultVersionId,
		"AttachmentCount": number(*p.AttachmentCount), "PermissionsBoundaryUsageCount": number(*p.PermissionsBoundaryUsageCount), "IsAttachable": *p.IsAttachable,
		"CreateDate": p.CreateDate.Format(time.RFC3339), "UpdateDate": p.UpdateDate.Format(time.RFC3339)}}
}

func number(n int32) json.Number {
	b, _ := json.Marshal(n) // a number always encodes
	return json.Number(b)
}

func (t resourceManagedPolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := call[api.GetPolicyOutput](ctx, t.c, "GetPolicy", &api.GetPolicyInput{PolicyArn: &r.PhysicalID})
	if err != nil {
		return stack.Result{}, absent(err)
	}
	return managedResult(out.Policy), nil
}

func (t resourceManagedPolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, old, err := decodeBoth[managedPolicyProperties](r)
	if err != nil {
		return stack.Result{}, err
	}
	if string(p.PolicyDocument) != string(old.PolicyDocument) {
		if err := t.newVersion(ctx, r.PhysicalID, string(p.PolicyDocument)); err != nil {
			return stack.Result{}, err
		}
	}
	before, now := old.holders(), p.holders()
	for _, h := range now {
		if !slices.Contains(before, h) {
			if err := t.c.attach(ctx, h.kind, h.name, r.PhysicalID); err != nil {
				return stack.Result{}, err
			}
		}
	}
	for _, h := range before {
		if !slices.Contains(now, h) {
			if err := unlessGone(t.c.detach(ctx, h.kind, h.name, r.PhysicalID)); err != nil {
				return stack.Result{}, err
			}
		}
	}
	return t.Read(ctx, r)
}

// newVersion makes document the default. Where all versions are used up, the
// oldest that is not the default gives way.
func (t resourceManagedPolicy) newVersion(ctx context.Context, policyARN, document string) error {
	in := &api.CreatePolicyVersionInput{PolicyArn: &policyARN, PolicyDocument: &document, SetAsDefault: aws.Ptr(true)}
	err := t.c.do(ctx, "CreatePolicyVersion", in)
	if !awserr.Is(err, "LimitExceeded") {
		return err
	}
	out, err := call[api.ListPolicyVersionsOutput](ctx, t.c, "ListPolicyVersions", &api.ListPolicyVersionsInput{PolicyArn: &policyARN})
	if err != nil {
		return err
	}
	for _, v := range slices.Backward(out.Versions) {
		if !aws.Val(v.IsDefaultVersion) {
			if err := t.c.do(ctx, "DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: &policyARN, VersionId: v.VersionId}); err != nil {
				return err
			}
			break
		}
	}
	return t.c.do(ctx, "CreatePolicyVersion", in)
}

func (t resourceManagedPolicy) Delete(ctx context.Context, r stack.Request) error {
	var p managedPolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return err
	}
	for _, h := range p.holders() {
		if err := unlessGone(t.c.detach(ctx, h.kind, h.name, r.PhysicalID)); err != nil {
			return err
		}
	}
	out, err := call[api.ListPolicyVersionsOutput](ctx, t.c, "ListPolicyVersions", &api.ListPolicyVersionsInput{PolicyArn: &r.PhysicalID})
	if err != nil {
		return unlessGone(err)
	}
	for _, v := range out.Versions {
		if aws.Val(v.IsDefaultVersion) {
			continue
		}
		if err := unlessGone(t.c.do(ctx, "DeletePolicyVersion", &api.DeletePolicyVersionInput{PolicyArn: &r.PhysicalID, VersionId: v.VersionId})); err != nil {
			return err
		}
	}
	return unlessGone(t.c.do(ctx, "DeletePolicy", &api.DeletePolicyInput{PolicyArn: &r.PhysicalID}))
}
