package codedeploy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

func rollingBack(enabled bool, events ...api.AutoRollbackEvent) *api.AutoRollbackConfiguration {
	return &api.AutoRollbackConfiguration{Enabled: &enabled, Events: events}
}

// What brings the last good revision back: the group's configuration, the deployment's
// in its place, and what StopDeployment asks for above both.
func TestWhatRollsBack(t *testing.T) {
	failure, stop := api.AutoRollbackEventDeploymentFailure, api.AutoRollbackEventDeploymentStopOnRequest
	yes, no := aws.Ptr(true), aws.Ptr(false)
	tests := []struct {
		name              string
		group, deployment *api.AutoRollbackConfiguration
		stops             bool // else it fails
		asked             *bool
		want              bool
	}{
		{"failure, not configured", nil, nil, false, nil, false},
		{"failure, listed", rollingBack(true, failure), nil, false, nil, true},
		{"failure, not listed", rollingBack(true, stop), nil, false, nil, false},
		{"failure, listed and off", rollingBack(false, failure), nil, false, nil, false},
		{"failure, the deployment's own", nil, rollingBack(true, failure), false, nil, true},
		{"failure, off for the deployment", rollingBack(true, failure), rollingBack(false), false, nil, false},
		{"stop, not configured", nil, nil, true, nil, false},
		{"stop, listed", rollingBack(true, failure, stop), nil, true, nil, true},
		{"stop, not listed", rollingBack(true, failure), nil, true, nil, false},
		{"stop, asked for", nil, nil, true, yes, true},
		{"stop, asked not to", rollingBack(true, stop), nil, true, no, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp(func(in *api.CreateDeploymentGroupInput) { in.AutoRollbackConfiguration = tc.group })
			var entered, release = make(chan struct{}), make(chan struct{})
			w.agent("i-1", func(key, event string) bool {
				if key == "good" || event != "Install" {
					return false
				}
				close(entered)
				<-release
				return !tc.stops
			})
			w.awaitStatus(w.deploy("good", func(in *api.CreateDeploymentInput) { in.FileExistsBehavior = api.FileExistsBehaviorRetain }), api.DeploymentStatusSucceeded)
			id := w.deploy("bad", func(in *api.CreateDeploymentInput) { in.AutoRollbackConfiguration = tc.deployment })
			<-entered
			status := api.DeploymentStatusFailed
			if tc.stops {
				status = api.DeploymentStatusStopped
				must[api.StopDeploymentOutput](w, "StopDeployment", &api.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: tc.asked})
			}
			close(release)
			d := w.awaitStatus(id, status)
			if !tc.want {
				if d.RollbackInfo != nil {
					t.Errorf("rolled back: %+v", d.RollbackInfo)
				}
				return
			}
			back := aws.Val(d.RollbackInfo.RollbackDeploymentId)
			if want := "Deployment " + id + " terminated. Automatic rollback is triggered with a DeploymentId " + back + "."; *d.RollbackInfo.RollbackMessage != want {
				t.Errorf("message %q, want %q", *d.RollbackInfo.RollbackMessage, want)
			}
			r := w.awaitStatus(back, api.DeploymentStatusSucceeded)
			if r.Creator != api.DeploymentCreatorCodeDeployRollback || *r.Revision.S3Location.Key != "good" || r.FileExistsBehavior != api.FileExistsBehaviorRetain ||
				*r.RollbackInfo.RollbackTriggeringDeploymentId != id || *r.RollbackInfo.RollbackMessage != "Deployment "+back+" is triggered to roll back deployment "+id+"." {
				t.Errorf("%+v %+v", r, r.RollbackInfo)
			}
			g := must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo
			if *g.LastSuccessfulDeployment.DeploymentId != back || *g.TargetRevision.S3Location.Key != "good" {
				t.Errorf("group %+v", g)
			}
		})
	}
}

