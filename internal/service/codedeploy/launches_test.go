package codedeploy

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// scalingWorld has the group g of the Auto Scaling group fleet, whose one instance
// i-1 is in service.
func scalingWorld(t *testing.T, change ...func(*api.CreateDeploymentGroupInput)) *world {
	w := newWorld(t)
	w.scale("fleet", "i-1", autoscaling.LifecycleStateInService)
	w.setUp(append([]func(*api.CreateDeploymentGroupInput){func(in *api.CreateDeploymentGroupInput) {
		in.Ec2TagFilters, in.AutoScalingGroups = nil, []string{"fleet"}
	}}, change...)...)
	return w
}

func (w *world) group() *api.DeploymentGroupInfo {
	w.t.Helper()
	return must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo
}

func (w *world) hooks(group string) map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.scaling[group].hooks)
}

func TestHooks(t *testing.T) {
	w := scalingWorld(t)
	update := func(change func(*api.UpdateDeploymentGroupInput)) ([]api.AutoScalingGroup, error) {
		in := &api.UpdateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), CurrentDeploymentGroupName: aws.Ptr("g")}
		change(in)
		out, err := call[api.UpdateDeploymentGroupOutput](w, "UpdateDeploymentGroup", in)
		if err != nil {
			return nil, err
		}
		return out.HooksNotCleanedUp, nil
	}
	first := w.hooks("fleet")[launching]
	if !strings.HasPrefix(first, "CodeDeploy-managed-automatic-launch-deployment-hook-g-") || *w.group().AutoScalingGroups[0].Hook != first {
		t.Errorf("hook %q, group %+v", first, w.group().AutoScalingGroups)
	}
	if _, err := update(func(in *api.UpdateDeploymentGroupInput) { in.TerminationHookEnabled = aws.Ptr(true) }); err != nil {
		t.Fatal(err)
	}
	if h := w.hooks("fleet"); h[launching] != first || h[terminating] != *w.group().AutoScalingGroups[0].TerminationHook || !*w.group().TerminationHookEnabled {
		t.Errorf("hooks %v, group %+v", h, w.group().AutoScalingGroups)
	}
	_, err := update(func(in *api.UpdateDeploymentGroupInput) {
		in.AutoScalingGroups, in.NewDeploymentGroupName, in.DeploymentConfigName = []string{"gone"}, aws.Ptr("renamed"), aws.Ptr(allAtOnce)
	})
	wantCode(t, err, "InvalidAutoScalingGroupException", "")
	if g := w.group(); *g.DeploymentConfigName != oneAtATime {
		t.Errorf("a refused update has left %s", *g.DeploymentConfigName)
	}
	if g := w.group(); *g.AutoScalingGroups[0].Name != "fleet" || len(w.hooks("fleet")) != 2 {
		t.Errorf("after a refused update: %+v, hooks %v", g.AutoScalingGroups, w.hooks("fleet"))
	}
	w.scale("next", "i-2", autoscaling.LifecycleStateInService)
	w.denied["autoscaling:DeleteLifecycleHook"] = true
	left, err := update(func(in *api.UpdateDeploymentGroupInput) { in.AutoScalingGroups = []string{"next"} })
	if err != nil || len(left) != 1 || *left[0].Name != "fleet" || *left[0].Hook == "" {
		t.Errorf("left %+v, %v", left, err)
	}
	delete(w.denied, "autoscaling:DeleteLifecycleHook")
	w.denied["autoscaling:PutLifecycleHook"] = true
	_, err = call[api.CreateDeploymentGroupOutput](w, "CreateDeploymentGroup", &api.CreateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("h"),
		ServiceRoleArn: aws.Ptr(roleARN), AutoScalingGroups: []string{"next"}})
	wantCode(t, err, "InvalidRoleException", "")
	if err != nil && !strings.Contains(err.Error(), "operations in the following AWS service: AmazonAutoScaling") {
		t.Errorf("error %v", err)
	}
	_, err = call[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("h")})
	wantCode(t, err, "DeploymentGroupDoesNotExistException", "")
	out := must[api.DeleteDeploymentGroupOutput](w, "DeleteDeploymentGroup", &api.DeleteDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")})
	if len(out.HooksNotCleanedUp) != 0 || len(w.hooks("next")) != 0 {
		t.Errorf("after the deletion: %+v, hooks %v", out.HooksNotCleanedUp, w.hooks("next"))
	}
}

