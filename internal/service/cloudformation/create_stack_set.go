package cloudformation

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// The roles of a stack set that names none.
const (
	adminRoleName     = "AWSCloudFormationStackSetAdministrationRole"
	executionRoleName = "AWSCloudFormationStackSetExecutionRole"
)

func (s *Service) createStackSetChecks(ctx context.Context, in *api.CreateStackSetInput) ([]aws.Check, error) {
	return append(s.setChecks(ctx, aws.Val(in.StackSetName)), passRole(in.AdministrationRoleARN)...), nil
}

// CreateStackSet keeps a template, with values for its parameters, to make stacks
// of in accounts and regions.
func (s *Service) CreateStackSet(ctx context.Context, in *api.CreateStackSetInput) (*api.CreateStackSetOutput, error) {
	if err := selfManaged(in.PermissionModel, in.AutoDeployment, in.CallAs); err != nil {
		return nil, err
	}
	sum, err := digest(in)
	if err != nil {
		return nil, err
	}
	if again, err := s.createdBefore(ctx, in, sum); again != nil || err != nil {
		return again, err
	}
	body, err := s.setBody(ctx, in)
	if err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	set := &stackSet{ID: *in.StackSetName + ":" + ids.UUID(), Name: *in.StackSetName, Account: c.Account, Region: c.Region,
		Description: aws.Val(in.Description), AdminRole: "arn:aws:iam::" + c.Account + ":role/" + adminRoleName, ExecutionRole: executionRoleName,
		Managed: in.ManagedExecution != nil && aws.Val(in.ManagedExecution.Active), Token: aws.Val(in.ClientRequestToken), Digest: sum}
	set.roles(in.AdministrationRoleARN, in.ExecutionRoleName)
	w := wanted{body: body, parameters: in.Parameters, capabilities: in.Capabilities, tags: in.Tags}
	if set.Spec, err = s.setSpec(set.ID, w, nil); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		set.Created = tx.Now()
		return stackSets.Insert(tx, set.key(), set)
	})
	if errors.Is(err, store.ErrExists) {
		return nil, setExists(set.Name)
	}
	return &api.CreateStackSetOutput{StackSetId: &set.ID}, err
}

func setExists(name string) error {
	return awserr.Status(http.StatusConflict, "NameAlreadyExistsException", "StackSet %s already exists", name)
}

// selfManaged refuses what only accounts of an organization can do.
func selfManaged(model api.PermissionModels, auto *api.AutoDeployment, callAs api.CallAs) error {
	if err := asSelf(callAs); err != nil {
		return err
	}
	if model == api.PermissionModelsServiceManaged {
		return invalid("You must be the management account or delegated admin account of an organization before operating a SERVICE_MANAGED stack set")
	}
	if auto != nil {
		return invalid("AutoDeployment can only be specified for stack sets with SERVICE_MANAGED permission model")
	}
	return nil
}

// createdBefore answers a request whose name exists: the same request again, by
// its token, gives the set that it made.
func (s *Service) createdBefore(ctx context.Context, in *api.CreateStackSetInput, sum string) (*api.CreateStackSetOutput, error) {
	set, err := s.set(ctx, in.StackSetName)
	switch {
	case awserr.Is(err, "StackSetNotFoundException"):
		return nil, nil
	case err != nil:
		return nil, err
	case in.ClientRequestToken == nil || *in.ClientRequestToken != set.Token:
		return nil, setExists(set.Name)
	case sum != set.Digest || set.Operations > 0:
		return nil, awserr.Status(http.StatusConflict, "CreatedButModifiedException", "The specified resource exists, but has been changed.")
	}
	return &api.CreateStackSetOutput{StackSetId: &set.ID}, nil
}

// setBody is the template of a set: given, or that of a stack.
func (s *Service) setBody(ctx context.Context, in *api.CreateStackSetInput) (string, error) {
	if in.StackId == nil {
		return s.source(ctx, in.TemplateBody, in.TemplateURL)
	}
	if in.TemplateBody != nil || in.TemplateURL != nil {
		return "", invalid("You must specify only one of TemplateBody, TemplateURL and StackId.")
	}
	st, err := s.find(ctx, in.StackId, noStack)
	if err != nil {
		return "", err
	}
	return st.Current().Template, nil
}

func (s *stackSet) roles(admin, execution *string) {
	if admin != nil {
		s.AdminRole = *admin
	}
	if execution != nil {
		s.ExecutionRole = *execution
	}
}

