package codedeploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

func TestDeploymentSucceeds(t *testing.T) {
	w := newWorld(t, "i-1", "i-2")
	w.setUp()
	agents := []*hostAgent{w.agent("i-1", nil), w.agent("i-2", nil)}
	id := w.deploy("v1")
	d := w.awaitStatus(id, api.DeploymentStatusSucceeded)
	if *d.DeploymentOverview.Succeeded != 2 || d.ErrorInformation != nil || d.CompleteTime == nil {
		t.Errorf("deployment %+v", d)
	}
	want := []string{"v1 ApplicationStop", "v1 DownloadBundle", "v1 BeforeInstall", "v1 Install", "v1 AfterInstall", "v1 ApplicationStart", "v1 ValidateService"}
	for _, a := range agents {
		if !slices.Equal(a.ran, want) {
			t.Errorf("%s ran %q", a.id, a.ran)
		}
	}
	target := w.target(id, "i-1")
	for _, e := range target.LifecycleEvents {
		if e.Status != api.LifecycleEventStatusSucceeded || e.StartTime == nil || e.EndTime == nil || e.Diagnostics.ErrorCode != api.LifecycleErrorCodeSuccess {
			t.Errorf("event %+v", e)
		}
	}
	g := must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo
	if aws.Val(g.LastSuccessfulDeployment.DeploymentId) != id || *g.TargetRevision.S3Location.Key != "v1" {
		t.Errorf("group %+v", g)
	}
}

func TestOneAtATimeStopsAtTheFirstFailure(t *testing.T) {
	w := newWorld(t, "i-1", "i-2", "i-3")
	w.setUp()
	for _, id := range []string{"i-1", "i-2", "i-3"} {
		w.agent(id, func(_, event string) bool { return id == "i-1" && event == "ApplicationStart" })
	}
	id := w.deploy("v1")
	d := w.awaitStatus(id, api.DeploymentStatusFailed)
	want := tooManyFailed + " First failure: instance i-1, ApplicationStart, s.sh: ScriptFailed: Script at specified location: s.sh failed with exit code 3\n[stdout]one\n[stderr]two"
	if d.ErrorInformation.Code != api.ErrorCodeHealthConstraints || *d.ErrorInformation.Message != want {
		t.Errorf("error %s: %s\nwant %s", d.ErrorInformation.Code, *d.ErrorInformation.Message, want)
	}
	if *d.DeploymentOverview.Failed != 1 || *d.DeploymentOverview.Skipped != 2 {
		t.Errorf("overview %+v", d.DeploymentOverview)
	}
	failed := w.target(id, "i-1")
	if eventStatus(failed, "ApplicationStart") != api.LifecycleEventStatusFailed || eventStatus(failed, "ValidateService") != api.LifecycleEventStatusSkipped {
		t.Errorf("events %+v", failed.LifecycleEvents)
	}
}

func TestFailureOfTheLastHostStillSucceeds(t *testing.T) {
	w := newWorld(t, "i-1", "i-2")
	w.setUp()
	w.agent("i-1", nil)
	w.agent("i-2", func(_, event string) bool { return event == "Install" })
	d := w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	if *d.DeploymentOverview.Failed != 1 || *d.DeploymentOverview.Succeeded != 1 {
		t.Errorf("overview %+v", d.DeploymentOverview)
	}
	// The failed host comes first next time; alone healthy, i-1 is not touched.
	d = w.awaitStatus(w.deploy("v2"), api.DeploymentStatusFailed)
	if *d.DeploymentOverview.Skipped != 1 {
		t.Errorf("overview %+v", d.DeploymentOverview)
	}
}

func TestIgnoreApplicationStopFailures(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		t.Run(fmt.Sprint(ignore), func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp()
			w.agent("i-1", func(_, event string) bool { return event == "ApplicationStop" })
			id := w.deploy("v1", func(in *api.CreateDeploymentInput) { in.IgnoreApplicationStopFailures = &ignore })
			want := api.DeploymentStatusFailed
			if ignore {
				want = api.DeploymentStatusSucceeded
			}
			w.awaitStatus(id, want)
			if got := eventStatus(w.target(id, "i-1"), "ApplicationStop"); got != api.LifecycleEventStatusFailed {
				t.Errorf("ApplicationStop is %s", got)
			}
		})
	}
}

