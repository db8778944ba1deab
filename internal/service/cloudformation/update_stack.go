package cloudformation

import (
	"context"
	"errors"
	"maps"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

func (s *Service) updateStackChecks(ctx context.Context, in *api.UpdateStackInput) ([]aws.Check, error) {
	return append(s.stackChecks(ctx, aws.Val(in.StackName)), passRole(in.RoleARN)...), nil
}

const noUpdates = "No updates are to be performed."

// UpdateStack judges the request, commits the stack as UPDATE_IN_PROGRESS and
// answers.
func (s *Service) UpdateStack(ctx context.Context, in *api.UpdateStackInput) (*api.UpdateStackOutput, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	if err != nil {
		return nil, err
	}
	sum, err := digest(in)
	if err != nil {
		return nil, err
	}
	if token := aws.Val(in.ClientRequestToken); token != "" && token == st.RequestToken && st.OperationName == "UpdateStack" {
		return updatedAlready(st, sum)
	}
	if err := judgeUpdate(in); err != nil {
		return nil, err
	}
	keep, err := keepFailures(in.DeploymentConfig, in.DisableRollback)
	if err != nil {
		return nil, err
	}
	if !updatable(st, keep) {
		return nil, cannotUpdate(st)
	}
	w := wanted{parameters: in.Parameters, capabilities: in.Capabilities, resourceTypes: in.ResourceTypes, tags: in.Tags, topics: in.NotificationARNs, rollback: in.RollbackConfiguration, role: aws.Val(in.RoleARN)}
	if w.body, err = s.updatedBody(ctx, st, in.UsePreviousTemplate, in.TemplateBody, in.TemplateURL); err != nil {
		return nil, err
	}
	p, changes, err := s.difference(ctx, st, w)
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 && !failed(st) && sameSettings(st.Current(), &p.spec) {
		return nil, invalid(noUpdates)
	}
	b, err := s.beginUpdate(ctx, st, in, p)
	if err != nil {
		return nil, err
	}
	b.Digest, b.DisableRollback, b.Express = sum, keep, express(in.DeploymentConfig)
	return s.startUpdate(ctx, st, b)
}

// beginUpdate is what an update hands to the engine. That of a nested stack keeps
// what the stack was, for its parent's rollback.
func (s *Service) beginUpdate(ctx context.Context, st *stack.Stack, in *api.UpdateStackInput, p *prepared) (stack.Begin, error) {
	b, err := s.begin(ctx, st, aws.Val(in.RoleARN), aws.Val(in.ClientRequestToken))
	if err != nil {
		return b, err
	}
	if err := s.policies(ctx, in, &b); err != nil {
		return b, err
	}
	b.Spec, b.RetainExcept = &p.spec, aws.Val(in.RetainExceptOnCreate)
	if parentOf(ctx) != nil {
		before := st.Spec
		b.With = func(_ *store.Tx, st *stack.Stack) error {
			st.Undo = &before
			return nil
		}
	}
	return b, nil
}

// updatedAlready answers a request whose token the stack's last update had.
func updatedAlready(st *stack.Stack, sum string) (*api.UpdateStackOutput, error) {
	if sum != st.RequestDigest {
		return nil, awserr.New("TokenAlreadyExistsException", "A client request token already exists: %s", st.RequestToken)
	}
	return &api.UpdateStackOutput{StackId: &st.ID, OperationId: &st.OperationID}, nil
}

// policies reads the stack policies that an update brings.
func (s *Service) policies(ctx context.Context, in *api.UpdateStackInput, b *stack.Begin) (err error) {
	if b.Policy, err = s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL); err != nil {
		return err
	}
	b.PolicyDuringUpdate, err = s.policyText(ctx, in.StackPolicyDuringUpdateBody, in.StackPolicyDuringUpdateURL)
	return err
}

func (s *Service) startUpdate(ctx context.Context, st *stack.Stack, b stack.Begin) (*api.UpdateStackOutput, error) {
	begun, err := s.engine.Update(ctx, st.Key(), b)
	if errors.Is(err, stack.ErrBusy) {
		if now, e := s.find(ctx, &st.ID, noStack); e == nil {
			return nil, cannotUpdate(now)
		}
	}
	if err != nil {
		return nil, err
	}
	s.linger(ctx, st, nil)
	return &api.UpdateStackOutput{StackId: &st.ID, OperationId: &begun.OperationID}, nil
}

func judgeUpdate(in *api.UpdateStackInput) error {
	if in.StackPolicyBody != nil && in.StackPolicyURL != nil || in.StackPolicyDuringUpdateBody != nil && in.StackPolicyDuringUpdateURL != nil {
		return invalid("You cannot specify both StackPolicyURL and StackPolicyBody")
	}
	if err := checkRollback(in.RollbackConfiguration); err != nil {
		return err
	}
	return checkTopics(in.NotificationARNs)
}

// updatedBody is the template of an update: the stack's own, or a new one.
func (s *Service) updatedBody(ctx context.Context, st *stack.Stack, previous *bool, body, location *string) (string, error) {
	if !aws.Val(previous) {
		return s.source(ctx, body, location)
	}
	if body != nil || location != nil {
		return "", invalid("You cannot specify a template together with UsePreviousTemplate.")
	}
	return st.Current().Template, nil
}

// updatable is stack.Updatable; a stack whose first import failed has no template
// that could be updated.
func updatable(st *stack.Stack, disableRollback bool) bool {
	return stack.Updatable(st.Status, disableRollback) && st.Current().Template != ""
}

// failed tells whether a stack was left as it is when an operation failed; the same
// template again is then an update, too.
func failed(st *stack.Stack) bool {
	return st.Status == stack.CreateFailed || st.Status == stack.UpdateFailed
}

// difference prepares an update and says what it changes. Tags that a request
// does not give stay.
func (s *Service) difference(ctx context.Context, st *stack.Stack, w wanted) (*prepared, []stack.Change, error) {
	now := st.Current()
	previous, err := s.engine.Values(st.ID, now)
	if err != nil {
		return nil, nil, err
	}
	if w.topics == nil {
		w.topics = now.NotificationARNs
	}
	p, err := s.prepare(ctx, st, w, previous)
	if err != nil {
		return nil, nil, err
	}
	if w.tags == nil {
		p.spec.Tags = now.Tags
	}
	if w.rollback == nil {
		p.spec.Rollback = now.Rollback
	}
	old, err := s.engine.ScopeOf(st, now)
	if err != nil {
		return nil, nil, err
	}
	if changed := retyped(old.Template.Resources, p.template.Resources); changed != "" {
		return nil, nil, invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]", changed)
	}
	tagged := !(len(p.spec.Tags) == 0 && len(now.Tags) == 0) && !maps.Equal(p.spec.Tags, now.Tags)
	changes, err := s.engine.Diff(ctx, st, old, p.scope, tagged)
	return p, changes, asAWS(err)
}
