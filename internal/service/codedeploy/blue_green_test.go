package codedeploy

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// setTag makes a running instance with the tag app=value.
func (w *world) setTag(id, value string) {
	w.setState(id, "running")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines[len(w.machines)-1].Tags[0].Value = &value
}

func (w *world) terminateInstances(_ context.Context, in *ec2.TerminateInstancesInput) (*ec2.TerminateInstancesOutput, error) {
	for _, id := range in.InstanceIds {
		w.setState(id, "terminated")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.terminated = append(w.terminated, in.InstanceIds...)
	return &ec2.TerminateInstancesOutput{}, nil
}

// greenWorld has two blue and two green instances, and a group that waits
// readyMinutes for ContinueDeployment (0: does not) and five before it terminates
// blue.
func greenWorld(t *testing.T, readyMinutes int32, fail func(key, event string) bool) (w *world, agents map[string]*hostAgent) {
	w = newWorld(t, "i-1", "i-2")
	w.setTag("i-3", "green")
	w.setTag("i-4", "green")
	options := &api.BlueGreenDeploymentConfiguration{
		TerminateBlueInstancesOnDeploymentSuccess: &api.BlueInstanceTerminationOption{Action: api.InstanceActionTerminate, TerminationWaitTimeInMinutes: aws.Ptr[int32](5)},
		GreenFleetProvisioningOption:              &api.GreenFleetProvisioningOption{Action: api.GreenFleetProvisioningActionDiscoverExisting},
	}
	if readyMinutes > 0 {
		options.DeploymentReadyOption = &api.DeploymentReadyOption{ActionOnTimeout: api.DeploymentReadyActionStopDeployment, WaitTimeInMinutes: &readyMinutes}
	}
	w.setUp(func(in *api.CreateDeploymentGroupInput) {
		in.DeploymentStyle = &api.DeploymentStyle{DeploymentType: api.DeploymentTypeBlueGreen, DeploymentOption: api.DeploymentOptionWithoutTrafficControl}
		in.BlueGreenDeploymentConfiguration = options
		in.DeploymentConfigName = aws.Ptr(allAtOnce)
		in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: aws.Ptr(true), Events: []api.AutoRollbackEvent{api.AutoRollbackEventDeploymentFailure}}
	})
	agents = map[string]*hostAgent{}
	for _, id := range []string{"i-1", "i-2", "i-3", "i-4"} {
		agents[id] = w.agent(id, fail)
	}
	return w, agents
}

func toGreen(in *api.CreateDeploymentInput) {
	in.TargetInstances = &api.TargetInstances{TagFilters: []api.EC2TagFilter{{Key: aws.Ptr("app"), Value: aws.Ptr("green"), Type: api.EC2TagFilterTypeKeyAndValue}}}
}

func isReady(d *api.DeploymentInfo) bool { return d.Status == api.DeploymentStatusReady }

func waitsForTermination(d *api.DeploymentInfo) bool { return *d.InstanceTerminationWaitTimeStarted }

func TestBlueGreen(t *testing.T) {
	w, agents := greenWorld(t, 60, nil)
	id := w.deploy("v1", toGreen)
	d := w.await(id, "ready", isReady)
	if *d.DeploymentOverview.Ready != 2 || *d.DeploymentOverview.Pending != 2 {
		t.Errorf("overview %+v", d.DeploymentOverview)
	}
	_, err := call[api.CreateDeploymentOutput](w, "CreateDeployment", &api.CreateDeploymentInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g"),
		Revision: revisionOf("v2"), TargetInstances: d.TargetInstances})
	wantCode(t, err, "DeploymentLimitExceededException", "")
	must[api.ContinueDeploymentOutput](w, "ContinueDeployment", &api.ContinueDeploymentInput{DeploymentId: &id, DeploymentWaitType: api.DeploymentWaitTypeReadyWait})
	w.await(id, "waiting for the termination", waitsForTermination)
	_, err = call[api.ContinueDeploymentOutput](w, "ContinueDeployment", &api.ContinueDeploymentInput{DeploymentId: &id})
	wantCode(t, err, "DeploymentIsNotInReadyStateException", "")
	w.clock.Advance(5 * time.Minute)
	w.awaitStatus(id, api.DeploymentStatusSucceeded)
	if want := []string{"i-1", "i-2"}; !slices.Equal(w.terminated, want) {
		t.Errorf("terminated %q", w.terminated)
	}
	if got := agents["i-3"].ran[7:]; !slices.Equal(got, []string{"v1 BeforeAllowTraffic", "v1 AfterAllowTraffic"}) {
		t.Errorf("green ran %q", got)
	}
	if got := agents["i-1"].ran; !slices.Equal(got, []string{"v1 BeforeBlockTraffic", "v1 AfterBlockTraffic"}) {
		t.Errorf("blue ran %q", got)
	}
	if got := w.target(id, "i-1").InstanceLabel; got != api.TargetLabelBlue {
		t.Errorf("label %q", got)
	}
	blue := must[api.ListDeploymentTargetsOutput](w, "ListDeploymentTargets", &api.ListDeploymentTargetsInput{DeploymentId: &id,
		TargetFilters: map[api.TargetFilterName][]string{api.TargetFilterNameServerInstanceLabel: {"BLUE"}}}).TargetIds
	if !slices.Equal(blue, []string{"i-1", "i-2"}) {
		t.Errorf("blue targets %q", blue)
	}
	// The group now selects what was green.
	g := must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo
	if *g.Ec2TagFilters[0].Value != "green" || g.DeploymentStyle.DeploymentType != api.DeploymentTypeBlueGreen {
		t.Errorf("group %+v", g)
	}
}

