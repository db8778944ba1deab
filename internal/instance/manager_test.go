package instance_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
	"github.com/hardstand/hardstand/internal/network"
)

// scripted is a driver whose instances end when the test says so.
type scripted struct {
	instance.Driver // unused methods
	mu              sync.Mutex
	launches        []instance.Spec
	handles         map[string]*scriptedHandle
	launchErr       error
	recovered       map[string]error
	removed, swept  []string
}

type scriptedHandle struct {
	done     chan struct{}
	exit     instance.Exit
	stubborn bool
	asked    chan struct{}
	plugged  []string
	stuck    string // the interface that cannot be unplugged
}

func newScripted() *scripted {
	return &scripted{handles: map[string]*scriptedHandle{}, recovered: map[string]error{}}
}

func (d *scripted) Launch(_ context.Context, s instance.Spec) (instance.Handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.launchErr != nil {
		return nil, d.launchErr
	}
	d.launches = append(d.launches, s)
	return d.handle(s.ID), nil
}

func (d *scripted) handle(id string) *scriptedHandle {
	h := &scriptedHandle{done: make(chan struct{}), asked: make(chan struct{}, 1)}
	d.handles[id] = h
	return h
}

func (d *scripted) Recover(_ context.Context, s instance.Spec) (instance.Handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.recovered[s.ID]; err != nil {
		return nil, err
	}
	return d.handle(s.ID), nil
}

func (d *scripted) Remove(_ context.Context, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed = append(d.removed, id)
	return nil
}

func (d *scripted) Sweep(_ context.Context, keep map[string]bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range []string{"i-1", "i-2", "i-3"} {
		if !keep[id] {
			d.swept = append(d.swept, id)
		}
	}
	return nil
}

func (d *scripted) of(id string) *scriptedHandle {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.handles[id]
}

func (h *scriptedHandle) Done() <-chan struct{} { return h.done }
func (h *scriptedHandle) Exit() instance.Exit   { return h.exit }
func (h *scriptedHandle) Kill() error           { h.end(instance.ReasonKilled); return nil }
func (h *scriptedHandle) Plug(_ context.Context, nic network.NIC) error {
	h.plugged = append(h.plugged, nic.ID)
	return nil
}
func (h *scriptedHandle) Unplug(_ context.Context, nic string) error {
	if nic == h.stuck {
		return errors.New("it is stuck")
	}
	h.plugged = append(h.plugged, "-"+nic)
	return nil
}
func (h *scriptedHandle) Usage() (instance.Usage, error) {
	return instance.Usage{CPU: time.Second}, nil
}
func (h *scriptedHandle) Shutdown() error {
	h.asked <- struct{}{}
	if !h.stubborn {
		h.end(instance.ReasonPoweroff)
	}
	return nil
}

func (h *scriptedHandle) end(reason string) {
	h.exit = instance.Exit{Reason: reason}
	close(h.done)
}

type fixture struct {
	*instance.Manager
	driver *scripted
	clock  *clock.Manual
	exits  chan string
}

func newFixture(t *testing.T) fixture { return newFixtureWith(t, nil) }

// newFixtureWith has spec tell what an instance that reboots is to be like.
func newFixtureWith(t *testing.T, spec func(context.Context, string) (instance.Spec, error)) fixture {
	f := fixture{driver: newScripted(), clock: clock.NewManual(time.Unix(0, 0)), exits: make(chan string, 10)}
	f.Manager = instance.New(instance.Config{
		Driver: f.driver, Clock: f.clock, Log: instancetest.Log(t), Spec: spec,
		OnExit: func(id, reason string) { f.exits <- id + " " + reason },
	})
	t.Cleanup(f.Close)
	return f
}

func (f fixture) start(t *testing.T, id string) *scriptedHandle {
	t.Helper()
	if err := f.Start(t.Context(), instance.Spec{ID: id, FirstBoot: true}); err != nil {
		t.Fatal(err)
	}
	return f.driver.of(id)
}

func (f fixture) exit(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-f.exits:
		if got != want {
			t.Errorf("exit %q, want %q", got, want)
		}
	case <-t.Context().Done():
		t.Fatal("no exit")
	}
}

func TestStartTwiceLaunchesOnce(t *testing.T) {
	f := newFixture(t)
	f.start(t, "i-1")
	f.start(t, "i-1")
	if n := len(f.driver.launches); n != 1 {
		t.Errorf("%d launches, want 1", n)
	}
}

