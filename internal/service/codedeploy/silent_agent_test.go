package codedeploy

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// ourAgent is an agent that calls itself one of ours and hangs in an event, until it
// is closed.
func (w *world) ourAgent(id, hang string) (h *hostAgent, entered chan struct{}, let func()) {
	c := aws.CallFrom(as(id))
	c.UserAgent = agentProduct + "1"
	entered = make(chan struct{})
	release := make(chan struct{})
	h = w.agentAs(aws.WithCall(context.Background(), c), *hostARN(id), func(_, event string) bool {
		if event == hang {
			close(entered)
			<-release
		}
		return false
	})
	free := sync.OnceFunc(func() { close(release) })
	w.t.Cleanup(free) // before the agent is waited for
	return h, entered, func() { free(); h.close() }
}

func wantAgentIssue(t *testing.T, d *api.DeploymentInfo, parts ...string) {
	t.Helper()
	if d.ErrorInformation.Code != api.ErrorCodeAgentIssue {
		t.Errorf("code %s", d.ErrorInformation.Code)
	}
	for _, p := range parts {
		if !strings.Contains(*d.ErrorInformation.Message, p) {
			t.Errorf("message %s\nlacks %s", *d.ErrorInformation.Message, p)
		}
	}
}

// A server that starts again knows which agents are ours, and misses one that does
// not come back as soon as it ever does.
func TestOurAgentIsMissedAfterARestart(t *testing.T) {
	for _, tc := range []struct {
		name string
		hang string
		want string
	}{
		{"within an event", "Install", "Install did not end"},
		{"before it begins", "", "ApplicationStop did not start"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp()
			polled := w.clock.Now().UTC().Format(time.RFC3339)
			h, entered, let := w.ourAgent("i-1", tc.hang)
			var id string
			if tc.hang != "" {
				id = w.deploy("v1")
				<-entered
			} else {
				w.awaitEvent(store.Filter{Service: "codedeploy", Kind: "agent"})
			}
			w.stop()
			if tc.hang == "" {
				h.close()
			}
			w.clock.Advance(time.Hour) // the server is away
			w.start()
			if tc.hang == "" {
				id = w.deploy("v1")
			}
			w.await(id, "in progress", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 })
			w.eventually("the server knows the agent", func() bool { return w.s.polls.size() == 1 })
			w.clock.Advance(15 * time.Second)
			d := w.awaitStatus(id, api.DeploymentStatusFailed)
			wantAgentIssue(t, d, "is not responding: its last poll was at "+polled+" or soon after, before the server started at ", tc.want)
			if tc.hang != "" {
				let()
			}
		})
	}
}

// An agent of ours that was replaced by another one gets the other's patience.
func TestAgentThatWasReplaced(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	h, _, _ := w.ourAgent("i-1", "")
	w.awaitEvent(store.Filter{Service: "codedeploy", Kind: "agent"})
	h.close()
	other := w.agent("i-1", nil)
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	other.close()
	a, err := view(t.Context(), w.s, func(tx *store.Tx) (*agent, error) {
		return agents.Get(tx, store.Key{Account: account, Region: region, ID: "i-1"})
	})
	if err != nil || a.Ours {
		t.Errorf("%+v, %v", a, err)
	}
}

// AWS's agents poll while a command runs: one that has not polled for three minutes is
// gone, with whatever it ran, long before the event's hour is over.
func TestOfficialAgentKilledWithinAnEvent(t *testing.T) {
	recorders(t, func(t *testing.T, w *world, r *recorder) {
		id := w.deploy("v1")
		command, _, _ := r.poll()
		r.acknowledge(command, false)
		// It holds a poll while its script runs, and is killed: the kernel closes its
		// connection.
		client := &http.Client{Transport: &http.Transport{}}
		ctx, kill := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			resp, err := client.Do(r.request(ctx, "PollHostCommand", `{"HostIdentifier":"`+*hostARN("i-1")+`"}`))
			if err == nil {
				_ = resp.Body.Close()
			}
		}()
		k := store.Key{Account: account, Region: region, ID: "i-1"}
		w.eventually("a held poll", func() bool { return w.s.polls.held(k) == 1 })
		// As long as a poll is held nothing is wrong.
		w.clock.Advance(lostTimeout - time.Second)
		kill()
		<-gone
		w.eventually("the poll has ended", func() bool { return w.s.polls.held(k) == 0 })
		last := w.clock.Now().UTC().Format(time.RFC3339)
		w.clock.Advance(lostTimeout - time.Second)
		if d := w.get(id); d.Status != api.DeploymentStatusInProgress {
			t.Fatalf("too soon: %s", d.Status)
		}
		w.clock.Advance(time.Second)
		wantAgentIssue(t, w.awaitStatus(id, api.DeploymentStatusFailed), "its last poll was at "+last, "ApplicationStop did not end")
	})
}

func (p *polls) held(k store.Key) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[k]; h != nil {
		return h.open
	}
	return 0
}

// What a stopped instance runs nobody knows: its target fails at once, whatever state
// the target is in.
func TestStoppedWithinADeployment(t *testing.T) {
	for _, state := range []string{"stopping", "stopped", "shutting-down", "terminated"} {
		t.Run(state, func(t *testing.T) {
			w := newWorld(t, "i-1", "i-2")
			w.setUp(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr(allAtOnce) })
			entered, release := make(chan struct{}), make(chan struct{})
			a := w.agent("i-1", func(_, event string) bool {
				if event == "Install" {
					close(entered)
					<-release
				}
				return false
			})
			w.agent("i-2", nil)
			id := w.deploy("v1")
			<-entered
			w.setState("i-1", state)
			err := w.db.Update(t.Context(), func(tx *store.Tx) error {
				tx.Emit(store.Event{Account: account, Region: region, Service: "ec2", Resource: "i-1", Kind: "instance-" + state})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			w.await(id, "i-1 failed", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.Failed == 1 })
			got := w.target(id, "i-1")
			if eventStatus(got, "Install") != api.LifecycleEventStatusFailed || *got.LifecycleEvents[3].Diagnostics.Message != "Instance i-1 is "+state+": nothing can be deployed to it." {
				t.Errorf("events %+v", got.LifecycleEvents)
			}
			w.awaitStatus(id, api.DeploymentStatusSucceeded) // the other one is enough
			close(release)
			a.close()
		})
	}
}
