package codedeploy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// Before they poll, official agents look whether the endpoint answers at all.
func TestStartUpCheck(t *testing.T) {
	w := newWorld(t)
	resp, err := http.Get(w.serve() + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 500 {
		t.Errorf("GET / answered %s", resp.Status)
	}
}

// A poll that finds nothing ends long before an agent gives up, after 80 s: it waits for
// the answer before it ends. That is an empty object, not an empty body.
func TestPollThatFindsNothing(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		polled := make(chan answer, 1)
		go func() {
			polled <- r.send(t.Context(), "PollHostCommand", map[string]any{"HostIdentifier": *hostARN("i-1")})
		}()
		k := store.Key{Account: account, Region: region, ID: "i-1"}
		w.eventually("a held poll", func() bool { return w.s.polls.held(k) == 1 })
		if err := w.clock.BlockUntil(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(20 * time.Second)
		if a := <-polled; a.status != http.StatusOK || a.body != "{}" {
			t.Errorf("%+v", a)
		}
	})
}

// An agent of 1.8.1 that learns at its acknowledgement that a command is over reports a
// noop as done nevertheless, which changes nothing.
func TestNoopThatIsOver(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		id := w.deploy("v1")
		command, _, execution := r.poll()
		must[api.StopDeploymentOutput](w, "StopDeployment", &api.StopDeploymentInput{DeploymentId: &id})
		w.awaitStatus(id, api.DeploymentStatusStopped)
		if status := r.acknowledge(command, true); status != "Failed" {
			t.Errorf("acknowledgement answered %q", status)
		}
		r.specification(w, execution) // it fetches this again
		if a := r.complete(command, "Succeeded", 0, "Succeeded: CompletedNoopCommand", ""); a.status != http.StatusOK || a.body != "{}" {
			t.Errorf("completion %+v", a)
		}
		if got := eventStatus(w.target(id, "i-1"), "ApplicationStop"); got != api.LifecycleEventStatusSkipped {
			t.Errorf("ApplicationStop is %s", got)
		}
	})
}

// A command that an agent takes and drops, for a bad specification perhaps, is handed
// out again after a lease, and not for ever: the target fails, saying what happened.
func TestCommandThatIsTakenAndDropped(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		id := w.deploy("v1")
		times, ids := 0, map[string]bool{}
		for w.get(id).CompleteTime == nil && times < 100 {
			command, _, _ := r.poll()
			ids[command] = true
			times++
			w.clock.Advance(lease)
			w.eventually("the worker has looked", func() bool { return w.get(id).CompleteTime != nil || times < int(startTimeout/lease) })
		}
		d := w.awaitStatus(id, api.DeploymentStatusFailed)
		wantAgentIssue(t, d, "ApplicationStop on instance i-1 did not start within 5m0s. Its CodeDeploy agent took the command 15 times and never acknowledged it")
		if times != int(startTimeout/lease) || len(ids) != 1 {
			t.Errorf("handed out %d times, as %v", times, ids)
		}
	})
}

// Commands of one host follow each other, also those of two groups: what has begun goes
// on, and the other one waits.
func TestCommandsOfTwoGroups(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		must[api.CreateDeploymentGroupOutput](w, "CreateDeploymentGroup", &api.CreateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("h"),
			ServiceRoleArn: aws.Ptr(roleARN), Ec2TagFilters: []api.EC2TagFilter{{Key: aws.Ptr("app"), Value: aws.Ptr("web"), Type: api.EC2TagFilterTypeKeyAndValue}}})
		inProgress := func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 }
		first := w.deploy("v1")
		w.await(first, "begun", inProgress)
		second := w.deploy("v1", func(in *api.CreateDeploymentInput) { in.DeploymentGroupName = aws.Ptr("h") })
		w.await(second, "begun", inProgress)
		var order []string
		for range 14 {
			command, _, _ := r.poll()
			order = append(order, strings.Split(command, ":")[0])
			r.acknowledge(command, false)
			if got := w.runningCommands(); got != 1 {
				t.Fatalf("%d commands run on one host", got)
			}
			r.complete(command, "Succeeded", 0, "Succeeded: ", "")
			w.clock.Advance(time.Millisecond)
		}
		w.awaitStatus(first, api.DeploymentStatusSucceeded)
		w.awaitStatus(second, api.DeploymentStatusSucceeded)
		if n := len(slices.DeleteFunc(slices.Clone(order), func(id string) bool { return id != first })); n != 7 {
			t.Errorf("order %q", order)
		}
	})
}

func (w *world) runningCommands() (n int) {
	w.t.Helper()
	rows, err := view(w.t.Context(), w.s, func(tx *store.Tx) ([]store.Row[target], error) { return targets.List(tx, store.Scope{}, "", 0) })
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rows {
		if r.Value.Status == api.TargetStatusInProgress && !r.Value.Acked.IsZero() {
			n++
		}
	}
	return n
}