func TestDeployToScalingGroup(t *testing.T) {
	w := scalingWorld(t)
	w.scale("fleet", "i-9", autoscaling.LifecycleStateTerminating)
	w.agent("i-1", nil)
	id := w.deploy("v1")
	d := w.awaitStatus(id, api.DeploymentStatusSucceeded)
	if *d.DeploymentOverview.Succeeded != 1 {
		t.Errorf("overview %+v", d.DeploymentOverview)
	}
	w.mu.Lock()
	delete(w.scaling, "fleet")
	w.mu.Unlock()
	d = w.awaitStatus(w.deploy("v2"), api.DeploymentStatusFailed)
	if d.ErrorInformation.Code != api.ErrorCodeAutoScalingConfiguration {
		t.Errorf("error %+v", d.ErrorInformation)
	}
	w.denied["autoscaling:DescribeAutoScalingGroups"] = true
	d = w.awaitStatus(w.deploy("v2"), api.DeploymentStatusFailed)
	if d.ErrorInformation.Code != api.ErrorCodeAutoScalingIamRolePermissions {
		t.Errorf("error %+v", d.ErrorInformation)
	}
}

// launched returns the deployment that was made for an instance.
func (w *world) launched(creator api.DeploymentCreator, instance string) *api.DeploymentInfo {
	w.t.Helper()
	for _, id := range must[api.ListDeploymentsOutput](w, "ListDeployments", &api.ListDeploymentsInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).Deployments {
		d := w.get(id)
		if d.Creator != creator {
			continue
		}
		ids := must[api.ListDeploymentTargetsOutput](w, "ListDeploymentTargets", &api.ListDeploymentTargetsInput{DeploymentId: &id}).TargetIds
		if slices.Equal(ids, []string{instance}) {
			return d
		}
	}
	w.t.Fatalf("no deployment by %s to %s", creator, instance)
	return nil
}

func TestLaunchedInstances(t *testing.T) {
	w := scalingWorld(t)
	// Nothing has been deployed: the instance goes on as it is.
	w.scale("fleet", "i-2", autoscaling.LifecycleStatePendingWait)
	w.awaitTold("CONTINUE i-2")
	w.agent("i-1", nil)
	w.agent("i-2", nil)
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)

	w.scale("fleet", "i-3", autoscaling.LifecycleStatePendingWait)
	three := w.agent("i-3", nil)
	w.awaitTold("CONTINUE i-3")
	d := w.launched(api.DeploymentCreatorAutoscaling, "i-3")
	if d.Status != api.DeploymentStatusSucceeded || *d.Revision.S3Location.Key != "v1" || len(three.events()) != 7 {
		t.Errorf("deployment %+v of %q", d, three.events())
	}
	if last := w.group().LastSuccessfulDeployment; *last.DeploymentId == *d.DeploymentId {
		t.Error("the group takes a launch for its own deployment")
	}

	w.scale("fleet", "i-4", autoscaling.LifecycleStatePendingWait)
	w.agent("i-4", func(_, event string) bool { return event == "ValidateService" })
	w.awaitTold("ABANDON i-4")
}

