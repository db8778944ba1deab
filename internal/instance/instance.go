// Package instance runs instances: it owns what is alive on this machine, one
// entry per instance, and the moves between pending, running, stopped and
// terminated.
//
// The flow enters at Manager (Start, Stop, Reboot, Terminate, Plug, Usage, Console,
// Adopt), called by service/ec2, which owns the rows that say what ought to be. It
// leaves through a Driver, which makes it so: container (Linux namespaces) or
// fake (nothing runs). An instance that ends by itself comes back as
// Config.OnExit. Both drivers pass the suite in instancetest.
//
// It imports network for the description of an interface, and clock.
package instance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/network"
)

// Spec is what an instance is to be. The rest of what it may ask about itself
// comes from the metadata service.
type Spec struct {
	ID       string // i-...
	Account  string
	Region   string
	Zone     string
	Type     string // t3.micro
	ImageID  string
	Hostname string // what hostname prints: ip-172-31-5-6.ec2.internal
	VCPUs    int
	// MemoryMiB limits what all processes of the instance use together.
	MemoryMiB int
	NIC       network.NIC
	// Others are the interfaces that it has beside NIC, each with its device number.
	Others []network.NIC
	// UserData is raw: base64 has been taken off, gzip and MIME not.
	UserData []byte
	// AuthorizedKeys are lines for authorized_keys of the login users.
	AuthorizedKeys []string
	// FirstBoot makes the disk. Without it the disk must exist.
	FirstBoot bool
	// Endpoint is the server's base URL, the same inside and outside.
	Endpoint string
}

// Why an instance ended.
const (
	ReasonPoweroff   = "poweroff" // shutdown from inside, or asked for by Stop
	ReasonHalt       = "halt"
	ReasonReboot     = "reboot"
	ReasonKilled     = "killed"        // PID 1 died without a word, or was killed by Stop
	ReasonMemory     = "out of memory" // PID 1 was killed for want of memory
	ReasonHostReboot = "host reboot"   // the machine below went down
)

// Exit says how an instance ended.
type Exit struct {
	Reason string
	Code   int
}

// Ended is the error of Recover for an instance that is not alive any more.
type Ended struct{ Exit Exit }

func (e *Ended) Error() string { return fmt.Sprintf("instance has ended: %s", e.Exit.Reason) }

// Driver makes instances run. Calls for different instances may come at the same
// time; for one instance Manager makes one call at a time.
type Driver interface {
	// Name is what --instances calls the driver.
	Name() string
	// Executes is false for a driver in which nothing runs.
	Executes() bool
	// Launch returns when the instance runs. After an error nothing is left,
	// but for the disk of an instance that had one before.
	Launch(ctx context.Context, spec Spec) (Handle, error)
	// Recover finds an instance that an earlier daemon launched. The error is
	// *Ended when it is not alive.
	Recover(ctx context.Context, spec Spec) (Handle, error)
	// Remove deletes the disk of an instance that does not run; its console
	// stays. An instance without disk is no error.
	Remove(ctx context.Context, id string) error
	// Sweep ends and removes every instance of an earlier daemon that keep
	// does not name.
	Sweep(ctx context.Context, keep map[string]bool) error
	// Console returns the last 64 KiB of the console, and when they were written.
	Console(id string) ([]byte, time.Time, error)
	// Forget removes the console of an instance that has no disk any more.
	Forget(id string) error
}

// Handle is one running instance.
type Handle interface {
	// Done is closed when the instance has ended and holds nothing any more.
	Done() <-chan struct{}
	// Exit tells how it ended. It is valid after Done.
	Exit() Exit
	// Shutdown asks the instance to end; Kill ends it. Neither waits. For an
	// instance that has ended they do nothing.
	Shutdown() error
	Kill() error
	// Plug connects an interface while the instance runs, or brings it up to date;
	// Unplug takes one away, which may not be there.
	Plug(ctx context.Context, nic network.NIC) error
	Unplug(ctx context.Context, nicID string) error
	// Usage reads what the instance has used so far. A driver in which nothing runs
	// has nothing to tell: ErrNotCounted.
	Usage() (Usage, error)
}

// ErrNotCounted says that nothing counts what an instance uses: nothing runs in it.
var ErrNotCounted = errors.New("nothing counts what this instance uses")

// Usage is what an instance has used since its launch.
type Usage struct {
	// At is when it was read, by the clock of the machine: that one is behind what
	// the kernel counts, however far a server's own was moved.
	At time.Time
	// CPU is the time of all its processors together.
	CPU time.Duration
	// In and Out are bytes that its network interfaces received and sent.
	In, Out uint64
}