// A rollback that fails is not rolled back itself.
func TestRollbackThatFails(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp(func(in *api.CreateDeploymentGroupInput) {
		in.AutoRollbackConfiguration = rollingBack(true, api.AutoRollbackEventDeploymentFailure)
	})
	broken := false
	w.agent("i-1", func(_, event string) bool {
		if event == "ApplicationStop" {
			w.mu.Lock()
			defer w.mu.Unlock()
			return broken
		}
		return false
	})
	w.awaitStatus(w.deploy("good"), api.DeploymentStatusSucceeded)
	w.mu.Lock()
	broken = true
	w.mu.Unlock()
	d := w.awaitStatus(w.deploy("bad"), api.DeploymentStatusFailed)
	r := w.awaitStatus(*d.RollbackInfo.RollbackDeploymentId, api.DeploymentStatusFailed)
	if r.RollbackInfo.RollbackDeploymentId != nil {
		t.Errorf("%+v", r.RollbackInfo)
	}
	if all := must[api.ListDeploymentsOutput](w, "ListDeployments", &api.ListDeploymentsInput{}).Deployments; len(all) != 3 {
		t.Errorf("deployments %q", all)
	}
}

// A failure at each event of the replacement and of the original instances: what has
// run, what is skipped, and whether the traffic goes back.
func TestFailureAtEachEventOfBlueGreen(t *testing.T) {
	allow := []string{lifecycle.BeforeAllowTraffic, lifecycle.AfterAllowTraffic}
	block := []string{lifecycle.BeforeBlockTraffic, lifecycle.AfterBlockTraffic}
	green := slices.Concat(lifecycle.InPlace(), allow)
	for at, name := range slices.Concat(green, block) {
		t.Run(name, func(t *testing.T) {
			w, agents := greenWorld(t, 0, nil)
			for _, h := range agents {
				h.close()
			}
			rolling := false
			for _, id := range []string{"i-1", "i-2", "i-3", "i-4"} {
				w.agent(id, func(_, event string) bool {
					w.mu.Lock()
					defer w.mu.Unlock()
					return event == name && !rolling
				})
			}
			id := w.deploy("v1", toGreen)
			d := w.awaitStatus(id, api.DeploymentStatusFailed)
			w.mu.Lock()
			rolling = true
			w.mu.Unlock()
			checkEvents(t, w.target(id, "i-3"), green, at)
			checkEvents(t, w.target(id, "i-1"), block, at-len(green))
			if len(w.terminated) > 0 {
				t.Errorf("terminated %q", w.terminated)
			}
			released := at >= len(lifecycle.InPlace())
			if released != (d.RollbackInfo.RollbackDeploymentId != nil) {
				t.Errorf("rollback %+v", d.RollbackInfo)
			}
		})
	}
}

// checkEvents holds that the events before number at have succeeded, that it failed,
// and that the others were skipped; at beyond the events means that all succeeded, before
// them that none began.
func checkEvents(t *testing.T, got *api.InstanceTarget, names []string, at int) {
	t.Helper()
	for i, e := range got.LifecycleEvents {
		want := api.LifecycleEventStatusSucceeded
		switch {
		case i == at:
			want = api.LifecycleEventStatusFailed
		case i > at:
			want = api.LifecycleEventStatusSkipped
		}
		if aws.Val(e.LifecycleEventName) != names[i] || e.Status != want {
			t.Errorf("%s: %s is %s, want %s %s", *got.TargetId, aws.Val(e.LifecycleEventName), e.Status, names[i], want)
		}
	}
}

// Giving the traffic back installs nothing: what the group runs and how its hosts are
// stays as it was.
func TestGivingTrafficBackChangesNoRevision(t *testing.T) {
	w, agents := greenWorld(t, 0, nil)
	for _, h := range agents {
		h.close()
	}
	for _, id := range []string{"i-1", "i-2", "i-3", "i-4"} {
		w.agent(id, func(key, event string) bool {
			return key == "v2" && event == lifecycle.AfterBlockTraffic && id == "i-3"
		})
	}
	first := w.deploy("v1", toGreen)
	w.await(first, "waiting for the termination", waitsForTermination)
	must[api.ContinueDeploymentOutput](w, "ContinueDeployment", &api.ContinueDeploymentInput{DeploymentId: &first, DeploymentWaitType: api.DeploymentWaitTypeTerminationWait})
	w.awaitStatus(first, api.DeploymentStatusSucceeded)
	w.setTag("i-5", "next")
	w.agent("i-5", nil)
	d := w.awaitStatus(w.deploy("v2", func(in *api.CreateDeploymentInput) {
		in.TargetInstances = &api.TargetInstances{TagFilters: []api.EC2TagFilter{{Key: aws.Ptr("app"), Value: aws.Ptr("next"), Type: api.EC2TagFilterTypeKeyAndValue}}}
	}), api.DeploymentStatusFailed)
	back := w.awaitStatus(*d.RollbackInfo.RollbackDeploymentId, api.DeploymentStatusSucceeded)
	if *back.Revision.S3Location.Key != "v1" {
		t.Errorf("rollback to %s", *back.Revision.S3Location.Key)
	}
	g := must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo
	if *g.TargetRevision.S3Location.Key != "v1" || *g.Ec2TagFilters[0].Value != "green" {
		t.Errorf("group %+v", g)
	}
	h, err := view(t.Context(), w.s, func(tx *store.Tx) (*host, error) {
		return hosts.Get(tx, hostKey(store.Key{Account: account, Region: region}, *g.DeploymentGroupId, "i-5"))
	})
	if err != nil || h.Revision != revisionID(revisionOf("v2")) {
		t.Errorf("i-5 has %+v, %v", h, err)
	}
}