// An ignored failure is not what a deployment failed for.
func TestFailureAfterAnIgnoredOne(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.agent("i-1", func(_, event string) bool { return event == "ApplicationStop" || event == "AfterInstall" })
	d := w.awaitStatus(w.deploy("v1", func(in *api.CreateDeploymentInput) { in.IgnoreApplicationStopFailures = aws.Ptr(true) }), api.DeploymentStatusFailed)
	if !strings.Contains(*d.ErrorInformation.Message, "First failure: instance i-1, AfterInstall, s.sh: ScriptFailed") {
		t.Errorf("message %s", *d.ErrorInformation.Message)
	}
}

func TestAutomaticRollback(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp(func(in *api.CreateDeploymentGroupInput) {
		in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: aws.Ptr(true), Events: []api.AutoRollbackEvent{api.AutoRollbackEventDeploymentFailure}}
	})
	w.agent("i-1", func(key, event string) bool { return key != "good" && event == "ValidateService" })
	first := w.awaitStatus(w.deploy("bad0"), api.DeploymentStatusFailed)
	if first.RollbackInfo == nil || !strings.HasPrefix(aws.Val(first.RollbackInfo.RollbackMessage), "No rollback:") {
		t.Errorf("nothing to roll back to: %+v", first.RollbackInfo)
	}
	w.awaitStatus(w.deploy("good"), api.DeploymentStatusSucceeded)
	bad := w.awaitStatus(w.deploy("bad1"), api.DeploymentStatusFailed)
	back := w.awaitStatus(*bad.RollbackInfo.RollbackDeploymentId, api.DeploymentStatusSucceeded)
	if back.Creator != api.DeploymentCreatorCodeDeployRollback || *back.Revision.S3Location.Key != "good" || *back.RollbackInfo.RollbackTriggeringDeploymentId != *bad.DeploymentId {
		t.Errorf("rollback %+v", back)
	}
}

func TestStop(t *testing.T) {
	w := newWorld(t, "i-1", "i-2")
	w.setUp()
	entered, release := make(chan struct{}), make(chan struct{})
	w.agent("i-1", func(_, event string) bool {
		if event == "Install" {
			close(entered)
			<-release
		}
		return false
	})
	id := w.deploy("v1")
	<-entered
	_, err := call[api.CreateDeploymentOutput](w, "CreateDeployment", &api.CreateDeploymentInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g"), Revision: revisionOf("v2")})
	wantCode(t, err, "DeploymentLimitExceededException", "The Deployment Group 'g' already has an active Deployment '"+id+"'")
	out := must[api.StopDeploymentOutput](w, "StopDeployment", &api.StopDeploymentInput{DeploymentId: &id})
	if out.Status != api.StopStatusPending {
		t.Errorf("stop answered %s", out.Status)
	}
	w.await(id, "i-2 skipped", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.Skipped == 1 })
	close(release)
	d := w.awaitStatus(id, api.DeploymentStatusStopped)
	if d.ErrorInformation.Code != api.ErrorCodeManualStop {
		t.Errorf("error %+v", d.ErrorInformation)
	}
	target := w.target(id, "i-1")
	if target.Status != api.TargetStatusFailed || eventStatus(target, "Install") != api.LifecycleEventStatusSucceeded || eventStatus(target, "AfterInstall") != api.LifecycleEventStatusSkipped {
		t.Errorf("target %+v", target)
	}
	_, err = call[api.StopDeploymentOutput](w, "StopDeployment", &api.StopDeploymentInput{DeploymentId: &id})
	wantCode(t, err, "DeploymentAlreadyCompletedException", "")
}