func TestUsageIsOfWhatRuns(t *testing.T) {
	f := newFixture(t)
	f.start(t, "i-1")
	if u, err := f.Usage("i-1"); err != nil || u.CPU != time.Second {
		t.Errorf("%+v, %v", u, err)
	}
	if err := f.Stop(t.Context(), "i-1", true); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"i-1", "i-2"} {
		if _, err := f.Usage(id); !errors.Is(err, instance.ErrNotCounted) {
			t.Errorf("%s, which does not run: %v", id, err)
		}
	}
}

func TestExitByItselfIsTold(t *testing.T) {
	f := newFixture(t)
	f.start(t, "i-1").end(instance.ReasonPoweroff)
	f.exit(t, "i-1 poweroff")
	f.start(t, "i-1")
	if n := len(f.driver.launches); n != 2 {
		t.Errorf("%d launches, want 2", n)
	}
}

func TestStopIsNoNews(t *testing.T) {
	f := newFixture(t)
	h := f.start(t, "i-1")
	if err := f.Stop(t.Context(), "i-1", false); err != nil {
		t.Fatal(err)
	}
	if h.exit.Reason != instance.ReasonPoweroff {
		t.Errorf("exit = %v, want a shutdown", h.exit)
	}
	f.start(t, "i-2").end(instance.ReasonKilled)
	f.exit(t, "i-2 killed") // and none of i-1 before
	if err := f.Stop(t.Context(), "i-1", false); err != nil {
		t.Errorf("stopping what is stopped: %v", err)
	}
}

func TestStopKillsAfterAWhile(t *testing.T) {
	f := newFixture(t)
	h := f.start(t, "i-1")
	h.stubborn = true
	done := make(chan error, 1)
	go func() { done <- f.Stop(t.Context(), "i-1", false) }()
	<-h.asked
	if err := f.clock.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Minute)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if h.exit.Reason != instance.ReasonKilled {
		t.Errorf("exit = %v, want killed", h.exit)
	}
}

func TestForcedStopDoesNotAsk(t *testing.T) {
	f := newFixture(t)
	h := f.start(t, "i-1")
	if err := f.Stop(t.Context(), "i-1", true); err != nil {
		t.Fatal(err)
	}
	if len(h.asked) != 0 || h.exit.Reason != instance.ReasonKilled {
		t.Errorf("asked %d times, exit %v", len(h.asked), h.exit)
	}
}

func TestRebootKeepsTheDisk(t *testing.T) {
	f := newFixture(t)
	f.start(t, "i-1")
	if err := f.Reboot(t.Context(), "i-1"); err != nil {
		t.Fatal(err)
	}
	if n := len(f.driver.launches); n != 2 || f.driver.launches[1].FirstBoot {
		t.Errorf("launches %+v, want a second one that is no first boot", f.driver.launches)
	}
	if err := f.Reboot(t.Context(), "i-2"); err == nil {
		t.Error("rebooting what does not run succeeded")
	}
}

// What has changed about an instance since its launch counts from its next boot on,
// whoever asked for that.
func TestRebootAsItIsByNow(t *testing.T) {
	var gone error
	f := newFixtureWith(t, func(_ context.Context, id string) (instance.Spec, error) {
		return instance.Spec{ID: id, Hostname: "changed", FirstBoot: true}, gone
	})
	f.start(t, "i-1")
	if err := f.Reboot(t.Context(), "i-1"); err != nil {
		t.Fatal(err)
	}
	f.driver.mu.Lock()
	second := f.driver.launches[1]
	f.driver.mu.Unlock()
	if second.Hostname != "changed" || second.FirstBoot {
		t.Errorf("it came back as %+v", second)
	}
	gone = errors.New("no row")
	if err := f.Reboot(t.Context(), "i-1"); err == nil || err.Error() != "reboot i-1: no row" {
		t.Errorf("a reboot to nobody knows what: %v", err)
	}
}

func TestRebootFromInsideComesBack(t *testing.T) {
	f := newFixture(t)
	f.start(t, "i-1").end(instance.ReasonReboot)
	for h := f.driver.of("i-1"); ; h = f.driver.of("i-1") {
		select {
		case <-h.done:
			continue // not yet launched again
		default:
		}
		break
	}
	f.driver.mu.Lock()
	f.driver.launchErr = errors.New("no room")
	f.driver.mu.Unlock()
	f.driver.of("i-1").end(instance.ReasonReboot)
	f.exit(t, "i-1 killed") // could not come back
}

