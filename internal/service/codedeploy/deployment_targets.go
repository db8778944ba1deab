package codedeploy

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

func (e *event) view() api.LifecycleEvent {
	out := api.LifecycleEvent{LifecycleEventName: &e.Name, Status: e.Status}
	if !e.Start.IsZero() {
		out.StartTime = &e.Start
	}
	if !e.End.IsZero() {
		out.EndTime = &e.End
	}
	if e.Code != "" {
		out.Diagnostics = &api.Diagnostics{ErrorCode: e.Code, ScriptName: &e.Script, Message: &e.Message, LogTail: &e.Log}
	}
	return out
}

func (t *target) events() []api.LifecycleEvent {
	out := make([]api.LifecycleEvent, len(t.Events))
	for i := range t.Events {
		out[i] = t.Events[i].view()
	}
	return out
}

func instanceARN(k store.Key, id string) string {
	return arn.New("ec2", k.Region, k.Account, "instance/"+id)
}

// arn is the target's ARN; rows of older versions do not have it.
func (t *target) arn(k store.Key) string {
	if t.ARN == "" {
		return instanceARN(k, t.InstanceID)
	}
	return t.ARN
}

func (t *target) view(c aws.Call) api.DeploymentTarget {
	return api.DeploymentTarget{DeploymentTargetType: api.DeploymentTargetTypeInstanceTarget, InstanceTarget: &api.InstanceTarget{
		DeploymentId: &t.DeploymentID, TargetId: &t.InstanceID, TargetArn: aws.Ptr(t.arn(key(c, ""))),
		Status: t.Status, LastUpdatedAt: &t.Updated, LifecycleEvents: t.events(), InstanceLabel: t.Label,
	}}
}

func (t *target) summary(c aws.Call) api.InstanceSummary {
	return api.InstanceSummary{
		DeploymentId: &t.DeploymentID, InstanceId: aws.Ptr(t.arn(key(c, ""))), Status: api.InstanceStatus(t.Status),
		LastUpdatedAt: &t.Updated, LifecycleEvents: t.events(), InstanceType: api.InstanceType(t.Label),
	}
}

// startedTargets returns the targets of a deployment that has some.
func startedTargets(tx *store.Tx, c aws.Call, id *string) ([]*target, error) {
	name, err := checkDeploymentID(id)
	if err != nil {
		return nil, err
	}
	d, err := findDeployment(tx, c, name)
	if err != nil {
		return nil, err
	}
	if d.Status == api.DeploymentStatusCreated || d.Status == api.DeploymentStatusQueued {
		return nil, awserr.New("DeploymentNotStartedException", "The specified deployment has not started: %s", name)
	}
	return targetsOf(tx, name)
}

// anyTargets is startedTargets for the older operations, to which a deployment that has
// not started has no instances.
func anyTargets(tx *store.Tx, c aws.Call, id *string) ([]*target, error) {
	list, err := startedTargets(tx, c, id)
	return list, ignoreCode(err, "DeploymentNotStartedException")
}

// findTarget finds one target by instance id or ARN.
func findTarget(list []*target, id string) *target {
	for _, t := range list {
		if t.InstanceID == bareInstance(id) || t.ARN == id {
			return t
		}
	}
	return nil
}

// targetStatuses are those that targets are filtered by.
var targetStatuses = []api.TargetStatus{api.TargetStatusFailed, api.TargetStatusInProgress, api.TargetStatusPending, api.TargetStatusReady,
	api.TargetStatusSkipped, api.TargetStatusSucceeded, api.TargetStatusUnknown}

// ListDeploymentTargets returns the ids of a deployment's targets.
func (s *Service) ListDeploymentTargets(ctx context.Context, in *api.ListDeploymentTargetsInput) (*api.ListDeploymentTargetsOutput, error) {
	c := aws.CallFrom(ctx)
	statuses, labels := in.TargetFilters[api.TargetFilterNameTargetStatus], in.TargetFilters[api.TargetFilterNameServerInstanceLabel]
	for _, st := range statuses {
		if !slices.Contains(targetStatuses, api.TargetStatus(st)) {
			return nil, awserr.New("InvalidInstanceStatusException", "The specified instance status does not exist: %s", st)
		}
	}
	for _, l := range labels {
		if !strings.EqualFold(l, string(api.TargetLabelBlue)) && !strings.EqualFold(l, string(api.TargetLabelGreen)) {
			return nil, awserr.New("InvalidInstanceTypeException", "An invalid instance type was specified for instances in a blue/green deployment: %s. Valid values are Blue and Green.", l)
		}
	}
	return view(ctx, s, func(tx *store.Tx) (*api.ListDeploymentTargetsOutput, error) {
		list, err := startedTargets(tx, c, in.DeploymentId)
		if err != nil {
			return nil, err
		}
		names, next, err := targetNames(list, statuses, labels, in.NextToken)
		return &api.ListDeploymentTargetsOutput{TargetIds: names, NextToken: next}, err
	})
}

// targetNames pages the names of the targets that have one of the statuses and
// one of the labels; none means any. Labels are written BLUE in one API and Blue
// in the other.
func targetNames(list []*target, statuses, labels []string, token *string) ([]string, *string, error) {
	if len(labels) > 0 && !slices.ContainsFunc(list, func(t *target) bool { return t.Label != "" }) {
		return nil, nil, awserr.New("InvalidDeploymentInstanceTypeException",
			"An instance type was specified for an in-place deployment. Instance types are supported for blue/green deployments only.")
	}
	var names []string
	for _, t := range list {
		labelled := func(l string) bool { return strings.EqualFold(l, string(t.Label)) }
		if (len(statuses) == 0 || slices.Contains(statuses, string(t.Status))) && (len(labels) == 0 || slices.ContainsFunc(labels, labelled)) {
			names = append(names, t.InstanceID)
		}
	}
	slices.Sort(names)
	return page(names, token)
}