func TestHeartbeats(t *testing.T) {
	w := scalingWorld(t)
	one := w.agent("i-1", nil)
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	w.scale("fleet", "i-2", autoscaling.LifecycleStatePendingWait)
	w.awaitCount(2)
	d := w.launched(api.DeploymentCreatorAutoscaling, "i-2")
	// The agent is not there for longer than one of a running instance might be.
	for range 3 {
		w.mu.Lock()
		w.told = nil
		w.mu.Unlock()
		w.clock.Advance(beatEvery)
		w.awaitTold("BEAT i-2")
	}
	one.close()
	w.stop()
	w.start()
	w.ourAgent("i-2", "") // an agent of ours may be handed a command again at once
	w.awaitStatus(*d.DeploymentId, api.DeploymentStatusSucceeded)
	w.awaitTold("CONTINUE i-2")
}

// awaitCount waits until the group has had so many deployments, which have targets.
func (w *world) awaitCount(n int) {
	w.t.Helper()
	w.until("deployments", func() bool {
		list := must[api.ListDeploymentsOutput](w, "ListDeployments", &api.ListDeploymentsInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).Deployments
		return len(list) >= n && !slices.ContainsFunc(list, func(id string) bool { return w.get(id).Status == api.DeploymentStatusCreated })
	})
}

// until waits for a condition that comes with an event of the store.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	timeout := time.After(limit)
	for {
		changed := w.db.Changed(store.Filter{})
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			w.t.Fatalf("no %s", what)
		}
	}
}

func TestLaunchDuringDeployment(t *testing.T) {
	for _, strategy := range []api.OutdatedInstancesStrategy{api.OutdatedInstancesStrategyUpdate, api.OutdatedInstancesStrategyIgnore} {
		t.Run(string(strategy), func(t *testing.T) {
			w := scalingWorld(t, func(in *api.CreateDeploymentGroupInput) { in.OutdatedInstancesStrategy = strategy })
			proceed := make(chan struct{})
			w.agent("i-1", func(key, event string) bool {
				if key == "v2" && event == "ApplicationStart" {
					<-proceed
				}
				return false
			})
			w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
			id := w.deploy("v2")
			two := w.agent("i-2", nil)
			w.scale("fleet", "i-2", autoscaling.LifecycleStatePendingWait)
			w.awaitTold("CONTINUE i-2")
			if d := w.launched(api.DeploymentCreatorAutoscaling, "i-2"); *d.Revision.S3Location.Key != "v1" {
				t.Errorf("launched with %+v", d.Revision.S3Location)
			}
			close(proceed)
			d := w.awaitStatus(id, api.DeploymentStatusSucceeded)
			if strategy == api.OutdatedInstancesStrategyIgnore {
				if d.RelatedDeployments != nil || slices.Contains(two.events(), "v2 Install") {
					t.Errorf("related %+v, the instance ran %q", d.RelatedDeployments, two.events())
				}
				return
			}
			if d.RelatedDeployments == nil || len(d.RelatedDeployments.AutoUpdateOutdatedInstancesDeploymentIds) != 1 {
				t.Fatalf("related %+v", d.RelatedDeployments)
			}
			u := w.awaitStatus(d.RelatedDeployments.AutoUpdateOutdatedInstancesDeploymentIds[0], api.DeploymentStatusSucceeded)
			if u.Creator != api.DeploymentCreatorCodeDeployAutoUpdate || *u.RelatedDeployments.AutoUpdateOutdatedInstancesRootDeploymentId != id || *u.DeploymentOverview.Succeeded != 1 {
				t.Errorf("update %+v %+v", u, u.DeploymentOverview)
			}
			if !slices.Contains(two.events(), "v2 Install") {
				t.Errorf("the instance ran %q", two.events())
			}
		})
	}
}

