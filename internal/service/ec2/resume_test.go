package ec2

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// TestResume stops the server while an instance is between two states, makes a new
// one on the same store and expects it to finish what was begun, once.
func TestResume(t *testing.T) {
	for _, c := range []struct {
		name  string
		hold  string // the call to the machines that the server dies in
		begin func(w *world) string
		want  string
	}{
		{"launch", "start", func(w *world) string { return w.launch(nil) }, stateRunning},
		{"stop", "stop", func(w *world) string { id := w.running(nil); w.stop(id); return id }, stateStopped},
		{"terminate", "terminate", func(w *world) string { id := w.running(nil); w.terminate(id); return id }, stateTerminated},
		{"reboot", "reboot", func(w *world) string {
			id := w.running(nil)
			do[api.RebootInstancesOutput](w, "RebootInstances", &api.RebootInstancesInput{InstanceIds: []string{id}})
			return id
		}, stateRunning},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			stop := w.run()
			inside, dying := make(chan struct{}, 1), make(chan struct{})
			w.machines.set(func(what, _ string) error {
				if what != c.hold {
					return nil
				}
				inside <- struct{}{}
				<-dying
				return errBroken
			})
			id := c.begin(w)
			<-inside
			go stop()
			<-w.stopping
			close(dying)
			stop() // waits for the other

			w.machines.set(nil)
			w.restart()
			w.run()
			w.await(id, c.want)
			w.eventually(c.hold, w.machines.change, func() bool { return w.machines.count(c.hold+" "+id) == 1 })
		})
	}
}

// TestAdopt: a server that starts finds its machines again; one that is gone is
// stopped, with the reason.
func TestAdopt(t *testing.T) {
	w := newWorld(t)
	stop := w.run()
	sg := w.group("web")
	alive := w.running(func(in *api.RunInstancesInput) { in.SecurityGroupIds = []string{sg} })
	dead := w.running(nil)
	stop()
	w.machines.crash(dead)
	w.restart()
	w.run()
	w.await(dead, stateStopped)
	if r := w.row(dead); r.StateReason.Code != "Server.InternalError" || r.NIC.Public.IsValid() {
		t.Errorf("the dead one: %+v", r)
	}
	if s := w.row(alive).State; s != stateRunning || w.machines.count("start "+alive) != 1 {
		t.Errorf("the living one is %s", s)
	}
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	if len(w.net.adopted) != 1 || len(w.net.adopted[0].NICs) != 2 || len(w.net.adopted[0].Groups) != 2 || !w.net.adopted[0].Gateway {
		t.Errorf("the network was told %+v", w.net.adopted)
	}
}

// TestAdoptFails: one machine that cannot be taken over does not keep the server
// from starting.
func TestAdoptFails(t *testing.T) {
	w := newWorld(t)
	stop := w.run()
	id := w.running(nil)
	stop()
	w.machines.set(func(what, _ string) error {
		if what == "adopt" {
			return errBroken
		}
		return nil
	})
	w.restart()
	w.run()
	w.await(id, stateStopped)
}

func TestTerminateAll(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(func(in *api.RunInstancesInput) { in.DisableApiTermination = aws.Ptr(true) })
	if idle, err := w.svc.Idle(w.ctx); idle || err != nil {
		t.Errorf("idle: %v %v", idle, err)
	}
	if err := w.svc.TerminateAll(w.ctx); err != nil {
		t.Fatal(err)
	}
	if idle, err := w.svc.Idle(w.ctx); !idle || err != nil {
		t.Errorf("idle at the end: %v %v", idle, err)
	}
	if s := w.row(id).State; s != stateTerminated {
		t.Errorf("the instance is %s", s)
	}
}
