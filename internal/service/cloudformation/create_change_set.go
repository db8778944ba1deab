package cloudformation

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// failedValidation is the reason of a change set whose properties early validation
// refuses; clients recognise it and ask DescribeEvents for more.
const failedValidation = "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information."

func (s *Service) createChangeSetChecks(ctx context.Context, in *api.CreateChangeSetInput) ([]aws.Check, error) {
	checks := s.stackChecks(ctx, aws.Val(in.StackName))
	checks[0].OfferText("cloudformation:ChangeSetName", aws.Val(in.ChangeSetName))
	return append(checks, passRole(in.RoleARN)...), nil
}

// CreateChangeSet says what an operation would change, and keeps it to be
// executed. For a stack that is to be, the stack is made in REVIEW_IN_PROGRESS.
func (s *Service) CreateChangeSet(ctx context.Context, in *api.CreateChangeSetInput) (*api.CreateChangeSetOutput, error) {
	if err := judgeChangeSet(in); err != nil {
		return nil, err
	}
	if err := s.judgeImports(in); err != nil {
		return nil, err
	}
	kind := "UPDATE"
	if in.ChangeSetType != "" {
		kind = string(in.ChangeSetType)
	}
	st, err := s.reviewed(ctx, in, kind)
	if err != nil {
		return nil, err
	}
	if again, err := s.sameName(ctx, st, in); again != nil || err != nil {
		return again, err
	}
	c := aws.CallFrom(ctx)
	cs := &changeSet{ID: "arn:aws:cloudformation:" + c.Region + ":" + c.Account + ":changeSet/" + *in.ChangeSetName + "/" + ids.UUID(),
		Name: *in.ChangeSetName, StackID: st.ID, StackName: st.Name, Type: kind, Description: aws.Val(in.Description),
		Status: "CREATE_COMPLETE", Execution: "AVAILABLE", OnStackFailure: string(in.OnStackFailure),
		RoleARN: aws.Val(in.RoleARN), Token: aws.Val(in.ClientToken),
		ImportExisting: aws.Val(in.ImportExistingResources), Express: express(in.DeploymentConfig)}
	if cs.KeepFailures, err = keepFailures(in.DeploymentConfig, nil); err != nil {
		return nil, err
	}
	if err := s.fill(ctx, st, cs, in); err != nil {
		return nil, err
	}
	if cs.Nested = aws.Val(in.IncludeNestedStacks); cs.Nested {
		if err := s.addNested(ctx, st, cs); err != nil {
			return nil, err
		}
	}
	if len(cs.Invalid) > 0 {
		cs.Status, cs.Execution, cs.Reason = "FAILED", "UNAVAILABLE", failedValidation
	}
	if len(cs.Changes) == 0 && cs.Status != "FAILED" && sameSettings(st.Current(), &cs.Spec) {
		cs.Status, cs.Execution, cs.Reason = "FAILED", "UNAVAILABLE", noChanges
	}
	if err := s.keepChangeSet(ctx, st, cs); err != nil {
		return nil, err
	}
	return &api.CreateChangeSetOutput{Id: &cs.ID, StackId: &st.ID}, nil
}

func judgeChangeSet(in *api.CreateChangeSetInput) error {
	if err := checkRollback(in.RollbackConfiguration); err != nil {
		return err
	}
	if in.OnStackFailure == api.OnStackFailureDelete && in.ChangeSetType != api.ChangeSetTypeCreate {
		return invalid("OnStackFailure DELETE is only valid when ChangeSetType is CREATE")
	}
	if err := checkTopics(in.NotificationARNs); err != nil {
		return err
	}
	return notBuilt(map[string]bool{"DeploymentMode": in.DeploymentMode != ""})
}

// reviewed returns the stack that a change set is for; of type CREATE it need not
// be stored yet (Status is then empty).
func (s *Service) reviewed(ctx context.Context, in *api.CreateChangeSetInput, kind string) (*stack.Stack, error) {
	st, err := s.find(ctx, in.StackName, noStack)
	switch {
	case err == nil && kind == "CREATE" && st.Status != stack.ReviewInProgress:
		return nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", *in.StackName, *in.ChangeSetName)
	case err == nil && kind == "UPDATE" && !updatable(st, in.OnStackFailure == api.OnStackFailureDoNothing),
		err == nil && kind == kindImport && st.Status != stack.ReviewInProgress && !stack.Updatable(st.Status, false):
		return nil, cannotUpdate(st)
	case err == nil:
		return st, nil
	case kind != "UPDATE" && awserr.As(err) != nil && !isARN(*in.StackName):
		return newStack(aws.CallFrom(ctx), *in.StackName), nil
	}
	return nil, err
}