// The original instances are kept, or terminated at once, as the group says; only a
// termination that waits is said to have begun.
func TestOriginalInstancesAfterwards(t *testing.T) {
	for _, tc := range []struct {
		name       string
		option     *api.BlueInstanceTerminationOption
		terminated int
	}{
		{"not said", nil, 0},
		{"kept", &api.BlueInstanceTerminationOption{Action: api.InstanceActionKeepAlive}, 0},
		{"terminated at once", &api.BlueInstanceTerminationOption{Action: api.InstanceActionTerminate}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _ := greenWorld(t, 0, nil)
			must[api.UpdateDeploymentGroupOutput](w, "UpdateDeploymentGroup", &api.UpdateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), CurrentDeploymentGroupName: aws.Ptr("g"),
				BlueGreenDeploymentConfiguration: &api.BlueGreenDeploymentConfiguration{TerminateBlueInstancesOnDeploymentSuccess: tc.option,
					GreenFleetProvisioningOption: &api.GreenFleetProvisioningOption{Action: api.GreenFleetProvisioningActionDiscoverExisting},
					DeploymentReadyOption:        &api.DeploymentReadyOption{ActionOnTimeout: api.DeploymentReadyActionContinueDeployment}}})
			d := w.awaitStatus(w.deploy("v1", toGreen), api.DeploymentStatusSucceeded)
			if len(w.terminated) != tc.terminated || *d.InstanceTerminationWaitTimeStarted != (tc.terminated > 0) {
				t.Errorf("terminated %q, wait started %t", w.terminated, *d.InstanceTerminationWaitTimeStarted)
			}
		})
	}
}

// A deployment that waits may be stopped: nothing was taken from the original instances.
func TestStopOfAReadyDeployment(t *testing.T) {
	w, agents := greenWorld(t, 60, nil)
	id := w.deploy("v1", toGreen)
	w.await(id, "ready", isReady)
	must[api.StopDeploymentOutput](w, "StopDeployment", &api.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: aws.Ptr(true)})
	d := w.awaitStatus(id, api.DeploymentStatusStopped)
	if d.ErrorInformation.Code != api.ErrorCodeManualStop || aws.Val(d.RollbackInfo.RollbackMessage) != "No rollback: no traffic was taken from the original instances." {
		t.Errorf("%+v %+v", d.ErrorInformation, d.RollbackInfo)
	}
	if len(agents["i-1"].ran) > 0 || *d.DeploymentOverview.Skipped != 2 || *d.DeploymentOverview.Failed != 2 {
		t.Errorf("blue ran %q, overview %+v", agents["i-1"].ran, d.DeploymentOverview)
	}
}

