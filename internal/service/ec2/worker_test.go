package ec2

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/store"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
)

func (w *world) stop(id string) {
	w.t.Helper()
	do[api.StopInstancesOutput](w, "StopInstances", &api.StopInstancesInput{InstanceIds: []string{id}})
}

func (w *world) start(id string) {
	w.t.Helper()
	do[api.StartInstancesOutput](w, "StartInstances", &api.StartInstancesInput{InstanceIds: []string{id}})
}

func (w *world) terminate(id string) {
	w.t.Helper()
	do[api.TerminateInstancesOutput](w, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{id}})
}

func change(t *testing.T, list []api.InstanceStateChange, from, to string) {
	t.Helper()
	if len(list) != 1 || string(list[0].PreviousState.Name) != from || string(list[0].CurrentState.Name) != to {
		t.Errorf("state changes %+v, want %s to %s", list, from, to)
	}
}

// TestLifecycle takes one instance through all its states and looks at what EC2
// shows in each.
func TestLifecycle(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	first := w.instance(id)

	out := do[api.StopInstancesOutput](w, "StopInstances", &api.StopInstancesInput{InstanceIds: []string{id, id}})
	change(t, out.StoppingInstances, "running", "stopping")
	w.await(id, stateStopped)
	i := w.instance(id)
	if *i.StateReason.Code != "Client.UserInitiatedShutdown" || *i.StateReason.Message != "Client.UserInitiatedShutdown: User initiated shutdown" || *i.StateTransitionReason != "User initiated (2024-02-29 12:30:00 GMT)" {
		t.Errorf("stopped because of %v, %q", *i.StateReason.Message, *i.StateTransitionReason)
	}
	if i.PublicIpAddress != nil || *i.PublicDnsName != "" || *i.PrivateIpAddress != *first.PrivateIpAddress {
		t.Errorf("a stopped instance has the addresses %v %v", i.PublicIpAddress, *i.PrivateIpAddress)
	}

	started := do[api.StartInstancesOutput](w, "StartInstances", &api.StartInstancesInput{InstanceIds: []string{id}})
	change(t, started.StartingInstances, "stopped", "pending")
	w.await(id, stateRunning)
	if i := w.instance(id); i.PublicIpAddress == nil || i.StateReason != nil {
		t.Errorf("started again: %+v", i)
	}
	if spec, _ := w.machines.spec(id); spec.FirstBoot {
		t.Error("the second boot would run user data")
	}

	do[api.RebootInstancesOutput](w, "RebootInstances", &api.RebootInstancesInput{InstanceIds: []string{id}})
	w.eventually("reboot", w.machines.change, func() bool { return w.machines.count("reboot "+id) == 1 })

	ended := do[api.TerminateInstancesOutput](w, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{id}})
	change(t, ended.TerminatingInstances, "running", "shutting-down")
	w.await(id, stateTerminated)
	i = w.instance(id)
	if i.VpcId != nil || i.PrivateIpAddress != nil || *i.PublicDnsName != "" || len(i.SecurityGroups) != 0 || len(i.BlockDeviceMappings) != 0 {
		t.Errorf("a terminated instance shows a network: %+v", i)
	}
	again := do[api.TerminateInstancesOutput](w, "TerminateInstances", &api.TerminateInstancesInput{InstanceIds: []string{id}})
	change(t, again.TerminatingInstances, "terminated", "terminated")
}

func TestWrongStates(t *testing.T) {
	w := newWorld(t)
	id := w.launch(nil) // stays pending: no worker
	ids := []string{id}
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"StopInstances", &api.StopInstancesInput{InstanceIds: ids}, "IncorrectInstanceState: The instance '" + id + "' is not in a state from which it can be stopped."},
		{"RebootInstances", &api.RebootInstancesInput{InstanceIds: ids}, "IncorrectInstanceState: The instance '" + id + "' is not in a state from which it can be rebooted."},
		{"ModifyInstanceAttribute", &api.ModifyInstanceAttributeInput{InstanceId: &id, InstanceType: &api.AttributeValue{Value: aws.Ptr("t3.small")}}, "IncorrectInstanceState: The instance '" + id + "' is not in the 'stopped' state."},
	} {
		if got := refused(w, c.operation, c.in); got != c.want {
			t.Errorf("%s: %s", c.operation, got)
		}
	}
	w.terminate(id)
	if got := refused(w, "StartInstances", &api.StartInstancesInput{InstanceIds: ids}); got != "IncorrectInstanceState: The instance '"+id+"' is not in a state from which it can be started." {
		t.Error(got)
	}
}

