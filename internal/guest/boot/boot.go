// Package boot is what PID 1 starts when an instance has come up: it starts the
// units that are enabled and then runs user data, with the console as its output.
//
// The flow enters in Run, which PID 1 executes once per boot, and leaves in
// package userdata. Nothing waits for it: an instance is running whether its user
// data succeeds or not.
package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/pkgshim"
	"github.com/hardstand/hardstand/internal/guest/sshd"
	"github.com/hardstand/hardstand/internal/guest/units"
	"github.com/hardstand/hardstand/internal/guest/userdata"
)

// maxInclude bounds what an #include may bring.
const maxInclude = 16 << 20

// Run boots the instance and returns the exit code of the boot process.
func Run([]string) int {
	var root guest.Root
	startEnabled(root)
	id, err := os.ReadFile(root.Path(guest.InstanceIDFile))
	if err != nil {
		fmt.Fprintf(os.Stderr, "boot: %v\n", err)
		return 1
	}
	// Meanwhile: making keys takes as long as the whole way to user data.
	var keys sync.WaitGroup
	defer keys.Wait()
	keys.Go(func() {
		if err := sshd.PrintHostKeys(root, os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "boot: %v\n", err)
		}
	})
	raw, err := os.ReadFile(root.Path(guest.UserDataFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "boot: %v\n", err)
		return 1
	}
	r := userdata.Runner{Root: root, InstanceID: strings.TrimSpace(string(id)), Console: os.Stdout,
		Clock: clock.System{}, Packages: install, Fetch: fetch}
	if err := r.Run(context.Background(), raw); err != nil {
		fmt.Fprintf(os.Stderr, "boot: %v\n", err)
		return 1
	}
	return 0
}

func startEnabled(root guest.Root) {
	for _, name := range units.Enabled(root) {
		r, err := control.Do(root, control.Request{Op: control.OpUnit, Unit: name, Action: control.Start})
		if err == nil && r.Error != "" {
			err = errors.New(r.Error)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "boot: start %s: %v\n", name, err)
			continue
		}
		fmt.Printf("boot: started %s\n", name)
	}
}

// install is how cloud-config's packages are installed.
func install(names []string, out *os.File) int {
	s := pkgshim.New()
	s.Stdout, s.Stderr = out, out
	return s.Run("apt-get", append([]string{"-y", "install"}, names...))
}

func fetch(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxInclude+1))
	if err == nil && len(body) > maxInclude {
		err = fmt.Errorf("more than %d bytes", maxInclude)
	}
	return body, err
}

// CloudInit answers to cloud-init(1): "cloud-init status [--wait] [--long]".
func CloudInit(args []string) int { return cloudInit("", clock.System{}, args, os.Stdout, os.Stderr) }

// poll is how often a waiting `cloud-init status` looks for the marker.
const poll = 200 * time.Millisecond

func cloudInit(root guest.Root, c clock.Clock, args []string, out, errs io.Writer) int {
	if len(args) == 0 || args[0] != "status" {
		fmt.Fprintln(errs, "cloud-init: hardstand runs user data; of cloud-init's commands it knows `status [--wait]`")
		return 2
	}
	wait := false
	for _, a := range args[1:] {
		wait = wait || a == "--wait" || a == "-w"
	}
	for wait && !root.Exists(userdata.FinishedFile) {
		if clock.Sleep(context.Background(), c, poll) != nil {
			break
		}
	}
	if !root.Exists(userdata.FinishedFile) {
		fmt.Fprintln(out, "status: running")
		return 0
	}
	fmt.Fprintln(out, "status: done")
	return 0
}