func TestDeploymentsThatCannotBegin(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(w *world)
		config  string
		code    api.ErrorCode
		message string
	}{
		{"no instances", func(w *world) { w.machines = nil }, "", api.ErrorCodeNoInstances, "The group looks for tag app=web."},
		{"only terminated ones", func(w *world) { w.setState("i-1", "terminated") }, "", api.ErrorCodeNoInstances, "no instances were found"},
		{"no role", func(w *world) { w.noRole = awserr.New("NoSuchEntity", "gone") }, "", api.ErrorCodeIamRoleMissing, roleARN + " does not exist"},
		{"role not assumable", func(w *world) { w.noRole = awserr.New("AccessDenied", "no trust") }, "", api.ErrorCodeIamRolePermissions, "no trust. The role's trust policy must allow sts:AssumeRole to codedeploy.amazonaws.com"},
		{"role may not describe", func(w *world) { w.denied["ec2:DescribeInstances"] = true }, "", api.ErrorCodeIamRolePermissions, "is not authorized to perform: ec2:DescribeInstances"},
		{"minimum out of reach", func(*world) {}, "all", api.ErrorCodeHealthConstraintsInvalid, "it asks for 1 of 1 instances to stay healthy"},
		{"stopped instance", func(w *world) { w.setState("i-1", "stopped") }, "", api.ErrorCodeAgentIssue, "Instance i-1 is stopped"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp()
			must[api.CreateDeploymentConfigOutput](w, "CreateDeploymentConfig", &api.CreateDeploymentConfigInput{DeploymentConfigName: aws.Ptr("all"),
				MinimumHealthyHosts: &api.MinimumHealthyHosts{Type: api.MinimumHealthyHostsTypeHostCount, Value: aws.Ptr[int32](1)}})
			tc.prepare(w)
			id := w.deploy("v1", func(in *api.CreateDeploymentInput) {
				if tc.config != "" {
					in.DeploymentConfigName = &tc.config
				}
			})
			d := w.awaitStatus(id, api.DeploymentStatusFailed)
			if d.ErrorInformation.Code != tc.code || !strings.Contains(*d.ErrorInformation.Message, tc.message) {
				t.Errorf("%s: %s\nwant %s: ...%s...", d.ErrorInformation.Code, *d.ErrorInformation.Message, tc.code, tc.message)
			}
		})
	}
}