// The service's own time-outs: of an event, although its agent is alive, and of a
// deployment.
func TestTimeOuts(t *testing.T) {
	alive := func(w *world, r *recorder, until func() bool) {
		for !until() {
			// A poll every now and then: the agent is alive, and finds nothing.
			w.s.polls.begin(store.Key{Account: account, Region: region, ID: "i-1"}, false, w.clock.Now())
			w.s.polls.end(store.Key{Account: account, Region: region, ID: "i-1"}, w.clock.Now(), true)
			w.clock.Advance(2 * time.Minute)
		}
	}
	t.Run("an event", func(t *testing.T) {
		w := newWorld(t, "i-1")
		w.setUp()
		r := &recorder{flavour: flavours[0], t: t, endpoint: w.serve(), host: "i-1"}
		id := w.deploy("v1")
		command, _, _ := r.poll()
		r.acknowledge(command, false)
		began := w.clock.Now()
		alive(w, r, func() bool { return w.clock.Now().Sub(began) >= eventTimeout })
		d := w.awaitStatus(id, api.DeploymentStatusFailed)
		if e := d.ErrorInformation; e.Code != api.ErrorCodeHealthConstraints || !strings.Contains(*e.Message, "First failure: instance i-1, ApplicationStop: ScriptTimedOut: ApplicationStop on instance i-1 did not end within 1h10m0s.") {
			t.Errorf("%s: %s", e.Code, *e.Message)
		}
	})
	// Some Ruby agents add up the time-outs of an event's scripts.
	t.Run("an event that says how long it takes", func(t *testing.T) {
		w := newWorld(t, "i-1")
		w.setUp()
		r := &recorder{flavour: flavours[0], t: t, endpoint: w.serve(), host: "i-1"}
		id := w.deploy("v1")
		command, _, _ := r.poll()
		in := map[string]any{"HostCommandIdentifier": command, "Diagnostics": map[string]any{"Format": "JSON", "Payload": `{"IsCommandNoop":false}`}}
		for _, outside := range []int{0, 59, 4201} {
			in["HostCommandMaxDurationInSeconds"] = outside
			if a := r.send(t.Context(), "PutHostCommandAcknowledgement", in); a.status != http.StatusBadRequest || a.doc["__type"] != "ClientException" ||
				a.doc["message"] != fmt.Sprintf("HostCommandMaxDurationInSeconds is from 60 to 4200, not %d.", outside) {
				t.Errorf("%d: %+v", outside, a)
			}
		}
		in["HostCommandMaxDurationInSeconds"] = 300
		if status := r.ok("PutHostCommandAcknowledgement", in)["CommandStatus"]; status != "InProgress" {
			t.Fatalf("status %v", status)
		}
		began := w.clock.Now()
		in["HostCommandMaxDurationInSeconds"] = 1 // the first acknowledgement counts
		if status := r.ok("PutHostCommandAcknowledgement", in)["CommandStatus"]; status != "InProgress" {
			t.Errorf("again: status %v", status)
		}
		alive(w, r, func() bool { return w.clock.Now().Sub(began) >= 5*time.Minute+reportTimeout })
		d := w.awaitStatus(id, api.DeploymentStatusFailed)
		if e := d.ErrorInformation; !strings.Contains(*e.Message, "ApplicationStop: ScriptTimedOut: ApplicationStop on instance i-1 did not end within 6m0s.") {
			t.Errorf("%s: %s", e.Code, *e.Message)
		}
	})
	// That an agent says so is an inference: it matters to nothing but scripts.
	t.Run("an event without scripts says it too", func(t *testing.T) {
		w := newWorld(t, "i-1")
		w.setUp()
		r := &recorder{flavour: flavours[0], t: t, endpoint: w.serve(), host: "i-1"}
		id := w.deploy("v1")
		first, _, _ := r.poll()
		r.acknowledge(first, false)
		r.complete(first, "Succeeded", 0, "Succeeded: ", "")
		command, name, _ := r.poll()
		in := map[string]any{"HostCommandIdentifier": first, "HostCommandMaxDurationInSeconds": 1}
		if status := r.ok("PutHostCommandAcknowledgement", in)["CommandStatus"]; status != "Succeeded" {
			t.Errorf("an ended command: status %v", status)
		}
		in["HostCommandIdentifier"], in["HostCommandMaxDurationInSeconds"] = command, 60
		if status := r.ok("PutHostCommandAcknowledgement", in)["CommandStatus"]; name != "DownloadBundle" || status != "InProgress" {
			t.Fatalf("%s: status %v", name, status)
		}
		began := w.clock.Now()
		alive(w, r, func() bool { return w.clock.Now().Sub(began) >= 10*time.Minute })
		r.complete(command, "Succeeded", 0, "Succeeded: ", "")
		if got := eventStatus(w.target(id, "i-1"), "DownloadBundle"); got != api.LifecycleEventStatusSucceeded {
			t.Errorf("DownloadBundle %s", got)
		}
	})
	t.Run("a deployment", func(t *testing.T) {
		w := newWorld(t, "i-1")
		w.setUp()
		r := &recorder{flavour: flavours[0], t: t, endpoint: w.serve(), host: "i-1"}
		id := w.deploy("v1")
		w.await(id, "begun", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 })
		began := w.clock.Now()
		// Each event takes an hour and a bit, no single one too long.
		for w.clock.Now().Sub(began) < deploymentTimeout {
			if w.get(id).CompleteTime != nil {
				break
			}
			command, name, _ := r.poll()
			r.acknowledge(command, false)
			since := w.clock.Now()
			last := name == "ValidateService"
			alive(w, r, func() bool {
				return !last && w.clock.Now().Sub(since) >= eventTimeout-4*time.Minute || w.clock.Now().Sub(began) >= deploymentTimeout
			})
			if !last {
				r.complete(command, "Succeeded", 0, "Succeeded: ", "")
			}
		}
		d := w.awaitStatus(id, api.DeploymentStatusFailed)
		if e := d.ErrorInformation; e.Code != api.ErrorCodeTimeout || *e.Message != "The deployment has timed out: it did not end within 8h0m0s. "+
			"First failure: instance i-1, ValidateService: UnknownError: The deployment did not end within 8h0m0s." {
			t.Errorf("%s: %s", e.Code, *e.Message)
		}
	})
}