// sameName refuses a name that is in use, unless it is the same request again.
func (s *Service) sameName(ctx context.Context, st *stack.Stack, in *api.CreateChangeSetInput) (*api.CreateChangeSetOutput, error) {
	list, err := s.changeSetsOf(ctx, st.ID)
	if err != nil {
		return nil, err
	}
	for _, cs := range list {
		if cs.Name != *in.ChangeSetName || cs.Execution == "EXECUTE_IN_PROGRESS" {
			continue // executed ones are gone, but for who asks by ARN
		}
		if cs.Token != "" && cs.Token == aws.Val(in.ClientToken) {
			return &api.CreateChangeSetOutput{Id: &cs.ID, StackId: &cs.StackID}, nil
		}
		return nil, awserr.New("AlreadyExistsException", "ChangeSet %s already exists", cs.Name)
	}
	return nil, nil
}

// fill judges the request and writes its Spec and its changes into cs.
func (s *Service) fill(ctx context.Context, st *stack.Stack, cs *changeSet, in *api.CreateChangeSetInput) error {
	w := wanted{parameters: in.Parameters, capabilities: in.Capabilities, resourceTypes: in.ResourceTypes, tags: in.Tags, topics: in.NotificationARNs, rollback: in.RollbackConfiguration, role: cs.RoleARN, reviewed: true}
	var err error
	if w.body, err = s.updatedBody(ctx, st, in.UsePreviousTemplate, in.TemplateBody, in.TemplateURL); err != nil {
		return err
	}
	var old *template.Template
	var p *prepared
	if st.Current().Template != "" {
		if p, cs.Changes, err = s.difference(ctx, st, w); err != nil {
			return err
		}
		if old, err = template.Parse(st.Current().Effective()); err != nil {
			return err
		}
	} else {
		if p, err = s.prepare(ctx, st, w, nil); err != nil {
			return err
		}
		if cs.Changes, err = s.engine.Diff(ctx, st, nil, p.scope, false); err != nil {
			return asAWS(err)
		}
	}
	cs.Spec, cs.Invalid = p.spec, s.engine.Preflight(p.scope)
	who, err := s.principalOf(ctx, cmp.Or(cs.RoleARN, st.RoleARN))
	if err != nil {
		return err
	}
	call := aws.CallFrom(ctx)
	call.Principal = who
	switch {
	case cs.Type == kindImport:
		if err := s.fillImport(st, cs, old, p, in); err != nil {
			return err
		}
		return s.lookForImports(aws.WithCall(ctx, call), st, cs)
	case cs.ImportExisting:
		return s.importExisting(aws.WithCall(ctx, call), st, cs, p)
	}
	return nil
}

// underReview makes the stack of a change set, if there is none.
func (s *Service) underReview(ctx context.Context, st *stack.Stack, cs *changeSet) (*stack.Stack, error) {
	if st.Status != "" {
		return st, nil
	}
	b, err := s.begin(ctx, st, cs.RoleARN, "")
	if err != nil {
		return nil, err
	}
	b.Spec, b.Parent, b.Root = &stack.Spec{Tags: cs.Spec.Tags}, st.Parent, st.Root
	made, err := s.engine.Review(ctx, b)
	if errors.Is(err, store.ErrExists) {
		return nil, awserr.New("AlreadyExistsException", "Stack [%s] already exists", st.Name)
	}
	return made, err
}

// keepChangeSet makes the stack under review, if there is none, and the row.
func (s *Service) keepChangeSet(ctx context.Context, st *stack.Stack, cs *changeSet) error {
	st, err := s.underReview(ctx, st, cs)
	if err != nil {
		return err
	}
	cs.Base = st.Operation
	return s.db.Update(ctx, func(tx *store.Tx) error {
		cs.Created = tx.Now()
		return changeSets.Insert(tx, store.Key{Account: st.Account, Region: st.Region, ID: cs.ID}, cs)
	})
}

func isARN(s string) bool { return strings.HasPrefix(s, "arn:") }