// The registry says when a revision was registered, first and last used, and where it
// is the one that runs; its list is sorted and filtered as asked.
func TestRevisionRegistry(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.agent("i-1", nil)
	begin := w.clock.Now()
	register := func(key string) {
		must[api.RegisterApplicationRevisionOutput](w, "RegisterApplicationRevision", &api.RegisterApplicationRevisionInput{ApplicationName: aws.Ptr("a"), Revision: revisionOf(key)})
		w.clock.Advance(time.Hour)
	}
	deploy := func(key string) {
		w.awaitStatus(w.deploy(key), api.DeploymentStatusSucceeded)
		w.clock.Advance(time.Hour)
	}
	register("x/c")
	register("x/a")
	deploy("x/b")
	deploy("x/a")
	deploy("x/b")
	hours := func(at *time.Time) int {
		if at == nil {
			return -1
		}
		return int(at.Sub(begin).Hours() + 0.5)
	}
	for key, want := range map[string][3]int{"x/a": {1, 3, 3}, "x/b": {2, 2, 4}, "x/c": {0, -1, -1}} {
		i := must[api.GetApplicationRevisionOutput](w, "GetApplicationRevision", &api.GetApplicationRevisionInput{ApplicationName: aws.Ptr("a"), Revision: revisionOf(key)}).RevisionInfo
		if got := [3]int{hours(i.RegisterTime), hours(i.FirstUsedTime), hours(i.LastUsedTime)}; got != want || (len(i.DeploymentGroups) == 1) != (key == "x/b") {
			t.Errorf("%s: registered, first and last used after %v hours, runs in %q, want %v", key, got, i.DeploymentGroups, want)
		}
	}
	batch := must[api.BatchGetApplicationRevisionsOutput](w, "BatchGetApplicationRevisions", &api.BatchGetApplicationRevisionsInput{ApplicationName: aws.Ptr("a"),
		Revisions: []api.RevisionLocation{*revisionOf("x/a"), *revisionOf("x/none")}})
	if len(batch.Revisions) != 1 || batch.ErrorMessage == nil {
		t.Errorf("batch %+v", batch)
	}
	for _, tc := range []struct {
		in   api.ListApplicationRevisionsInput
		want []string
	}{
		{api.ListApplicationRevisionsInput{}, []string{"x/c", "x/a", "x/b"}},
		{api.ListApplicationRevisionsInput{SortBy: api.ApplicationRevisionSortByRegisterTime, SortOrder: api.SortOrderDescending}, []string{"x/b", "x/a", "x/c"}},
		{api.ListApplicationRevisionsInput{SortBy: api.ApplicationRevisionSortByFirstUsedTime, Deployed: api.ListStateFilterActionIgnore}, []string{"x/c", "x/b", "x/a"}},
		{api.ListApplicationRevisionsInput{SortBy: api.ApplicationRevisionSortByLastUsedTime, SortOrder: api.SortOrderDescending}, []string{"x/b", "x/a", "x/c"}},
		{api.ListApplicationRevisionsInput{Deployed: api.ListStateFilterActionInclude}, []string{"x/b"}},
		{api.ListApplicationRevisionsInput{Deployed: api.ListStateFilterActionExclude, SortOrder: api.SortOrderDescending}, []string{"x/a", "x/c"}},
		{api.ListApplicationRevisionsInput{S3Bucket: aws.Ptr("b"), S3KeyPrefix: aws.Ptr("x/a")}, []string{"x/a"}},
		{api.ListApplicationRevisionsInput{S3Bucket: aws.Ptr("other")}, nil},
	} {
		tc.in.ApplicationName = aws.Ptr("a")
		var got []string
		for _, r := range must[api.ListApplicationRevisionsOutput](w, "ListApplicationRevisions", &tc.in).Revisions {
			got = append(got, *r.S3Location.Key)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %q, want %q", tc.in, got, tc.want)
		}
	}
	if len(must[api.ListApplicationRevisionsOutput](w, "ListApplicationRevisions", &api.ListApplicationRevisionsInput{ApplicationName: aws.Ptr("a")}).Revisions) != 3 {
		t.Error("not three revisions")
	}
}

// A configuration that a deployment runs by stays, although no group has it.
func TestConfigOfARunningDeployment(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.newConfig("mine", api.MinimumHealthyHostsTypeHostCount, 0, nil)
	id := w.deploy("v1", func(in *api.CreateDeploymentInput) { in.DeploymentConfigName = aws.Ptr("mine") })
	_, err := call[api.DeleteDeploymentConfigOutput](w, "DeleteDeploymentConfig", &api.DeleteDeploymentConfigInput{DeploymentConfigName: aws.Ptr("mine")})
	wantCode(t, err, "DeploymentConfigInUseException", fmt.Sprintf("Deployment configuration mine is in use by deployment %s", id))
	w.agent("i-1", nil)
	w.awaitStatus(id, api.DeploymentStatusSucceeded)
	must[api.DeleteDeploymentConfigOutput](w, "DeleteDeploymentConfig", &api.DeleteDeploymentConfigInput{DeploymentConfigName: aws.Ptr("mine")})
}