func TestBlueGreenThatNobodyContinues(t *testing.T) {
	w, agents := greenWorld(t, 60, nil)
	id := w.deploy("v1", toGreen)
	w.await(id, "ready", isReady)
	w.clock.Advance(time.Hour)
	d := w.awaitStatus(id, api.DeploymentStatusStopped)
	if d.ErrorInformation.Code != api.ErrorCodeTimeout || *d.ErrorInformation.Message != "The deployment was stopped because it was not continued within 1h0m0s of being ready." {
		t.Errorf("%+v", d.ErrorInformation)
	}
	if len(agents["i-1"].ran) != 0 || len(w.terminated) != 0 {
		t.Errorf("blue ran %q, terminated %q", agents["i-1"].ran, w.terminated)
	}
}

func TestSkipTheTerminationWait(t *testing.T) {
	w, _ := greenWorld(t, 0, nil)
	w.denied["ec2:TerminateInstances"] = true
	id := w.deploy("v1", toGreen)
	w.await(id, "waiting for the termination", waitsForTermination)
	must[api.SkipWaitTimeForInstanceTerminationOutput](w, "SkipWaitTimeForInstanceTermination", &api.SkipWaitTimeForInstanceTerminationInput{DeploymentId: &id})
	d := w.awaitStatus(id, api.DeploymentStatusSucceeded)
	if len(d.DeploymentStatusMessages) != 1 || !strings.Contains(d.DeploymentStatusMessages[0], "ec2:TerminateInstances") {
		t.Errorf("messages %q", d.DeploymentStatusMessages)
	}
	_, err := call[api.SkipWaitTimeForInstanceTerminationOutput](w, "SkipWaitTimeForInstanceTermination", &api.SkipWaitTimeForInstanceTerminationInput{DeploymentId: &id})
	wantCode(t, err, "DeploymentAlreadyCompletedException", "")
}

func TestBlueGreenFailures(t *testing.T) {
	t.Run("install", func(t *testing.T) {
		w, agents := greenWorld(t, 0, func(_, event string) bool { return event == "Install" })
		d := w.awaitStatus(w.deploy("v1", toGreen), api.DeploymentStatusFailed)
		if *d.DeploymentOverview.Failed != 2 || *d.DeploymentOverview.Skipped != 2 || len(agents["i-1"].ran) != 0 {
			t.Errorf("overview %+v", d.DeploymentOverview)
		}
		if got := aws.Val(d.RollbackInfo.RollbackMessage); got != "No rollback: no traffic was taken from the original instances." {
			t.Errorf("rollback %q", got)
		}
	})
	t.Run("block", func(t *testing.T) {
		w, agents := greenWorld(t, 0, func(_, event string) bool { return event == "AfterBlockTraffic" })
		d := w.awaitStatus(w.deploy("v1", toGreen), api.DeploymentStatusFailed)
		back := w.await(*d.RollbackInfo.RollbackDeploymentId, "an end", func(d *api.DeploymentInfo) bool { return d.CompleteTime != nil })
		if back.DeploymentStyle.DeploymentType != api.DeploymentTypeBlueGreen || back.Creator != api.DeploymentCreatorCodeDeployRollback {
			t.Errorf("rollback %+v", back)
		}
		if got := agents["i-1"].ran[2:]; !slices.Equal(got, []string{"v1 BeforeAllowTraffic", "v1 AfterAllowTraffic"}) {
			t.Errorf("blue ran %q", got)
		}
	})
}

func TestBlueGreenInput(t *testing.T) {
	w, _ := greenWorld(t, 0, nil)
	_, err := call[api.CreateDeploymentOutput](w, "CreateDeployment", &api.CreateDeploymentInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g"), Revision: revisionOf("v1")})
	wantCode(t, err, "InvalidTargetInstancesException", "The target instance configuration is invalid. A blue/green deployment to existing instances needs them in targetInstances.")
	update := func(change func(*api.BlueGreenDeploymentConfiguration)) error {
		o := &api.BlueGreenDeploymentConfiguration{}
		change(o)
		_, err := call[api.UpdateDeploymentGroupOutput](w, "UpdateDeploymentGroup", &api.UpdateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), CurrentDeploymentGroupName: aws.Ptr("g"), BlueGreenDeploymentConfiguration: o})
		return err
	}
	wantCode(t, update(func(o *api.BlueGreenDeploymentConfiguration) {
		o.GreenFleetProvisioningOption = &api.GreenFleetProvisioningOption{Action: api.GreenFleetProvisioningActionCopyAutoScalingGroup}
	}), "InvalidBlueGreenDeploymentConfigurationException", "The configuration for the blue/green deployment group was provided in an invalid format. COPY_AUTO_SCALING_GROUP needs a deployment group with one Auto Scaling group.")
	wantCode(t, update(func(o *api.BlueGreenDeploymentConfiguration) {
		o.DeploymentReadyOption = &api.DeploymentReadyOption{ActionOnTimeout: api.DeploymentReadyActionStopDeployment}
	}), "InvalidBlueGreenDeploymentConfigurationException", "The configuration for the blue/green deployment group was provided in an invalid format. STOP_DEPLOYMENT needs waitTimeInMinutes, from 1 to 2880.")
	id := w.deploy("v1", toGreen)
	_, err = call[api.PutLifecycleEventHookExecutionStatusOutput](w, "PutLifecycleEventHookExecutionStatus", &api.PutLifecycleEventHookExecutionStatusInput{DeploymentId: &id, Status: api.LifecycleEventStatusSucceeded})
	wantCode(t, err, "UnsupportedActionForDeploymentTypeException", "")
}