// The launch ends after the deployment of the newer revision, or during one that began
// after it, also where the group selects the instance by its tags: it gets the newer
// revision once, alone.
func TestLaunchThatEndsLate(t *testing.T) {
	for _, tc := range []struct {
		name         string
		tagged, last bool
	}{{"ends last", false, true}, {"ends before it", false, false}, {"is selected by tags too", true, false}} {
		t.Run(tc.name, func(t *testing.T) {
			tags := []ec2.Tag{{Key: aws.Ptr("app"), Value: aws.Ptr("fleet")}}
			w := scalingWorld(t, func(in *api.CreateDeploymentGroupInput) {
				in.Ec2TagFilters = []api.EC2TagFilter{{Key: aws.Ptr("app"), Value: aws.Ptr("fleet"), Type: api.EC2TagFilterTypeKeyAndValue}}
			})
			launch, newer := make(chan struct{}), make(chan struct{})
			w.agent("i-1", func(key, event string) bool {
				if key == "v2" && event == "ApplicationStart" {
					<-newer
				}
				return false
			})
			w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
			w.scale("fleet", "i-2", autoscaling.LifecycleStatePendingWait)
			w.awaitCount(2)
			if tc.tagged {
				w.mu.Lock()
				w.machines[len(w.machines)-1].Tags = tags
				w.mu.Unlock()
			}
			two := w.agent("i-2", func(key, event string) bool {
				if key == "v1" && event == "ApplicationStart" {
					<-launch
				}
				return false
			})
			id := w.deploy("v2")
			w.awaitLifecycle(id, "i-1", "ApplicationStart", api.LifecycleEventStatusInProgress)
			if tc.last {
				close(newer)
				w.awaitStatus(id, api.DeploymentStatusSucceeded)
				close(launch)
			} else {
				close(launch)
				w.awaitTold("CONTINUE i-2")
				close(newer)
			}
			d := w.await(id, "an update", func(d *api.DeploymentInfo) bool { return d.RelatedDeployments != nil })
			u := w.awaitStatus(d.RelatedDeployments.AutoUpdateOutdatedInstancesDeploymentIds[0], api.DeploymentStatusSucceeded)
			if *u.DeploymentOverview.Succeeded != 1 {
				t.Errorf("updated %+v", u.DeploymentOverview)
			}
			w.awaitTold("CONTINUE i-2")
			if ran := two.events(); len(ran) != 14 || ran[6] != "v1 ValidateService" || ran[13] != "v2 ValidateService" {
				t.Errorf("the instance ran %q", ran)
			}
		})
	}
}

// Instances are met though another Auto Scaling group of the deployment group is gone,
// and though an operation is changing the hooks at that moment.
func TestLaunchesAreMet(t *testing.T) {
	w := newWorld(t)
	w.scale("fleet", "i-1", autoscaling.LifecycleStateInService)
	w.scale("other", "i-2", autoscaling.LifecycleStateInService)
	w.setUp(func(in *api.CreateDeploymentGroupInput) {
		in.Ec2TagFilters, in.AutoScalingGroups = nil, []string{"other", "fleet"}
	})
	w.mu.Lock()
	delete(w.scaling, "other")
	w.mu.Unlock()
	w.scale("fleet", "i-3", autoscaling.LifecycleStatePendingWait)
	w.awaitTold("CONTINUE i-3")
	k := store.Key{Account: account, Region: region, ID: *w.group().DeploymentGroupId}
	w.s.hooking.Store(k, struct{}{})
	w.scale("fleet", "i-4", autoscaling.LifecycleStatePendingWait)
	w.awaitTold("CONTINUE i-4")
}

func TestTerminationDeployment(t *testing.T) {
	w := scalingWorld(t, func(in *api.CreateDeploymentGroupInput) { in.TerminationHookEnabled = aws.Ptr(true) })
	one := w.agent("i-1", nil)
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	w.scale("fleet", "i-1", autoscaling.LifecycleStateTerminatingWait)
	w.awaitTold("CONTINUE i-1")
	if got := one.events()[7:]; !slices.Equal(got, []string{"v1 ApplicationStop"}) {
		t.Errorf("ran %q", got)
	}
	if d := w.launched(api.DeploymentCreatorAutoscalingTermination, "i-1"); d.Status != api.DeploymentStatusSucceeded {
		t.Errorf("deployment %+v", d)
	}
}

