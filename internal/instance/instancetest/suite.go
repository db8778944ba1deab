// Package instancetest is what every driver of package instance must pass: All
// for each, Executing for those in which something runs.
//
// A driver's test calls Main from TestMain, which runs everything apart from the
// machine, and hands a Subject to the lists.
package instancetest

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
)

// Subject is a driver under test.
type Subject struct {
	// Open returns a driver on dir, closed by the returned function as a daemon
	// closes it: what runs goes on running. It is called again on the same dir
	// to see what a later daemon finds.
	Open func(t testing.TB, dir string) (instance.Driver, func())
}

// patience bounds every wait for something that an instance does.
const patience = 30 * time.Second

// Spec returns a small instance with an address of its own.
func Spec(userData string) instance.Spec {
	n := next.Add(1)
	addr := netip.AddrFrom4([4]byte{172, 31, byte(n >> 7 & 0xf), byte(10 + n&0x7f)})
	s := instance.Spec{
		ID: ids.Resource("i"), Account: "123456789012", Region: "us-east-1", Zone: "us-east-1a",
		Type: "t3.micro", ImageID: "ami-0123456789abcdef0",
		Hostname: "ip-" + strings.ReplaceAll(addr.String(), ".", "-") + ".ec2.internal",
		VCPUs:    2, MemoryMiB: 1024, FirstBoot: true, Endpoint: "http://127.0.0.1:4566",
		NIC: network.NIC{
			ID: ids.Resource("eni"), VPC: "vpc-0123456789abcdef0", VPCCIDR: netip.MustParsePrefix("172.31.0.0/16"),
			Subnet: netip.MustParsePrefix("172.31.0.0/20"), Private: addr,
			Public:         netip.AddrFrom4([4]byte{198, 18, 1 + byte(n>>7), byte(10 + n&0x7f)}),
			MAC:            hardwareAddress(addr),
			SecurityGroups: []string{"sg-1"},
		},
	}
	if userData != "" {
		s.UserData = []byte(userData)
	}
	return s
}

// All is for every driver.
func All(t *testing.T, sub Subject) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Subject)
	}{
		{"an instance ends when asked to", endsWhenAsked},
		{"a killed instance says so", killedSaysSo},
		{"an ended instance starts again on its disk", startsAgain},
		{"an instance without disk does not start again", needsDisk},
		{"a launch that is called off leaves nothing", calledOff},
		{"the console outlives the instance", consoleStays},
		{"removing twice is no error", removeTwice},
		{"a later daemon recovers what runs", recovers},
		{"a later daemon learns what ended", recoversEnded},
		{"a sweep ends what nobody keeps", sweeps},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, sub) })
	}
}

// open returns a driver on a directory of the test's own.
func open(t *testing.T, sub Subject) instance.Driver {
	t.Helper()
	d, closeDriver := sub.Open(t, t.TempDir())
	t.Cleanup(closeDriver)
	return d
}

// Launch launches and, at the end of the test, ends and removes.
func Launch(t testing.TB, d instance.Driver, spec instance.Spec) instance.Handle {
	t.Helper()
	h, err := d.Launch(t.Context(), spec)
	if err != nil {
		text, _, _ := d.Console(spec.ID)
		t.Fatalf("%v\nconsole:\n%s", err, text)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _, _ := d.Console(spec.ID)
			t.Logf("console of %s:\n%s", spec.ID, text)
		}
		if err := h.Kill(); err != nil {
			t.Error(err)
		}
		ended(t, h)
		if err := d.Remove(context.Background(), spec.ID); err != nil {
			t.Error(err)
		}
	})
	return h
}

// ended waits for the end of h and tells how it was.
func ended(t testing.TB, h instance.Handle) instance.Exit {
	t.Helper()
	select {
	case <-h.Done():
		return h.Exit()
	case <-(clock.System{}).After(patience):
		t.Fatal("the instance did not end")
		return instance.Exit{}
	}
}

func endsWhenAsked(t *testing.T, sub Subject) {
	d := open(t, sub)
	h := Launch(t, d, Spec(""))
	if err := h.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if got := ended(t, h); got.Reason != instance.ReasonPoweroff {
		t.Errorf("exit = %+v, want %s", got, instance.ReasonPoweroff)
	}
	if err := h.Shutdown(); err != nil {
		t.Errorf("shutting down what has ended: %v", err)
	}
}

func killedSaysSo(t *testing.T, sub Subject) {
	d := open(t, sub)
	h := Launch(t, d, Spec(""))
	if err := h.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := ended(t, h); got.Reason != instance.ReasonKilled {
		t.Errorf("exit = %+v, want %s", got, instance.ReasonKilled)
	}
}

