package iam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// simulation is a question to the policy simulator, whoever asked it.
type simulation struct {
	set       policy.Set
	principal aws.Principal
	owner     string // account of the resources
	context   policy.Context
	documents []*policy.Document
	texts     map[*policy.Document]string
}

// SimulateCustomPolicy tells what the policies given would decide. Condition keys
// have the values of ContextEntries only.
func (s *Service) SimulateCustomPolicy(ctx context.Context, in *api.SimulateCustomPolicyInput) (*api.SimulateCustomPolicyOutput, error) {
	if in.ResourceHandlingOption != nil {
		return nil, errHandlingOption()
	}
	if err := needsCaller(in.ResourcePolicy, in.CallerArn, ""); err != nil {
		return nil, err
	}
	sim := s.newSimulation(ctx, in.ContextEntries, in.CallerArn, in.ResourceOwner)
	if err := s.addDocuments(&sim, in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, in.ResourcePolicy); err != nil {
		return nil, err
	}
	p, err := paginateResults(sim.results(in.ActionNames, in.ResourceArns), in.Marker, in.MaxItems)
	return &api.SimulateCustomPolicyOutput{EvaluationResults: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// SimulatePrincipalPolicy tells what the policies of a user, group or role, with
// those given added, would decide.
func (s *Service) SimulatePrincipalPolicy(ctx context.Context, in *api.SimulatePrincipalPolicyInput) (*api.SimulatePrincipalPolicyOutput, error) {
	if in.ResourceHandlingOption != nil {
		return nil, errHandlingOption()
	}
	caller := in.CallerArn
	if caller == nil {
		caller = in.PolicySourceArn
	}
	sim := s.newSimulation(ctx, in.ContextEntries, caller, in.ResourceOwner)
	who, err := s.policySource(ctx, *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	if err := s.addOwn(ctx, who, &sim); err != nil {
		return nil, err
	}
	if err := needsCaller(in.ResourcePolicy, in.CallerArn, who.entity.Kind); err != nil {
		return nil, err
	}
	if err := s.addDocuments(&sim, in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, in.ResourcePolicy); err != nil {
		return nil, err
	}
	p, err := paginateResults(sim.results(in.ActionNames, in.ResourceArns), in.Marker, in.MaxItems)
	return &api.SimulatePrincipalPolicyOutput{EvaluationResults: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

func errHandlingOption() error {
	return awserr.Status(http.StatusNotImplemented, "NotImplemented", "hardstand does not implement ResourceHandlingOption of the policy simulator.")
}

// paginateResults pages by position: the same question has the same results.
func paginateResults(list []api.EvaluationResult, marker *string, limit *int32) (page[api.EvaluationResult], error) {
	positions := make([]int, len(list))
	for i := range positions {
		positions[i] = i
	}
	p, err := paginate(positions, func(i int) string { return fmt.Sprintf("%08d", i) }, marker, limit)
	out := page[api.EvaluationResult]{items: []api.EvaluationResult{}, truncated: p.truncated, marker: p.marker}
	for _, i := range p.items {
		out.items = append(out.items, list[i])
	}
	return out, err
}

func (s *Service) newSimulation(ctx context.Context, entries []api.ContextEntry, caller, owner *string) simulation {
	keys := map[string][]string{}
	for _, e := range entries {
		keys[aws.Val(e.ContextKeyName)] = e.ContextKeyValues
	}
	sim := simulation{context: policy.NewContext(keys), texts: map[*policy.Document]string{}, principal: aws.Principal{Type: aws.PrincipalUser, Account: accountOf(ctx), ARN: aws.Val(caller)}}
	if a, err := arn.Parse(aws.Val(caller)); err == nil {
		sim.principal.Account = a.Account
	}
	if a, err := arn.Parse(aws.Val(owner)); err == nil {
		sim.owner = a.Account
	}
	return sim
}

// addDocuments adds the policies that the question itself brings.
func (s *Service) addDocuments(sim *simulation, identity, boundary []string, resource *string) error {
	add := func(text, name string, kind policy.Kind) (policy.Source, error) {
		doc, err := s.documents.parse(text, kind)
		if err != nil {
			return policy.Source{}, notSimulable(err)
		}
		sim.documents = append(sim.documents, doc)
		sim.texts[doc] = text
		return policy.Source{Name: name, Document: doc}, nil
	}
	for i, text := range identity {
		src, err := add(text, fmt.Sprintf("PolicyInputList.%d", i+1), policy.Identity)
		if err != nil {
			return err
		}
		sim.set.Identity = append(sim.set.Identity, src)
	}
	if len(boundary) > 1 {
		return invalidInput("Only one permissions boundary policy can be given.")
	}
	for _, text := range boundary {
		src, err := add(text, "PermissionsBoundaryPolicyInputList.1", policy.Identity)
		if err != nil {
			return err
		}
		sim.set.Boundary = &src
	}
	if resource == nil {
		return nil
	}
	src, err := add(*resource, "ResourcePolicy", policy.Resource)
	sim.set.Resource = &src
	return err
}

// needsCaller: a resource policy speaks about callers, and only a user is one.
func needsCaller(resourcePolicy, callerARN *string, kind string) error {
	if resourcePolicy != nil && callerARN == nil && kind != userKind {
		return invalidInput("A CallerArn must be given with a ResourcePolicy.")
	}
	return nil
}

// notSimulable turns a refusal of the policy parser into the simulator's error.
func notSimulable(err error) error {
	var bad *policy.Malformed
	if errors.As(err, &bad) {
		return invalidInput("%s", bad.Message)
	}
	return err
}

// addOwn adds the policies of the identity that is simulated, with their texts.
func (s *Service) addOwn(ctx context.Context, who caller, sim *simulation) error {
	err := s.db.View(ctx, func(tx *store.Tx) error {
		if err := s.addIdentity(tx, who, &sim.set); err != nil {
			return err
		}
		return s.rememberTexts(tx, who, sim)
	})
	for _, src := range sim.set.Identity {
		sim.documents = append(sim.documents, src.Document)
	}
	if sim.set.Boundary != nil {
		sim.documents = append(sim.documents, sim.set.Boundary.Document)
	}
	return err
}

// rememberTexts keeps what the identity's documents were parsed from: results tell
// where in it a statement stands.
func (s *Service) rememberTexts(tx *store.Tx, who caller, sim *simulation) error {
	remember := func(text string) error {
		doc, err := s.documents.parse(text, policy.Identity)
		sim.texts[doc] = text
		return err
	}
	for _, e := range append([]*entity{who.entity}, who.groups...) {
		for _, text := range e.Inline {
			if err := remember(text); err != nil {
				return err
			}
		}
		for _, a := range append(slices.Clone(e.Attached), nonEmpty(e.Boundary)...) {
			m, err := findPolicy(tx, who.account, a)
			if err == nil && m != nil {
				err = remember(m.document())
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// policySource finds the user, group or role that is simulated.
func (s *Service) policySource(ctx context.Context, sourceARN string) (caller, error) {
	a, err := arn.Parse(sourceARN)
	kind, _, _ := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "iam" || a.Account != accountOf(ctx) || idPrefixes[kind] == "" {
		return caller{}, invalidInput("Invalid Entity Arn: %s does not clearly define entity type and name.", sourceARN)
	}
	return view(ctx, s, func(tx *store.Tx) (caller, error) {
		e, err := getEntity(tx, a.Account, kind, arn.Name(sourceARN))
		if err != nil {
			return caller{}, err
		}
		groups, err := groupsOfUser(tx, e)
		return caller{entity: e, account: a.Account, groups: groups}, err
	})
}

// missing are the condition keys that the policies read and the question lacks.
func (sim *simulation) missing() []string {
	out := []string{}
	for _, key := range contextKeys(sim.documents) {
		if _, given := sim.context[strings.ToLower(key)]; !given {
			out = append(out, key)
		}
	}
	return out
}

func contextKeys(documents []*policy.Document) []string {
	out := []string{}
	for _, d := range documents {
		for _, key := range d.ContextKeys() {
			if !slices.ContainsFunc(out, func(k string) bool { return strings.EqualFold(k, key) }) {
				out = append(out, key)
			}
		}
	}
	return out
}

// GetContextKeysForCustomPolicy names the condition keys that policies read.
func (s *Service) GetContextKeysForCustomPolicy(ctx context.Context, in *api.GetContextKeysForCustomPolicyInput) (*api.GetContextKeysForCustomPolicyOutput, error) {
	sim := s.newSimulation(ctx, nil, nil, nil)
	err := s.addDocuments(&sim, in.PolicyInputList, nil, nil)
	return &api.GetContextKeysForCustomPolicyOutput{ContextKeyNames: contextKeys(sim.documents)}, err
}

// GetContextKeysForPrincipalPolicy names the condition keys that the policies of a
// user, group or role read.
func (s *Service) GetContextKeysForPrincipalPolicy(ctx context.Context, in *api.GetContextKeysForPrincipalPolicyInput) (*api.GetContextKeysForPrincipalPolicyOutput, error) {
	who, err := s.policySource(ctx, *in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	sim := s.newSimulation(ctx, nil, nil, nil)
	if err := s.addOwn(ctx, who, &sim); err != nil {
		return nil, err
	}
	err = s.addDocuments(&sim, in.PolicyInputList, nil, nil)
	return &api.GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: contextKeys(sim.documents)}, err
}