// The group's own deployment and one for an instance that ends take turns there,
// whichever began.
func TestTerminationTakesItsTurn(t *testing.T) {
	termination := func(in *api.CreateDeploymentGroupInput) { in.TerminationHookEnabled = aws.Ptr(true) }
	// hold starts an agent that stays at an event, which it runs more than once, from
	// the time of arm on.
	hold := func(w *world, instance, at string) (h *hostAgent, arm, proceed chan struct{}) {
		arm, proceed = make(chan struct{}), make(chan struct{})
		return w.agent(instance, func(key, event string) bool {
			if key+" "+event == at {
				select {
				case <-arm:
					<-proceed
				default:
				}
			}
			return false
		}), arm, proceed
	}
	t.Run("the group's began", func(t *testing.T) {
		w := scalingWorld(t, termination)
		one, arm, proceed := hold(w, "i-1", "v2 Install")
		close(arm)
		w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
		id := w.deploy("v2")
		w.awaitLifecycle(id, "i-1", "Install", api.LifecycleEventStatusInProgress)
		w.scale("fleet", "i-1", autoscaling.LifecycleStateTerminatingWait)
		w.awaitCount(3)
		d := w.launched(api.DeploymentCreatorAutoscalingTermination, "i-1")
		w.s.polls.begin(store.Key{Account: account, Region: region, ID: "i-1"}, false, w.clock.Now()) // its agent is there
		for range 2 {                                                                                 // longer than an event may wait for its agent
			w.clock.Advance(startTimeout)
		}
		if got := w.target(*d.DeploymentId, "i-1"); got.Status != api.TargetStatusPending {
			t.Errorf("target %+v", got)
		}
		close(proceed)
		w.awaitStatus(id, api.DeploymentStatusSucceeded)
		w.clock.Advance(lookEvery)
		w.awaitTold("CONTINUE i-1")
		if ran := one.events(); len(ran) != 15 || ran[13] != "v2 ValidateService" || !strings.HasSuffix(ran[14], " ApplicationStop") {
			t.Errorf("ran %q", ran)
		}
		w.awaitStatus(*d.DeploymentId, api.DeploymentStatusSucceeded)
	})
	t.Run("the instance's began", func(t *testing.T) {
		w := scalingWorld(t, termination)
		w.scale("fleet", "i-2", autoscaling.LifecycleStateInService)
		_, arm, proceed := hold(w, "i-1", "v2 Install")
		close(arm)
		two, armTwo, proceedTwo := hold(w, "i-2", "v1 ApplicationStop")
		w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
		id := w.deploy("v2")
		w.awaitLifecycle(id, "i-1", "Install", api.LifecycleEventStatusInProgress)
		close(armTwo)
		w.scale("fleet", "i-2", autoscaling.LifecycleStateTerminatingWait)
		w.awaitCount(3)
		d := w.launched(api.DeploymentCreatorAutoscalingTermination, "i-2")
		w.awaitLifecycle(*d.DeploymentId, "i-2", "ApplicationStop", api.LifecycleEventStatusInProgress)
		close(proceed)
		w.await(id, "the first", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.Succeeded == 1 })
		w.clock.Advance(lookEvery)
		if got := w.target(id, "i-2"); got.Status != api.TargetStatusPending {
			t.Errorf("target %+v", got)
		}
		close(proceedTwo)
		w.awaitStatus(*d.DeploymentId, api.DeploymentStatusSucceeded)
		w.clock.Advance(lookEvery)
		w.awaitStatus(id, api.DeploymentStatusSucceeded)
		if ran := two.events(); len(ran) != 15 || ran[7] != "v1 ApplicationStop" || ran[8] != "v2 ApplicationStop" {
			t.Errorf("ran %q", ran)
		}
	})
}