func startsAgain(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("")
	stop(t, Launch(t, d, s))
	s.FirstBoot = false
	stop(t, Launch(t, d, s))
}

func stop(t testing.TB, h instance.Handle) {
	t.Helper()
	if err := h.Shutdown(); err != nil {
		t.Fatal(err)
	}
	ended(t, h)
}

func needsDisk(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("")
	s.FirstBoot = false
	if _, err := d.Launch(t.Context(), s); err == nil || !strings.Contains(err.Error(), "no disk") {
		t.Errorf("error = %v, want one that says there is no disk", err)
	}
}

func calledOff(t *testing.T, sub Subject) {
	d := open(t, sub)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := Spec("")
	if _, err := d.Launch(ctx, s); !errors.Is(err, context.Canceled) {
		t.Fatalf("error = %v, want %v", err, context.Canceled)
	}
	_, err := d.Recover(t.Context(), s)
	var gone *instance.Ended
	if !errors.As(err, &gone) {
		t.Errorf("recover after a launch that was called off: %v, want *Ended", err)
	}
}

func consoleStays(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("#!/bin/bash\necho greetings\n")
	h := Launch(t, d, s)
	WaitConsole(t, d, s.ID, "user data")
	stop(t, h)
	if err := d.Remove(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	text, when, err := d.Console(s.ID)
	if err != nil || len(text) == 0 || when.IsZero() {
		t.Errorf("console after removal: %q at %v, %v", text, when, err)
	}
	for range 2 {
		if err := d.Forget(s.ID); err != nil {
			t.Fatal(err)
		}
	}
	if text, _, err := d.Console(s.ID); err != nil || len(text) != 0 {
		t.Errorf("console after it was forgotten: %q, %v", text, err)
	}
}

func removeTwice(t *testing.T, sub Subject) {
	d := open(t, sub)
	s := Spec("")
	stop(t, Launch(t, d, s))
	for range 2 {
		if err := d.Remove(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func recovers(t *testing.T, sub Subject) {
	dir := t.TempDir()
	first, closeFirst := sub.Open(t, dir)
	s := Spec("")
	h, err := first.Launch(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	closeFirst()
	select {
	case <-h.Done():
		t.Fatal("the instance ended with the daemon")
	default:
	}
	second, closeSecond := sub.Open(t, dir)
	t.Cleanup(closeSecond)
	h, err = second.Recover(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, h)
	if got := h.Exit(); got.Reason != instance.ReasonPoweroff {
		t.Errorf("exit = %+v, want %s", got, instance.ReasonPoweroff)
	}
	s.FirstBoot = false
	Launch(t, second, s)
}

func recoversEnded(t *testing.T, sub Subject) {
	dir := t.TempDir()
	first, closeFirst := sub.Open(t, dir)
	s := Spec("")
	h, err := first.Launch(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, h)
	closeFirst()
	second, closeSecond := sub.Open(t, dir)
	t.Cleanup(closeSecond)
	var gone *instance.Ended
	if _, err := second.Recover(t.Context(), s); !errors.As(err, &gone) {
		t.Errorf("recover = %v, want *Ended", err)
	}
}

func sweeps(t *testing.T, sub Subject) {
	dir := t.TempDir()
	first, closeFirst := sub.Open(t, dir)
	kept, lost := Spec(""), Spec("")
	for _, s := range []instance.Spec{kept, lost} {
		if _, err := first.Launch(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	closeFirst()
	second, closeSecond := sub.Open(t, dir)
	t.Cleanup(closeSecond)
	if err := second.Sweep(t.Context(), map[string]bool{kept.ID: true}); err != nil {
		t.Fatal(err)
	}
	h, err := second.Recover(t.Context(), kept)
	if err != nil {
		t.Fatalf("recover the one kept: %v", err)
	}
	var gone *instance.Ended
	if _, err := second.Recover(t.Context(), lost); !errors.As(err, &gone) {
		t.Errorf("recover the one swept = %v, want *Ended", err)
	}
	stop(t, h)
}

// WaitConsole waits until the console of an instance holds text, and returns it.
func WaitConsole(t testing.TB, d instance.Driver, id, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		got, _, err := d.Console(id)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(got), text) {
			return string(got)
		}
		if clock.Sleep(ctx, clock.System{}, 2*time.Millisecond) != nil {
			t.Fatalf("%q is not on the console of %s:\n%s", text, id, got)
		}
	}
}

// Log is for drivers under test.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}
