package codedeploy

import (
	"cmp"
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// deploymentView describes d with the counts of its targets.
func deploymentView(tx *store.Tx, d *deployment) (*api.DeploymentInfo, error) {
	list, err := targetsOf(tx, d.ID)
	if err != nil {
		return nil, err
	}
	info := &api.DeploymentInfo{
		ApplicationName: &d.ApplicationName, DeploymentGroupName: &d.GroupName, DeploymentConfigName: &d.Config, DeploymentId: &d.ID,
		PreviousRevision: d.Previous, Revision: d.Revision, Status: d.Status, CreateTime: &d.Created, Creator: d.Creator,
		IgnoreApplicationStopFailures: &d.IgnoreStopFailures, UpdateOutdatedInstancesOnly: &d.OutdatedOnly,
		AutoRollbackConfiguration: viewRollback(d.Rollback), DeploymentStyle: d.style(), TargetInstances: d.New,
		FileExistsBehavior: d.FileExists, ComputePlatform: api.ComputePlatformServer, DeploymentStatusMessages: append([]string{}, d.Messages...),
		DeploymentOverview: overview(list), RollbackInfo: d.rollbackInfo(),
	}
	info.InstanceTerminationWaitTimeStarted = aws.Ptr(d.blueGreen() && !d.BlueGreen.Blocked.IsZero())
	info.BlueGreenDeploymentConfiguration = d.options()
	info.LoadBalancerInfo = d.Balancer
	if d.UpdateOf != "" {
		info.RelatedDeployments = &api.RelatedDeployments{AutoUpdateOutdatedInstancesRootDeploymentId: &d.UpdateOf}
	}
	if len(d.Updates) > 0 {
		info.RelatedDeployments = &api.RelatedDeployments{AutoUpdateOutdatedInstancesDeploymentIds: d.Updates}
	}
	if d.OverrideAlarms {
		info.OverrideAlarmConfiguration = viewAlarms(d.Alarms)
	}
	if d.Description != "" {
		info.Description = &d.Description
	}
	if !d.Started.IsZero() {
		info.StartTime = &d.Started
	}
	if !d.Completed.IsZero() {
		info.CompleteTime = &d.Completed
	}
	if d.ErrorCode != "" {
		info.ErrorInformation = &api.ErrorInformation{Code: d.ErrorCode, Message: &d.ErrorMessage}
	}
	return info, nil
}

func (d *deployment) rollbackInfo() *api.RollbackInfo {
	if cmp.Or(d.RollbackID, d.RollbackOf, d.RollbackMessage) == "" {
		return nil
	}
	info := &api.RollbackInfo{}
	for to, text := range map[**string]*string{
		&info.RollbackDeploymentId: &d.RollbackID, &info.RollbackTriggeringDeploymentId: &d.RollbackOf, &info.RollbackMessage: &d.RollbackMessage,
	} {
		if *text != "" {
			*to = text
		}
	}
	return info
}

func overview(list []*target) *api.DeploymentOverview {
	counts := map[api.TargetStatus]int64{}
	for _, t := range list {
		counts[t.Status]++
	}
	n := func(s api.TargetStatus) *int64 { return aws.Ptr(counts[s]) }
	return &api.DeploymentOverview{
		Pending: n(api.TargetStatusPending), InProgress: n(api.TargetStatusInProgress), Succeeded: n(api.TargetStatusSucceeded),
		Failed: n(api.TargetStatusFailed), Skipped: n(api.TargetStatusSkipped), Ready: n(api.TargetStatusReady),
	}
}

// GetDeployment describes one deployment.
func (s *Service) GetDeployment(ctx context.Context, in *api.GetDeploymentInput) (*api.GetDeploymentOutput, error) {
	c := aws.CallFrom(ctx)
	id, err := checkDeploymentID(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.GetDeploymentOutput, error) {
		d, err := findDeployment(tx, c, id)
		if err != nil {
			return nil, err
		}
		info, err := deploymentView(tx, d)
		return &api.GetDeploymentOutput{DeploymentInfo: info}, err
	})
}

// BatchGetDeployments describes deployments; unknown ones are left out.
func (s *Service) BatchGetDeployments(ctx context.Context, in *api.BatchGetDeploymentsInput) (*api.BatchGetDeploymentsOutput, error) {
	c := aws.CallFrom(ctx)
	if len(in.DeploymentIds) == 0 {
		return nil, errDeploymentIDRequired
	}
	if err := checkBatch(len(in.DeploymentIds), maxBatch); err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.BatchGetDeploymentsOutput, error) {
		out := &api.BatchGetDeploymentsOutput{DeploymentsInfo: []api.DeploymentInfo{}}
		for _, id := range in.DeploymentIds {
			if _, err := checkDeploymentID(&id); err != nil {
				return nil, err
			}
			d, err := deployments.Get(tx, key(c, id))
			if isNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			info, err := deploymentView(tx, d)
			if err != nil {
				return nil, err
			}
			out.DeploymentsInfo = append(out.DeploymentsInfo, *info)
		}
		return out, nil
	})
}