func TestCopiedGroup(t *testing.T) {
	w := scalingWorld(t, func(in *api.CreateDeploymentGroupInput) {
		in.DeploymentStyle = &api.DeploymentStyle{DeploymentType: api.DeploymentTypeBlueGreen, DeploymentOption: api.DeploymentOptionWithoutTrafficControl}
		in.BlueGreenDeploymentConfiguration = &api.BlueGreenDeploymentConfiguration{
			GreenFleetProvisioningOption:              &api.GreenFleetProvisioningOption{Action: api.GreenFleetProvisioningActionCopyAutoScalingGroup},
			TerminateBlueInstancesOnDeploymentSuccess: &api.BlueInstanceTerminationOption{Action: api.InstanceActionTerminate},
		}
	})
	w.agent("i-1", nil)
	w.agent("i-2", nil)
	id := w.deploy("v1")
	name := "CodeDeploy_g_" + id
	d := w.await(id, "a new group", func(d *api.DeploymentInfo) bool { return d.TargetInstances != nil })
	if d.Status != api.DeploymentStatusInProgress || !slices.Equal(d.TargetInstances.AutoScalingGroups, []string{name}) {
		t.Errorf("deployment %s, targets %+v", d.Status, d.TargetInstances)
	}
	spec := w.scaling[name].spec
	if spec.LaunchTemplate.LaunchTemplateName != nil || *spec.LaunchTemplate.LaunchTemplateId != "lt-1" || len(spec.Tags) != 1 || *spec.DesiredCapacity != 1 {
		t.Errorf("copied as %+v", spec)
	}
	w.scale(name, "i-2", autoscaling.LifecycleStateInService)
	d = w.awaitStatus(id, api.DeploymentStatusSucceeded)
	if *d.DeploymentOverview.Succeeded != 2 || w.target(id, "i-2").InstanceLabel != api.TargetLabelGreen || w.target(id, "i-1").InstanceLabel != api.TargetLabelBlue {
		t.Errorf("overview %+v", d.DeploymentOverview)
	}
	g := w.group().AutoScalingGroups
	if len(g) != 1 || *g[0].Name != name || w.scaling["fleet"] != nil {
		t.Errorf("the group now has %+v; fleet %+v", g, w.scaling["fleet"])
	}
	w.until("hook in the new group", func() bool { return w.hooks(name)[launching] != "" })
	// Stopped before the next copy has its instances, it ends at once.
	id = w.deploy("v2")
	w.await(id, "a new group", func(d *api.DeploymentInfo) bool { return d.TargetInstances != nil })
	must[api.StopDeploymentOutput](w, "StopDeployment", &api.StopDeploymentInput{DeploymentId: &id})
	w.awaitStatus(id, api.DeploymentStatusStopped)
}

func TestCopyThatNeverComes(t *testing.T) {
	w := scalingWorld(t, func(in *api.CreateDeploymentGroupInput) {
		in.DeploymentStyle = &api.DeploymentStyle{DeploymentType: api.DeploymentTypeBlueGreen, DeploymentOption: api.DeploymentOptionWithoutTrafficControl}
		in.BlueGreenDeploymentConfiguration = &api.BlueGreenDeploymentConfiguration{
			GreenFleetProvisioningOption: &api.GreenFleetProvisioningOption{Action: api.GreenFleetProvisioningActionCopyAutoScalingGroup}}
	})
	id := w.deploy("v1")
	w.await(id, "a new group", func(d *api.DeploymentInfo) bool { return d.TargetInstances != nil })
	w.clock.Advance(provisionTimeout)
	d := w.awaitStatus(id, api.DeploymentStatusFailed)
	if d.ErrorInformation.Code != api.ErrorCodeAutoScalingConfiguration || !strings.Contains(*d.ErrorInformation.Message, "were not in service within 1h") {
		t.Errorf("error %+v", d.ErrorInformation)
	}
	// Where launches fail it does not take an hour to say so.
	w.mu.Lock()
	w.launchFails = "The image does not exist."
	w.mu.Unlock()
	id = w.deploy("v2")
	w.await(id, "a new group", func(d *api.DeploymentInfo) bool { return d.TargetInstances != nil })
	w.clock.Advance(startTimeout)
	d = w.awaitStatus(id, api.DeploymentStatusFailed)
	if !strings.Contains(*d.ErrorInformation.Message, "within 5m0s. Its last activity failed: Launching a new EC2 instance.: The image does not exist.") {
		t.Errorf("error %s", *d.ErrorInformation.Message)
	}
	w.denied["autoscaling:CreateAutoScalingGroup"] = true
	d = w.awaitStatus(w.deploy("v2"), api.DeploymentStatusFailed)
	if d.ErrorInformation.Code != api.ErrorCodeAutoScalingIamRolePermissions {
		t.Errorf("error %+v", d.ErrorInformation)
	}
}