func TestSilentAgents(t *testing.T) {
	inProgress := func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 }
	t.Run("never polled", func(t *testing.T) {
		w := newWorld(t, "i-1")
		w.setUp()
		id := w.deploy("v1")
		w.await(id, "in progress", inProgress)
		w.clock.Advance(startTimeout)
		d := w.awaitStatus(id, api.DeploymentStatusFailed)
		want := "ApplicationStop on instance i-1 did not start within 5m0s. No CodeDeploy agent has ever polled from it. " +
			"Is codedeploy-agent installed and running there? Its user data and console output may tell."
		if d.ErrorInformation.Code != api.ErrorCodeAgentIssue || *d.ErrorInformation.Message != want {
			t.Errorf("%s: %s", d.ErrorInformation.Code, *d.ErrorInformation.Message)
		}
	})
	t.Run("lost in an event", func(t *testing.T) {
		w := newWorld(t, "i-1")
		w.setUp()
		entered, release := make(chan struct{}), make(chan struct{})
		a := w.agent("i-1", func(_, event string) bool {
			if event == "Install" {
				close(entered)
				<-release
			}
			return false
		})
		id := w.deploy("v1")
		<-entered
		last := w.clock.Now().UTC().Format(time.RFC3339)
		w.clock.Advance(lostTimeout)
		d := w.awaitStatus(id, api.DeploymentStatusFailed)
		if d.ErrorInformation.Code != api.ErrorCodeAgentIssue || !strings.Contains(*d.ErrorInformation.Message, "its last poll was at "+last+", Install did not end") {
			t.Errorf("%s: %s", d.ErrorInformation.Code, *d.ErrorInformation.Message)
		}
		close(release) // the late completion is answered and ignored
		a.close()
		if got := eventStatus(w.target(id, "i-1"), "Install"); got != api.LifecycleEventStatusFailed {
			t.Errorf("Install is %s", got)
		}
	})
	t.Run("instance terminated", func(t *testing.T) {
		w := newWorld(t, "i-1")
		w.setUp()
		id := w.deploy("v1")
		w.await(id, "in progress", inProgress)
		w.setState("i-1", "shutting-down")
		err := w.db.Update(t.Context(), func(tx *store.Tx) error {
			tx.Emit(store.Event{Account: account, Region: region, Service: "ec2", Resource: "i-1", Kind: "instance-shutting-down"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		d := w.awaitStatus(id, api.DeploymentStatusFailed)
		if *d.ErrorInformation.Message != "Instance i-1 is shutting-down: nothing can be deployed to it." {
			t.Errorf("message %s", *d.ErrorInformation.Message)
		}
	})
}

func TestRestartContinues(t *testing.T) {
	w := newWorld(t, "i-1", "i-2")
	w.setUp()
	entered, release := make(chan struct{}), make(chan struct{})
	first := w.agent("i-1", func(_, event string) bool {
		if event == "Install" {
			close(entered)
			<-release
		}
		return false
	})
	id := w.deploy("v1")
	<-entered
	w.stop() // the server ends in the middle of an event
	w.start()
	close(release)
	second := w.agent("i-2", nil)
	d := w.awaitStatus(id, api.DeploymentStatusSucceeded)
	if *d.DeploymentOverview.Succeeded != 2 || len(first.ran) != 7 || len(second.ran) != 7 {
		t.Errorf("overview %+v; ran %q and %q", d.DeploymentOverview, first.ran, second.ran)
	}
}

func TestOnlyOutdatedInstances(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	a := w.agent("i-1", nil)
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	w.setState("i-2", "running")
	w.agent("i-2", nil)
	d := w.awaitStatus(w.deploy("v1", func(in *api.CreateDeploymentInput) { in.UpdateOutdatedInstancesOnly = aws.Ptr(true) }), api.DeploymentStatusSucceeded)
	if *d.DeploymentOverview.Succeeded != 1 || len(a.ran) != 7 {
		t.Errorf("overview %+v, i-1 ran %d events", d.DeploymentOverview, len(a.ran))
	}
}

func TestDeletingTheGroupStopsItsDeployment(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	id := w.deploy("v1")
	w.await(id, "in progress", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 })
	must[api.DeleteApplicationOutput](w, "DeleteApplication", &api.DeleteApplicationInput{ApplicationName: aws.Ptr("a")})
	d := w.awaitStatus(id, api.DeploymentStatusStopped)
	if d.ErrorInformation.Code != api.ErrorCodeManualStop || *d.DeploymentOverview.Skipped != 1 {
		t.Errorf("%+v %+v", d.ErrorInformation, d.DeploymentOverview)
	}
}

func TestWhyAnAgentIsSilent(t *testing.T) {
	ready := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name   string
		t      target
		a      *agent
		last   string
		offers int
		want   string
	}{
		{"no profile", target{}, nil, "", 0, "No CodeDeploy agent has ever polled from it. The instance has no IAM instance profile, without which its agent has no credentials."},
		{"no agent", target{Profile: true}, nil, "", 0, "No CodeDeploy agent has ever polled from it. Is codedeploy-agent installed and running there? Its user data and console output may tell."},
		{"refused", target{}, &agent{Refused: "no permission", RefusedAt: ready}, "", 0, "Its CodeDeploy agent was refused at 2026-01-02T03:04:05Z: no permission"},
		{"refused long ago", target{Profile: true}, &agent{Refused: "no", RefusedAt: ready.Add(-1)}, "was at 2026-01-02T03:04:05Z", 0, "The last poll of its CodeDeploy agent was at 2026-01-02T03:04:05Z."},
		{"takes and drops", target{Profile: true}, &agent{}, "was", 3, "Its CodeDeploy agent took the command 3 times and never acknowledged it; see the agent's log there."},
	}
	for _, tc := range tests {
		tc.t.InstanceID, tc.t.Ready = "i-1", ready
		got := silent(&tc.t, "Install", tc.a, tc.last, tc.offers)
		if want := "Install on instance i-1 did not start within 5m0s. " + tc.want; got != want {
			t.Errorf("%s: %s\nwant %s", tc.name, got, want)
		}
	}
}
