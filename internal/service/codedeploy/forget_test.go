package codedeploy

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	commands "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// count returns how many rows the tables have that grow with instances and
// deployments.
func (w *world) count() (agentRows, hostRows, deploymentRows, targetRows, outputs int) {
	w.t.Helper()
	err := w.db.View(context.Background(), func(tx *store.Tx) error {
		a, err := agents.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		h, err := hosts.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		d, err := deployments.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		t, err := targets.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		l, err := logParts.List(tx, store.Scope{}, "", 0)
		agentRows, hostRows, deploymentRows, targetRows, outputs = len(a), len(h), len(d), len(t), len(l)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return agentRows, hostRows, deploymentRows, targetRows, outputs
}

// eventually waits until ok, which events of any service may bring.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	timeout := time.After(limit)
	for {
		changed := w.db.Changed(store.Filter{})
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Millisecond): // rows are removed without an event
		case <-timeout:
			w.t.Fatalf("%s: never", what)
		}
	}
}

// end tells of an instance that has ended, as EC2 does.
func (w *world) end(id string) {
	w.t.Helper()
	w.setState(id, "terminated")
	err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		for _, state := range []string{"shutting-down", "terminated"} {
			tx.Emit(store.Event{Account: account, Region: region, Service: "ec2", Resource: id, Kind: "instance-" + state})
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (p *polls) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.hosts)
}

// Instances that have ended leave nothing, also those that end while no server runs.
func TestEndedInstancesAreForgotten(t *testing.T) {
	w := newWorld(t, "i-1", "i-2", "i-3")
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)}, "web")
	w.setUp(onPremisesGroup, func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr(allAtOnce) })
	agentsOf := map[string]*hostAgent{"box": w.agentAs(asARN(userARN), userARN, nil)}
	for _, id := range []string{"i-1", "i-2", "i-3"} {
		agentsOf[id] = w.agent(id, nil)
	}
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	if a, h, _, _, _ := w.count(); a != 4 || h != 4 {
		t.Fatalf("%d agents, %d hosts", a, h)
	}
	for _, a := range agentsOf {
		a.close()
	}
	w.end("i-1")
	w.eventually("i-1 is forgotten", func() bool { a, h, _, _, _ := w.count(); return a == 3 && h == 3 && w.s.polls.size() == 3 })
	must[api.DeregisterOnPremisesInstanceOutput](w, "DeregisterOnPremisesInstance", &api.DeregisterOnPremisesInstanceInput{InstanceName: aws.Ptr("box")})
	if a, h, _, _, _ := w.count(); a != 2 || h != 2 || w.s.polls.size() != 2 {
		t.Errorf("%d agents, %d hosts, %d in memory", a, h, w.s.polls.size())
	}
	w.stop()
	w.end("i-2")
	w.start()
	w.eventually("i-2 is forgotten", func() bool { a, h, _, _, _ := w.count(); return a == 1 && h == 1 && w.s.polls.size() == 1 })
	must[api.DeleteDeploymentGroupOutput](w, "DeleteDeploymentGroup", &api.DeleteDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")})
	if a, h, _, _, _ := w.count(); a != 1 || h != 0 {
		t.Errorf("the group is deleted: %d agents, %d hosts", a, h)
	}
}

// An instance that ends in the middle of a deployment leaves nothing either, nor does
// a group that is deleted then.
func TestForgottenInTheMiddle(t *testing.T) {
	w := newWorld(t, "i-1", "i-2")
	w.setUp(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr(allAtOnce) })
	id := w.deploy("v1")
	w.await(id, "in progress", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 2 })
	w.end("i-1")
	w.await(id, "i-1 failed", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.Failed == 1 })
	w.agent("i-2", func(_, event string) bool { return event == "DownloadBundle" })
	must[api.DeleteDeploymentGroupOutput](w, "DeleteDeploymentGroup", &api.DeleteDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")})
	w.await(id, "an end", func(d *api.DeploymentInfo) bool { return d.CompleteTime != nil })
	w.eventually("nothing of the group", func() bool { _, h, _, _, _ := w.count(); return h == 0 })
}