// TestAllOrNone: one bad instance leaves the others alone.
func TestAllOrNone(t *testing.T) {
	w := newWorld(t)
	w.run()
	good := w.running(nil)
	refused(w, "StopInstances", &api.StopInstancesInput{InstanceIds: []string{good, "i-00000000000000000"}})
	if s := w.row(good).State; s != stateRunning {
		t.Errorf("the good one is %s", s)
	}
}

func TestLaunchFails(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.machines.set(func(what, _ string) error {
		if what == "start" {
			return errBroken
		}
		return nil
	})
	id := w.launch(nil)
	w.await(id, stateTerminated)
	i := w.instance(id)
	if *i.StateReason.Code != "Server.InternalError" || !strings.Contains(*i.StateReason.Message, errBroken.Error()) {
		t.Errorf("ended because of %+v", i.StateReason)
	}
}

// TestStartFails: an instance that ran before falls back to stopped and keeps its
// disk.
func TestStartFails(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	w.stop(id)
	w.await(id, stateStopped)
	w.machines.set(func(what, _ string) error {
		if what == "start" {
			return errBroken
		}
		return nil
	})
	w.start(id)
	w.await(id, stateStopped)
	r := w.row(id)
	if r.StateReason.Code != "Server.InternalError" || r.NIC.Public.IsValid() || w.machines.count("terminate "+id) != 0 {
		t.Errorf("fell back to %+v", r)
	}
	w.machines.set(nil)
	w.start(id)
	w.await(id, stateRunning)
}