// setSpec judges a set's template and gives its parameters values. What depends on
// an account, such as whether a key pair exists, is judged where a stack is made.
func (s *Service) setSpec(id string, w wanted, previous map[string]template.Value) (stack.Spec, error) {
	t, err := s.summary(w.body, s.judgeTemplate)
	if err != nil {
		return stack.Spec{}, err
	}
	if missing := missingCapabilities(t, s.engine.Types(), w); len(missing) > 0 {
		return stack.Spec{}, requiresCapabilities(missing)
	}
	tags, err := checkTags(w.tags)
	if err != nil {
		return stack.Spec{}, err
	}
	values, err := t.Assign(given(w.parameters), previous)
	if err != nil {
		return stack.Spec{}, asAWS(err)
	}
	spec, err := s.engine.NewSpec(id, w.body, t, values)
	spec.Tags = tags
	for _, c := range w.capabilities {
		spec.Capabilities = append(spec.Capabilities, string(c))
	}
	return spec, err
}

// DeleteStackSet deletes a set that has no instances.
func (s *Service) DeleteStackSet(ctx context.Context, in *api.DeleteStackSetInput) (*api.DeleteStackSetOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		set, err := lookupSet(tx, aws.CallFrom(ctx), aws.Val(in.StackSetName))
		if err != nil || set.Deleted {
			return err
		}
		if err := idle(tx, set); err != nil {
			return err
		}
		list, err := instancesOf(tx, set.ID)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			return awserr.Status(http.StatusConflict, "StackSetNotEmptyException", "StackSet is not empty")
		}
		set.Deleted, set.DeletedAt, set.Spec.Secrets = true, tx.Now(), nil
		return stackSets.Put(tx, set.key(), set)
	})
	if awserr.Is(err, "StackSetNotFoundException") {
		err = nil // has been deleted, and the operation has no such error
	}
	return &api.DeleteStackSetOutput{}, err
}

// DescribeStackSet describes a set.
func (s *Service) DescribeStackSet(ctx context.Context, in *api.DescribeStackSetInput) (*api.DescribeStackSetOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	set, err := s.set(ctx, in.StackSetName)
	if err != nil {
		return nil, err
	}
	v := &api.StackSet{StackSetName: &set.Name, StackSetId: &set.ID, Description: optional(set.Description), Status: setStatus(set),
		TemplateBody: &set.Spec.Template, Parameters: parameterViews(set.Spec.Parameters), Tags: tagViews(set.Spec.Tags), StackSetARN: aws.Ptr(set.arn()),
		AdministrationRoleARN: &set.AdminRole, ExecutionRoleName: &set.ExecutionRole, PermissionModel: api.PermissionModelsSelfManaged,
		StackSetDriftDetectionDetails: setDriftView(set.Drift), OrganizationalUnitIds: []string{},
		ManagedExecution: &api.ManagedExecution{Active: &set.Managed}, Capabilities: []api.Capability{}}
	for _, c := range set.Spec.Capabilities {
		v.Capabilities = append(v.Capabilities, api.Capability(c))
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err := instancesOf(tx, set.ID)
		regions := map[string]bool{}
		for _, i := range list {
			regions[i.Region] = true
		}
		v.Regions = slices.Sorted(maps.Keys(regions))
		return err
	})
	return &api.DescribeStackSetOutput{StackSet: v}, err
}

func setStatus(set *stackSet) api.StackSetStatus {
	if set.Deleted {
		return api.StackSetStatusDeleted
	}
	return api.StackSetStatusActive
}

// ListStackSets lists the sets of the caller's account and region.
func (s *Service) ListStackSets(ctx context.Context, in *api.ListStackSetsInput) (*api.ListStackSetsOutput, error) {
	if err := asSelf(in.CallAs); err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	var list []*stackSet
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := stackSets.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		for _, row := range rows {
			if in.Status == "" || setStatus(row.Value) == in.Status {
				list = append(list, row.Value)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, next, err := pageOf(list, in.NextToken, in.MaxResults)
	out := &api.ListStackSetsOutput{NextToken: next, Summaries: []api.StackSetSummary{}}
	for _, set := range list {
		v := api.StackSetSummary{StackSetName: &set.Name, StackSetId: &set.ID, Description: optional(set.Description), Status: setStatus(set),
			PermissionModel: api.PermissionModelsSelfManaged, DriftStatus: api.StackDriftStatusNotChecked, ManagedExecution: &api.ManagedExecution{Active: &set.Managed}}
		if set.Drift != nil {
			v.DriftStatus, v.LastDriftCheckTimestamp = api.StackDriftStatus(set.Drift.Status), moment(set.Drift.Checked)
		}
		out.Summaries = append(out.Summaries, v)
	}
	return out, err
}