// fakePast puts n ended deployments before those of group g.
func (w *world) fakePast(g string, n int) {
	w.t.Helper()
	err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		for i := range n {
			d := &deployment{ID: fmt.Sprintf("d-%09d", i), GroupID: g, Status: api.DeploymentStatusSucceeded, Revision: revisionOf("v0"),
				Created: w.clock.Now().Add(-time.Hour + time.Duration(i)), Completed: w.clock.Now()}
			k := store.Key{Account: account, Region: region, ID: d.ID}
			x := &target{DeploymentID: d.ID, InstanceID: "i-1", Status: api.TargetStatusSucceeded, Events: []event{{Name: "Install", LogParts: 1}}}
			if err := deployments.Put(tx, k, d); err != nil {
				return err
			}
			if err := targets.Put(tx, targetKey(k, d.ID, "i-1"), x); err != nil {
				return err
			}
			if err := logParts.Put(tx, logKey(k, x, 0, 0), &logPart{Event: "Install", Text: "x"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// Instances on premises are listed as deregistered for a month.
func TestDeregisteredInstancesAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)})
	w.register("stays", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN + "2")})
	must[api.DeregisterOnPremisesInstanceOutput](w, "DeregisterOnPremisesInstance", &api.DeregisterOnPremisesInstanceInput{InstanceName: aws.Ptr("box")})
	names := func() int {
		return len(must[api.ListOnPremisesInstancesOutput](w, "ListOnPremisesInstances", &api.ListOnPremisesInstancesInput{}).InstanceNames)
	}
	w.clock.Advance(keepDeleted - time.Hour)
	if names() != 2 {
		t.Errorf("%d after less than a month", names())
	}
	if err := w.clock.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	w.eventually("box is forgotten", func() bool { w.clock.Advance(time.Hour); return names() == 1 })
}

// A revision that only deployments made known goes with the last of them.
func TestRevisionsOfForgottenDeployments(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.agent("i-1", nil)
	must[api.RegisterApplicationRevisionOutput](w, "RegisterApplicationRevision", &api.RegisterApplicationRevisionInput{ApplicationName: aws.Ptr("a"), Revision: revisionOf("registered")})
	w.clock.Advance(time.Second)
	for _, key := range []string{"once", "registered", "twice", "now"} {
		w.awaitStatus(w.deploy(key), api.DeploymentStatusSucceeded)
		w.clock.Advance(time.Second)
	}
	w.awaitStatus(w.deploy("twice"), api.DeploymentStatusSucceeded)
	w.clock.Advance(time.Second)
	w.awaitStatus(w.deploy("now"), api.DeploymentStatusSucceeded)
	ids := must[api.ListDeploymentsOutput](w, "ListDeployments", &api.ListDeploymentsInput{}).Deployments
	for _, id := range ids[2:] { // the first four
		if err := w.s.forgetDeployment(t.Context(), store.Key{Account: account, Region: region, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	for _, r := range must[api.ListApplicationRevisionsOutput](w, "ListApplicationRevisions", &api.ListApplicationRevisionsInput{ApplicationName: aws.Ptr("a")}).Revisions {
		left = append(left, *r.S3Location.Key)
	}
	slices.Sort(left)
	if want := []string{"now", "registered", "twice"}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
}

// The newest deployments of a group stay, and the output of the newest of them; those
// of a group that was deleted for a month.
func TestOldDeploymentsAreForgotten(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.agent("i-1", nil)
	g := *must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo.DeploymentGroupId
	w.fakePast(g, keepDeployments+2)
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	w.eventually("the rest", func() bool {
		_, _, d, ts, l := w.count()
		return d == keepDeployments && ts == keepDeployments && l == keepOutputs-1 // the newest has none
	})
	gone := "d-000000100"
	out, err := wire.Call[commands.GetDeploymentLogOutput](as("deployer"), w.server, "codedeploy-commands", "GetDeploymentLog", &commands.GetDeploymentLogInput{DeploymentId: &gone, TargetId: aws.Ptr("i-1")})
	if err != nil || len(out.Parts) != 0 {
		t.Errorf("output that is gone: %+v, %v", out, err)
	}
	must[api.DeleteApplicationOutput](w, "DeleteApplication", &api.DeleteApplicationInput{ApplicationName: aws.Ptr("a")})
	w.get(gone)
	w.clock.Advance(keepDeleted + time.Hour)
	w.eventually("nothing", func() bool { _, _, d, ts, l := w.count(); return d+ts+l == 0 })
}