// TestStopIsRetried: a stop that fails is tried again, a second and then two later.
func TestStopIsRetried(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	var tries atomic.Int32
	w.machines.set(func(what, _ string) error {
		if what == "stop" && tries.Add(1) < 3 {
			return errBroken
		}
		return nil
	})
	w.stop(id)
	for _, wait := range []time.Duration{store.FirstRetry, 2 * store.FirstRetry} {
		// The sweep for terminated instances hangs on the clock, too.
		if err := w.clock.BlockUntil(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(wait)
	}
	w.await(id, stateStopped)
	if n := tries.Load(); n != 3 {
		t.Errorf("%d tries", n)
	}
}

// TestTerminateDuringLaunch: the machine that is coming up goes down again.
func TestTerminateDuringLaunch(t *testing.T) {
	w := newWorld(t)
	w.run()
	inside, goOn := make(chan struct{}), make(chan struct{})
	w.machines.set(func(what, _ string) error {
		if what == "start" {
			close(inside)
			<-goOn
		}
		return nil
	})
	id := w.launch(nil)
	<-inside
	w.terminate(id)
	close(goOn)
	w.await(id, stateTerminated)
	if _, runs := w.machines.spec(id); runs || w.machines.count("terminate "+id) != 1 {
		t.Error("the machine is still there")
	}
	if code := w.row(id).StateReason.Code; code != "Client.UserInitiatedShutdown" {
		t.Errorf("ended because of %s", code)
	}
}

// TestForeignAddress: a public address that somebody else on this machine uses is
// passed over, and not tried again.
func TestForeignAddress(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.machines.set(func(what, id string) error {
		if what == "start" && w.row(id).NIC.Public.String() == "198.18.0.10" {
			return fmt.Errorf("attach: %w", network.ErrAddressInUse)
		}
		return nil
	})
	id := w.running(nil)
	if ip := *w.instance(id).PublicIpAddress; ip != "198.18.0.11" {
		t.Errorf("public address %s", ip)
	}
	w.svc.cursors["public"] = netip.MustParseAddr("198.18.0.9")
	if ip := *w.instance(w.running(nil)).PublicIpAddress; ip != "198.18.0.12" {
		t.Errorf("the next one has %s", ip)
	}
}

// TestExited: a machine that shuts itself down is stopped, or terminated when it
// was launched so. One whose first process was killed did not shut down, and says
// what happened.
func TestExited(t *testing.T) {
	w := newWorld(t)
	w.run()
	for behaviour, want := range map[string]string{"": stateStopped, "stop": stateStopped, "terminate": stateTerminated} {
		id := w.running(func(in *api.RunInstancesInput) {
			in.InstanceInitiatedShutdownBehavior = api.ShutdownBehavior(behaviour)
		})
		w.machines.crash(id)
		w.svc.Exited(id, hsinstance.ReasonPoweroff)
		w.await(id, want)
		if r := w.instance(id).StateReason; *r.Code != "Client.InstanceInitiatedShutdown" || *r.Message != "Client.InstanceInitiatedShutdown: Instance initiated shutdown" {
			t.Errorf("%s: reason %+v", behaviour, r)
		}
	}
	for _, why := range []string{hsinstance.ReasonKilled, hsinstance.ReasonMemory} {
		id := w.running(nil)
		w.machines.crash(id)
		w.svc.Exited(id, why)
		w.await(id, stateStopped)
		if r := w.instance(id).StateReason; *r.Code != "Server.InternalError" || !strings.HasSuffix(*r.Message, ": "+why) {
			t.Errorf("%s: reason %s, %s", why, *r.Code, *r.Message)
		}
	}
	w.svc.Exited("i-00000000000000000", hsinstance.ReasonKilled) // of another server: nothing to do
}

// TestExitedDuringLaunch: the news that a machine has ended can come before the
// news that it runs.
func TestExitedDuringLaunch(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.machines.set(func(what, id string) error {
		if what == "start" {
			w.svc.Exited(id, hsinstance.ReasonKilled)
		}
		return nil
	})
	id := w.launch(nil)
	w.await(id, stateStopped)
}

// TestRebootFails: a machine that does not come back is booted once more, and is
// stopped when that fails.
func TestRebootFails(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	reboot := func() {
		do[api.RebootInstancesOutput](w, "RebootInstances", &api.RebootInstancesInput{InstanceIds: []string{id}})
	}
	w.machines.crash(id)
	reboot()
	w.eventually("second boot", w.machines.change, func() bool { return w.machines.count("start "+id) == 2 })
	w.machines.crash(id)
	w.machines.set(func(what, _ string) error {
		if what == "start" {
			return errBroken
		}
		return nil
	})
	reboot()
	w.await(id, stateStopped)
	if code := w.row(id).StateReason.Code; code != "Server.InternalError" {
		t.Errorf("stopped because of %s", code)
	}
}

func TestForcedStop(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	do[api.StopInstancesOutput](w, "StopInstances", &api.StopInstancesInput{InstanceIds: []string{id}, Force: aws.Ptr(true)})
	w.await(id, stateStopped)
	if w.machines.count("force "+id) != 1 {
		t.Error("the machine was asked first")
	}
	w.start(id)
	w.await(id, stateRunning)
	w.stop(id)
	w.await(id, stateStopped)
	if w.machines.count("stop "+id) != 1 {
		t.Error("the second stop was forced, too")
	}
}

// TestSweep: a terminated instance is described for an hour.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	stop := w.run()
	id := w.running(nil)
	w.terminate(id)
	w.await(id, stateTerminated)
	w.clock.Advance(keepTerminated)
	w.instance(id)
	stop()
	w.clock.Advance(1)
	if err := w.svc.dropTerminated(w.ctx); err != nil {
		t.Fatal(err)
	}
	if got := refused(w, "DescribeInstances", &api.DescribeInstancesInput{InstanceIds: []string{id}}); got != "InvalidInstanceID.NotFound: The instance ID '"+id+"' does not exist" {
		t.Error(got)
	}
	if n := w.machines.count("forget " + id); n != 1 {
		t.Errorf("the console was forgotten %d times, want once", n)
	}
}
