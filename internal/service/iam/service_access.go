package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// ListPoliciesGrantingServiceAccess tells which policies of an identity, and of its
// groups, allow something of each service named. What a deny takes away again is not
// considered, as on AWS.
func (s *Service) ListPoliciesGrantingServiceAccess(ctx context.Context, in *api.ListPoliciesGrantingServiceAccessInput) (*api.ListPoliciesGrantingServiceAccessOutput, error) {
	if aws.Val(in.Marker) != "" {
		return nil, invalidInput("Invalid Marker.") // there is one page: no marker has been given out
	}
	who, err := s.policySource(ctx, *in.Arn)
	if err != nil {
		return nil, err
	}
	out := &api.ListPoliciesGrantingServiceAccessOutput{IsTruncated: aws.Ptr(false), PoliciesGrantingServiceAccess: []api.ListPoliciesGrantingServiceAccessEntry{}}
	return out, s.db.View(ctx, func(tx *store.Tx) error {
		for _, namespace := range in.ServiceNamespaces {
			list, err := s.granting(tx, who, namespace)
			if err != nil {
				return err
			}
			out.PoliciesGrantingServiceAccess = append(out.PoliciesGrantingServiceAccess,
				api.ListPoliciesGrantingServiceAccessEntry{ServiceNamespace: aws.Ptr(namespace), Policies: list})
		}
		return nil
	})
}

func (s *Service) granting(tx *store.Tx, who caller, namespace string) ([]api.PolicyGrantingServiceAccess, error) {
	out := []api.PolicyGrantingServiceAccess{}
	add := func(text string, p api.PolicyGrantingServiceAccess) error {
		doc, err := s.documents.parse(text, policy.Identity)
		if err == nil && slices.ContainsFunc(doc.Statements, func(st policy.Statement) bool { return opens(st, namespace) }) {
			out = append(out, p)
		}
		return err
	}
	for _, e := range append([]*entity{who.entity}, who.groups...) {
		for _, name := range slices.Sorted(maps.Keys(e.Inline)) {
			p := api.PolicyGrantingServiceAccess{PolicyName: aws.Ptr(name), PolicyType: api.PolicyTypeInline,
				EntityType: api.PolicyOwnerEntityType(strings.ToUpper(e.Kind)), EntityName: aws.Ptr(e.Name)}
			if err := add(e.Inline[name], p); err != nil {
				return nil, err
			}
		}
		for _, a := range e.Attached {
			m, err := findPolicy(tx, who.account, a)
			if err == nil && m != nil {
				err = add(m.document(), api.PolicyGrantingServiceAccess{PolicyName: aws.Ptr(arn.Name(a)), PolicyType: api.PolicyTypeManaged, PolicyArn: aws.Ptr(a)})
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// opens reports whether a statement allows an action of the service.
func opens(st policy.Statement, namespace string) bool {
	if st.Effect != policy.Allow {
		return false
	}
	all := func(action string) bool { return action == "*" || strings.EqualFold(action, namespace+":*") }
	if len(st.NotActions) > 0 {
		return !slices.ContainsFunc(st.NotActions, all)
	}
	return slices.ContainsFunc(st.Actions, func(a string) bool {
		vendor, _, _ := strings.Cut(a, ":")
		return a == "*" || strings.EqualFold(vendor, namespace)
	})
}
