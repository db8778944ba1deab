package cfn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

const (
	hupConfigDir = "/etc/cfn"
	hupPID       = "/run/cfn-hup.pid"
	// hupChild is set for the process that the command leaves behind.
	hupChild = "HARDSTAND_CFN_HUP"
)

// hupConfig is cfn-hup.conf with its hooks.
type hupConfig struct {
	stack    string
	interval time.Duration
	umask    int
	verbose  bool
	flags    *flags // how to reach CloudFormation
	hooks    []hook
}

// daemon is a running cfn-hup.
type daemon struct {
	*Helper
	config *hupConfig
	log    *os.File
	// inFlight says that the last round found a resource that was being changed.
	inFlight bool
}

// soon is when a resource that was being changed is looked at again, so that what it
// is in the end is known before the next update of it.
const soon = 5 * time.Second

func (d *daemon) logf(level, format string, args ...any) {
	fmt.Fprintf(d.log, "%s [%s] %s\n", stamp(d.Clock.Now()), level, fmt.Sprintf(format, args...))
}

func (d *daemon) debug(format string, args ...any) {
	if d.config != nil && d.config.verbose {
		d.logf("DEBUG", format, args...)
	}
}

// Hup is cfn-hup: it asks for the resources' metadata again and again and runs hooks
// when some of it has changed. With --no-daemon it asks once. Started by PID 1 it
// stays where it is; started by anything else it leaves a process behind.
func (h *Helper) Hup(args []string) int {
	f, code, done := h.parseArgs("cfn-hup", args, []option{
		{"config", "c", "CONFIG_PATH", "The directory of the configuration (default: " + hupConfigDir + ")"},
		{"no-daemon", "", "", "Look once, and do not become a daemon"},
		{"verbose", "v", "", "Log more"},
	})
	if done {
		return code
	}
	d, err := h.newDaemon(f)
	if err != nil {
		return h.fail(said("Error: %w", err))
	}
	defer d.log.Close()
	child := os.Getenv(hupChild) != "" || os.Getppid() == 1
	if err := os.Unsetenv(hupChild); err != nil {
		return h.fail(err)
	}
	switch {
	case f.has("no-daemon"):
		syscall.Umask(d.config.umask)
		if err := d.round(context.Background()); err != nil {
			d.logf("ERROR", "%v", describeError(err))
			return h.fail(err)
		}
		return 0
	case child:
		return d.run()
	}
	return h.daemonize(args, d.log)
}

// newDaemon reads the configuration; what is wrong with it is also logged.
func (h *Helper) newDaemon(f *flags) (*daemon, error) {
	dir := hupConfigDir
	if f.has("config") {
		dir = f.text("config")
	}
	log, err := openLog(h.Root, hupLog)
	if err != nil {
		return nil, err
	}
	d := &daemon{Helper: h, log: log}
	d.config, err = readHup(h.Root.Path(dir), func(format string, args ...any) { d.logf("ERROR", format, args...) })
	if err != nil {
		d.logf("ERROR", "Error: %v", err)
		return nil, errors.Join(err, log.Close())
	}
	d.config.verbose = d.config.verbose || f.has("verbose")
	return d, nil
}

// run is the daemon's life.
func (d *daemon) run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	lock, err := d.lock()
	if err != nil {
		d.logf("ERROR", "%v", err)
		return d.fail(err)
	}
	defer lock.Close()
	syscall.Umask(d.config.umask)
	for {
		if err := d.round(ctx); err != nil && ctx.Err() == nil {
			d.logf("ERROR", "Unhandled exception: %v", describeError(err))
		}
		pause := d.config.interval
		if d.inFlight {
			pause = soon
		}
		if clock.Sleep(ctx, d.Clock, pause) != nil {
			d.logf("INFO", "Shutting down cfn-hup")
			return 0
		}
		d.debug("cfn-hup processing is alive.")
	}
}

// lock makes this the one cfn-hup of the instance and tells its number.
func (d *daemon) lock() (*os.File, error) {
	path := d.Root.Path(hupPID)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(said("Error: another cfn-hup is running (%s)", hupPID), f.Close())
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// daemonize starts this program again in the background.
func (h *Helper) daemonize(args []string, log *os.File) int {
	self, err := os.Executable()
	if err != nil {
		return h.fail(err)
	}
	cmd := &exec.Cmd{Path: self, Args: append([]string{"cfn-hup"}, args...), Dir: "/", Env: append(os.Environ(), hupChild+"=1"),
		Stdout: log, Stderr: log, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if err := cmd.Start(); err != nil {
		return h.fail(err)
	}
	return 0
}

// readHup reads the configuration in a directory.
func readHup(dir string, warn func(format string, args ...any)) (*hupConfig, error) {
	file := dir + "/cfn-hup.conf"
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, said("Could not find main configuration at %s", file)
	}
	if err != nil {
		return nil, err
	}
	sections, err := parseINI(string(content), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	main := map[string]string{}
	for _, s := range sections {
		if s.name == "main" {
			main = s.values
		}
	}
	c := &hupConfig{stack: main["stack"], interval: 15 * time.Minute, umask: 0o022, flags: &flags{values: map[string]string{}}}
	if c.stack == "" {
		return nil, said("[main] section must contain stack option")
	}
	c.verbose, _ = truth(main["verbose"])
	for _, key := range []string{"region", "role", "credential-file", "url"} {
		if main[key] != "" {
			c.flags.values[key] = main[key]
		}
	}
	if c.flags.has("role") { // as the original: a role comes before a file
		delete(c.flags.values, "credential-file")
	}
	if v := main["interval"]; v != "" {
		minutes, err := strconv.Atoi(v)
		if err != nil || minutes < 1 {
			return nil, said("Invalid interval (must be 1 minute or greater): %s", v)
		}
		c.interval = time.Duration(minutes) * time.Minute
	}
	if v := main["umask"]; v != "" {
		mask, err := strconv.ParseUint(v, 8, 9)
		if err != nil {
			return nil, said("Invalid umask: %s", v)
		}
		c.umask = int(mask)
	}
	c.hooks, err = readHooks(dir, warn)
	return c, err
}
