package container

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/network"
)

// Network connects an instance's network namespace. network.Network is one.
type Network interface {
	Attach(ctx context.Context, ns *os.File, nic network.NIC) error
	Detach(ctx context.Context, nicID string) error
}

// Config is what Open needs.
type Config struct {
	// DataDir holds everything named in the package comment.
	DataDir string
	// Prefix begins the name of every kernel object: hs and six hex digits.
	Prefix string
	Guest  guest.Program
	// Links and Dirs are laid into the image; Files too, by path. Files runs in the
	// background, before the image is built; nil means none.
	Links []guest.Link
	Dirs  []string
	Files func() (map[string][]byte, error)
	// CA is the PEM certificate that instances trust.
	CA []byte
	// Network connects instances; nil leaves them with a loopback only.
	Network Network
	// OnNamespace runs when the network namespace of an instance is connected
	// and before PID 1 is released, and again when it is recovered: the place to
	// open listeners in it. ns is closed when it returns.
	OnNamespace func(id string, ns *os.File) error
	// OnRelease undoes OnNamespace when the instance has ended.
	OnRelease func(id string)
	// HostUsers leaves out the user namespace: root inside is root outside.
	HostUsers bool
	Clock     clock.Clock
	Log       *slog.Logger
}

// parallel bounds simultaneous launches: more than a few only wait for each
// other in the kernel.
const parallel = 6

// Driver implements instance.Driver.
type Driver struct {
	cfg     Config
	groups  *groups
	mounter *mounter
	binary  *os.File
	ranges  *ranges
	bootID  string
	slots   chan struct{}
	pool    *pool

	imageReady chan struct{}
	image      *image
	imageErr   error

	// background counts deletions and watchers that Close waits for.
	background sync.WaitGroup
	closing    context.Context
	close      context.CancelFunc
}

var _ instance.Driver = (*Driver)(nil)

// Open prepares the data directory and starts building the image, which Launch
// waits for. It does not touch running instances. It sets the umask of the process
// to 022: files made for instances must have the modes they are made with, and
// what nobody else may read is made 0600.
func Open(cfg Config) (*Driver, error) {
	syscall.Umask(0o022)
	if err := keepDescriptors(); err != nil {
		return nil, err
	}
	d := &Driver{
		cfg: cfg, slots: make(chan struct{}, parallel),
		imageReady: make(chan struct{}),
	}
	d.closing, d.close = context.WithCancel(context.Background())
	for _, dir := range []string{"instances", "shells", "console", "images", "guest", "trash"} {
		if err := os.MkdirAll(d.path(dir), 0o700); err != nil {
			return nil, fmt.Errorf("open data directory: %w", err)
		}
	}
	// The owners of layers are tried with the image; a data directory without room
	// for disks is of no use at all.
	if _, err := probeOverlay(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("open data directory: %w; %s", err, overlayRemedy)
	}
	var err error
	if d.bootID, err = readBootID(); err != nil {
		return nil, err
	}
	if d.groups, err = openGroups(cfg.Prefix); err != nil {
		return nil, err
	}
	if d.ranges, err = loadRanges(d.path("instances")); err != nil {
		return nil, err
	}
	if d.binary, err = installGuest(d.path("guest"), cfg.Guest); err != nil {
		return nil, err
	}
	if d.mounter, err = startMounter(); err != nil {
		return nil, errors.Join(err, d.binary.Close())
	}
	if cfg.HostUsers {
		cfg.Log.Warn("user namespaces are off: root in an instance is root on this machine")
	}
	d.pool = newPool(d)
	d.background.Go(d.buildImage)
	d.background.Go(d.cleanUp)
	d.background.Go(d.pool.run)
	d.background.Go(d.trimConsoles)
	d.pool.refill()
	return d, nil
}

// keepDescriptors makes sure that no instance inherits an open file of whoever
// started this process: a shell, a service manager, a test. What Go opens itself
// is closed on exec anyway.
func keepDescriptors() error {
	const first = 3 // after the standard ones, which each child is given anew
	if err := unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("keep open files from instances: %w", err)
	}
	return nil
}

// Close waits for deletions in progress. Instances keep running.
func (d *Driver) Close() error {
	d.close()
	d.background.Wait()
	d.mounter.stop()
	d.groups.close()
	return d.binary.Close()
}

// Name implements instance.Driver.
func (d *Driver) Name() string { return "container" }

// Executes implements instance.Driver.
func (d *Driver) Executes() bool { return true }

func (d *Driver) path(parts ...string) string {
	return filepath.Join(append([]string{d.cfg.DataDir}, parts...)...)
}

func (d *Driver) dir(id string) string         { return d.path("instances", id) }
func (d *Driver) consolePath(id string) string { return d.path("console", id+".log") }

func (d *Driver) buildImage() {
	defer close(d.imageReady)
	src := imageSource{Links: d.cfg.Links, Dirs: d.cfg.Dirs, CA: d.cfg.CA, clock: d.cfg.Clock, log: d.cfg.Log}
	if d.cfg.Files != nil {
		if src.Files, d.imageErr = d.cfg.Files(); d.imageErr != nil {
			return
		}
	}
	d.image, d.imageErr = openImage(d.path("images"), src, d.cfg.HostUsers)
	if d.imageErr == nil {
		if d.image.shifted || d.cfg.HostUsers {
			d.ranges.share(d.image.base)
		}
		d.dropOld("images", d.image.digest, func(r record) string { return r.Image })
		d.dropOld("guest", d.guestDigest(), func(r record) string { return r.Guest })
	}
}

// readyImage waits for the image.
func (d *Driver) readyImage(ctx context.Context) (*image, error) {
	select {
	case <-d.imageReady:
		return d.image, d.imageErr
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