// The end of a launch is told again while the role may not tell it, for as long as
// Auto Scaling may wait.
func TestEndIsToldAgain(t *testing.T) {
	role := func(w *world, err error) { w.noRole = err }
	permission := func(w *world, err error) { w.denied["autoscaling:CompleteLifecycleAction"] = err != nil }
	for _, tc := range []struct {
		name   string
		refuse func(*world, error)
		after  time.Duration // of refusals
		told   bool
	}{{"no role", role, 3 * tellEvery, true}, {"no permission", permission, 3 * tellEvery, true}, {"nobody waits any more", role, longestHook, false}} {
		t.Run(tc.name, func(t *testing.T) {
			w := scalingWorld(t)
			w.agent("i-1", nil)
			w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
			w.agent("i-2", nil)
			w.scale("fleet", "i-2", autoscaling.LifecycleStatePendingWait)
			w.awaitTold("CONTINUE i-2")
			k := store.Key{Account: account, Region: region, ID: *w.launched(api.DeploymentCreatorAutoscaling, "i-2").DeploymentId}
			w.stop()
			w.told, w.scaling["fleet"].states["i-2"] = nil, autoscaling.LifecycleStatePendingWait
			if err := w.db.Update(t.Context(), func(tx *store.Tx) error {
				d, err := deployments.Get(tx, k)
				if err != nil {
					return err
				}
				d.Scaling.Reported, d.Completed = false, w.clock.Now()
				return deployments.Put(tx, k, d)
			}); err != nil {
				t.Fatal(err)
			}
			report := func() time.Time {
				t.Helper()
				due, err := w.s.reportScaling(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return due
			}
			tc.refuse(w, errors.New("refused"))
			for end := w.clock.Now().Add(tc.after); w.clock.Now().Before(end); w.clock.Advance(tellEvery) {
				due := report()
				if again := w.clock.Now().Add(tellEvery); tc.told && !due.Equal(again) || len(w.told) > 0 {
					t.Fatalf("due at %s, not at %s; told %q", due, again, w.told)
				}
			}
			tc.refuse(w, nil)
			if due := report(); !due.IsZero() || slices.Contains(w.told, "CONTINUE i-2") != tc.told {
				t.Errorf("due at %s, told %q", due, w.told)
			}
		})
	}
}

// Where nothing was deployed the instance goes on, though the role may say so only
// later.
func TestNothingToDeployIsToldAgain(t *testing.T) {
	w := scalingWorld(t)
	w.stop()
	w.scale("fleet", "i-2", autoscaling.LifecycleStatePendingWait)
	w.denied["autoscaling:CompleteLifecycleAction"] = true
	if again, err := w.s.lookAtScaling(t.Context()); err != nil || !again.Equal(w.clock.Now().Add(tellEvery)) || len(w.told) > 0 {
		t.Errorf("again at %s, told %q, %v", again, w.told, err)
	}
	delete(w.denied, "autoscaling:CompleteLifecycleAction")
	if again, err := w.s.lookAtScaling(t.Context()); err != nil || !again.IsZero() || !slices.Contains(w.told, "CONTINUE i-2") {
		t.Errorf("again at %s, told %q, %v", again, w.told, err)
	}
}