// ListDeploymentInstances is the older form of ListDeploymentTargets.
func (s *Service) ListDeploymentInstances(ctx context.Context, in *api.ListDeploymentInstancesInput) (*api.ListDeploymentInstancesOutput, error) {
	c := aws.CallFrom(ctx)
	var statuses, labels []string
	for _, l := range in.InstanceTypeFilter {
		labels = append(labels, string(l))
	}
	for _, st := range in.InstanceStatusFilter {
		statuses = append(statuses, string(st))
	}
	return view(ctx, s, func(tx *store.Tx) (*api.ListDeploymentInstancesOutput, error) {
		list, err := startedTargets(tx, c, in.DeploymentId)
		if err != nil {
			return nil, err
		}
		names, next, err := targetNames(list, statuses, labels, in.NextToken)
		return &api.ListDeploymentInstancesOutput{InstancesList: names, NextToken: next}, err
	})
}

// GetDeploymentTarget describes one target with its lifecycle events.
func (s *Service) GetDeploymentTarget(ctx context.Context, in *api.GetDeploymentTargetInput) (*api.GetDeploymentTargetOutput, error) {
	c := aws.CallFrom(ctx)
	if aws.Val(in.TargetId) == "" {
		return nil, awserr.New("DeploymentTargetIdRequiredException", "A deployment target ID was not provided.")
	}
	return view(ctx, s, func(tx *store.Tx) (*api.GetDeploymentTargetOutput, error) {
		list, err := startedTargets(tx, c, in.DeploymentId)
		if err != nil {
			return nil, err
		}
		t := findTarget(list, *in.TargetId)
		if t == nil {
			return nil, errNoTarget(*in.TargetId)
		}
		info := t.view(c)
		return &api.GetDeploymentTargetOutput{DeploymentTarget: &info}, nil
	})
}

func errNoTarget(id string) error {
	return awserr.New("DeploymentTargetDoesNotExistException", "The provided target ID does not belong to the attempted deployment: %s", id)
}

// BatchGetDeploymentTargets describes targets; all of them must exist.
func (s *Service) BatchGetDeploymentTargets(ctx context.Context, in *api.BatchGetDeploymentTargetsInput) (*api.BatchGetDeploymentTargetsOutput, error) {
	c := aws.CallFrom(ctx)
	if len(in.TargetIds) == 0 {
		return nil, awserr.New("DeploymentTargetIdRequiredException", "A deployment target ID was not provided.")
	}
	if len(in.TargetIds) > maxBatch {
		return nil, awserr.New("DeploymentTargetListSizeExceededException", "At most %d targets can be described in one request.", maxBatch)
	}
	return view(ctx, s, func(tx *store.Tx) (*api.BatchGetDeploymentTargetsOutput, error) {
		list, err := startedTargets(tx, c, in.DeploymentId)
		if err != nil {
			return nil, err
		}
		out := &api.BatchGetDeploymentTargetsOutput{DeploymentTargets: []api.DeploymentTarget{}}
		for _, id := range in.TargetIds {
			t := findTarget(list, id)
			if t == nil {
				return nil, errNoTarget(id)
			}
			out.DeploymentTargets = append(out.DeploymentTargets, t.view(c))
		}
		return out, nil
	})
}

// GetDeploymentInstance is the older form of GetDeploymentTarget.
func (s *Service) GetDeploymentInstance(ctx context.Context, in *api.GetDeploymentInstanceInput) (*api.GetDeploymentInstanceOutput, error) {
	c := aws.CallFrom(ctx)
	if aws.Val(in.InstanceId) == "" {
		return nil, errInstanceIDRequired
	}
	return view(ctx, s, func(tx *store.Tx) (*api.GetDeploymentInstanceOutput, error) {
		list, err := anyTargets(tx, c, in.DeploymentId)
		if err != nil {
			return nil, err
		}
		t := findTarget(list, *in.InstanceId)
		if t == nil {
			return nil, awserr.New("InstanceDoesNotExistException", "The specified instance does not exist in the deployment group: %s", *in.InstanceId)
		}
		info := t.summary(c)
		return &api.GetDeploymentInstanceOutput{InstanceSummary: &info}, nil
	})
}

// BatchGetDeploymentInstances is the older form of BatchGetDeploymentTargets.
func (s *Service) BatchGetDeploymentInstances(ctx context.Context, in *api.BatchGetDeploymentInstancesInput) (*api.BatchGetDeploymentInstancesOutput, error) {
	c := aws.CallFrom(ctx)
	if len(in.InstanceIds) == 0 {
		return nil, errInstanceIDRequired
	}
	if err := checkBatch(len(in.InstanceIds), maxBatch); err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.BatchGetDeploymentInstancesOutput, error) {
		list, err := anyTargets(tx, c, in.DeploymentId)
		if err != nil {
			return nil, err
		}
		out := &api.BatchGetDeploymentInstancesOutput{InstancesSummary: []api.InstanceSummary{}}
		for _, id := range in.InstanceIds {
			t := findTarget(list, id)
			if t == nil {
				out.ErrorMessage = aws.Ptr("The specified instance does not exist in the deployment group: " + id)
				continue
			}
			out.InstancesSummary = append(out.InstancesSummary, t.summary(c))
		}
		return out, nil
	})
}