// An instance that reboots again and again waits before it boots; who stops it
// meanwhile finds it stopped.
func TestRebootLoopIsDamped(t *testing.T) {
	f := newFixture(t)
	h := f.start(t, "i-1")
	next := func() {
		t.Helper()
		was := h
		h.end(instance.ReasonReboot)
		for h == was {
			h = f.driver.of("i-1")
		}
	}
	for range 3 {
		next()
	}
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		was := h
		h.end(instance.ReasonReboot)
		if err := f.clock.BlockUntil(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(pause - 1)
		if f.driver.of("i-1") != was {
			t.Fatalf("it booted before %s were over", pause)
		}
		f.clock.Advance(1)
		for h == was {
			h = f.driver.of("i-1")
		}
	}
	f.clock.Advance(2 * time.Minute) // a steady life
	next()

	for range 2 {
		next()
	}
	h.end(instance.ReasonReboot)
	if err := f.clock.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(t.Context(), "i-1", false); err != nil {
		t.Fatal(err)
	}
	launches := len(f.driver.launches)
	f.clock.Advance(time.Minute)
	f.Close()
	if n := len(f.driver.launches); n != launches {
		t.Error("it booted after it was stopped")
	}
}

// Who starts an instance that waits with its next boot has it at once, and once. Under
// the race detector this also holds the wait against the start's new specification.
func TestStartEndsTheWaitForTheNextBoot(t *testing.T) {
	f := newFixture(t)
	h := f.start(t, "i-1")
	for i := range 4 {
		was := h
		h.end(instance.ReasonReboot)
		for h == was {
			if i == 3 {
				h = f.start(t, "i-1")
			} else {
				h = f.driver.of("i-1")
			}
		}
	}
	f.clock.Advance(time.Minute)
	f.Close()
	if n := len(f.driver.launches); n != 5 {
		t.Errorf("%d launches, want 5", n)
	}
}

func TestTerminateRemoves(t *testing.T) {
	f := newFixture(t)
	f.start(t, "i-1")
	for range 2 {
		if err := f.Terminate(t.Context(), "i-1"); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.driver.removed) != 2 {
		t.Errorf("removed %v", f.driver.removed)
	}
}

func TestAdopt(t *testing.T) {
	f := newFixture(t)
	broken := errors.New("cannot listen")
	f.driver.recovered["i-2"] = &instance.Ended{Exit: instance.Exit{Reason: instance.ReasonHostReboot}}
	f.driver.recovered["i-4"] = &instance.Ended{Exit: instance.Exit{Reason: instance.ReasonReboot}}
	f.driver.recovered["i-5"] = broken
	specs := []instance.Spec{{ID: "i-1"}, {ID: "i-2"}, {ID: "i-4"}, {ID: "i-5"}}
	alive, err := f.Adopt(t.Context(), specs)
	if !errors.Is(err, broken) {
		t.Errorf("error = %v, want %v", err, broken)
	}
	for id, want := range map[string]bool{"i-1": true, "i-2": false, "i-4": true, "i-5": false} {
		if alive[id] != want {
			t.Errorf("%s alive = %v, want %v", id, alive[id], want)
		}
	}
	if len(f.driver.swept) != 1 || f.driver.swept[0] != "i-3" {
		t.Errorf("swept %v, want i-3", f.driver.swept)
	}
	f.driver.of("i-1").end(instance.ReasonHalt)
	f.exit(t, "i-1 halt")
}

// TestPlug: an interface that was plugged in comes back with a reboot, one that was
// taken away does not.
func TestPlug(t *testing.T) {
	f := newFixture(t)
	ctx := context.Background()
	if err := f.Plug(ctx, "i-1", network.NIC{ID: "eni-0"}); err != nil {
		t.Errorf("plug into what does not run: %v", err)
	}
	if err := f.Start(ctx, instance.Spec{ID: "i-1", Others: []network.NIC{{ID: "eni-1"}}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"eni-2", "eni-2", "eni-3"} {
		if err := f.Plug(ctx, "i-1", network.NIC{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	f.driver.of("i-1").stuck = "eni-2"
	if err := f.Unplug(ctx, "i-1", "eni-2"); err == nil {
		t.Error("what could not be unplugged was")
	}
	if err := f.Unplug(ctx, "i-1", "eni-1"); err != nil {
		t.Fatal(err)
	}
	if got := f.driver.of("i-1").plugged; !slices.Equal(got, []string{"eni-2", "eni-2", "eni-3", "-eni-1"}) {
		t.Errorf("the driver was told %v", got)
	}
	if err := f.Reboot(ctx, "i-1"); err != nil {
		t.Fatal(err)
	}
	var again []string
	for _, n := range f.driver.launches[1].Others {
		again = append(again, n.ID)
	}
	if !slices.Equal(again, []string{"eni-2", "eni-3"}) {
		t.Errorf("booted again with %v", again)
	}
}
