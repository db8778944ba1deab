package handover

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func pair(t testing.TB) (daemon, guest int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestConfigTravelsWithDescriptors(t *testing.T) {
	daemon, guest := pair(t)
	file := filepath.Join(t.TempDir(), "mount")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := Config{Version: Version, Mounts: []string{"."}, OwnUsers: true}
	if err := Send(daemon, want, []int{int(f.Fd())}); err != nil {
		t.Fatal(err)
	}
	got, fds, err := ReceiveConfig(guest)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("received %+v, %v; want %+v", got, err, want)
	}
	passed := os.NewFile(uintptr(fds[0]), "passed")
	defer passed.Close()
	text := make([]byte, 20)
	if n, err := passed.Read(text); err != nil || string(text[:n]) != "content" {
		t.Errorf("through the descriptor: %q, %v", text[:n], err)
	}
}

func TestConfigIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		send Config
		want string
	}{
		{"another version", Config{Version: Version + 1}, "this guest binary speaks"},
		{"missing descriptors", Config{Version: Version, Mounts: []string{".", "usr"}}, "names 2 mounts and brings 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			daemon, guest := pair(t)
			if err := Send(daemon, c.send, nil); err != nil {
				t.Fatal(err)
			}
			if _, _, err := ReceiveConfig(guest); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestIdentityCarriesTheLargestUserData(t *testing.T) {
	daemon, guest := pair(t)
	want := Identity{InstanceID: "i-1", Hostname: "h", FirstBoot: true, UserData: make([]byte, 16<<10), AuthorizedKeys: []string{"ssh-ed25519 A"}}
	if err := Send(daemon, want, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := ReceiveIdentity(guest); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("received %d bytes of user data, %v", len(got.UserData), err)
	}
	want.UserData = make([]byte, maxMessage)
	if err := Send(daemon, want, nil); err == nil {
		t.Error("a message that PID 1 could not take was sent")
	}
}

func TestDaemonGone(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	unix.Close(fds[0])
	if _, err := ReceiveIdentity(fds[1]); !errors.Is(err, ErrAbandoned) {
		t.Errorf("error = %v, want %v", err, ErrAbandoned)
	}
}

func TestReplies(t *testing.T) {
	daemon, guest := pair(t)
	for _, failure := range []error{nil, errors.New("no /proc")} {
		if err := Answer(guest, failure); err != nil {
			t.Fatal(err)
		}
		doc := make([]byte, 4096)
		n, err := unix.Read(daemon, doc)
		if err != nil {
			t.Fatal(err)
		}
		got := ParseReply(doc[:n])
		if (got == nil) != (failure == nil) || (failure != nil && !strings.Contains(got.Error(), failure.Error())) {
			t.Errorf("reply = %v, want %v", got, failure)
		}
	}
	if ParseReply(nil) == nil {
		t.Error("no answer counts as success")
	}
}

func TestExitNote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exit.json")
	if _, ok := ReadExit(path); ok {
		t.Error("a note where there is none")
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := ReadExit(path); ok {
		t.Error("an empty file counts as a note")
	}
	want := Exit{Reason: ReasonReboot, Code: 3}
	if err := WriteExit(f, want); err != nil {
		t.Fatal(err)
	}
	if got, ok := ReadExit(path); !ok || got != want {
		t.Errorf("note = %+v, %v; want %+v", got, ok, want)
	}
}

// FuzzReadExit reads what an instance's root may have written instead of PID 1.
func FuzzReadExit(f *testing.F) {
	f.Add([]byte(`{"reason":"poweroff","code":0}`))
	f.Add([]byte(`{"reason":1}`))
	path := filepath.Join(f.TempDir(), "exit.json")
	f.Fuzz(func(t *testing.T, doc []byte) {
		if err := os.WriteFile(path, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		e, ok := ReadExit(path)
		if known := e.Reason == ReasonPoweroff || e.Reason == ReasonReboot || e.Reason == ReasonHalt; ok != known {
			t.Errorf("note %+v, accepted: %v", e, ok)
		}
	})
}
