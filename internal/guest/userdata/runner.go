// Package userdata does with an instance's user data what cloud-init does: once
// per instance it takes it apart, applies cloud-config documents and runs
// scripts as root, with the output in /var/log/cloud-init-output.log and on the
// console.
//
// It owns /var/lib/cloud and the two cloud-init logs. The flow enters in
// Runner.Run, from the boot applet that PID 1 starts, and leaves by the scripts
// it executes. A failing script never stops the instance; what is not supported
// is named on the console, never passed over. It imports guest and accounts.
package userdata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
)

// Where things lie, as cloud-init has them.
const (
	cloudDir    = "/var/lib/cloud"
	instanceDir = cloudDir + "/instance"
	outputLog   = "/var/log/cloud-init-output.log"
	mainLog     = "/var/log/cloud-init.log"
	// FinishedFile exists from the end of each boot's user data on.
	FinishedFile = instanceDir + "/boot-finished"
)

// Runner runs the user data of one instance.
type Runner struct {
	Root       guest.Root
	InstanceID string
	Console    io.Writer
	Clock      clock.Clock
	// Packages installs packages through the shims and returns their exit code.
	Packages func(names []string, out *os.File) int
	// Fetch gets the content of an #include URL.
	Fetch func(ctx context.Context, url string) ([]byte, error)

	out    *output
	failed []string
}

// Run handles one boot. raw is empty on an instance without user data. The error
// is about the machinery; what scripts do wrong is on the console only.
func (r *Runner) Run(ctx context.Context, raw []byte) error {
	first, err := r.prepare()
	if err != nil {
		return err
	}
	r.out, err = openOutput(r.Root, r.Console)
	if err != nil {
		return err
	}
	defer r.out.close()
	r.boot(ctx, raw, first)
	stamp := r.Clock.Now().UTC().Format(time.RFC1123Z)
	if len(r.failed) > 0 {
		r.log("user data finished at %s with failures: %s", stamp, strings.Join(r.failed, ", "))
	} else {
		r.log("user data finished at %s", stamp)
	}
	return os.WriteFile(r.Root.Path(FinishedFile), []byte(stamp+"\n"), 0o644)
}

// prepare makes the directories and says whether this is the instance's first
// boot. The marker is written before anything runs: a reboot in the middle of a
// script does not start it again, as on EC2.
func (r *Runner) prepare() (first bool, err error) {
	own := cloudDir + "/instances/" + r.InstanceID
	for _, dir := range []string{own + "/scripts", own + "/sem", cloudDir + "/scripts/per-boot",
		cloudDir + "/scripts/per-instance", cloudDir + "/scripts/per-once", cloudDir + "/sem", "/var/log"} {
		if err := os.MkdirAll(r.Root.Path(dir), 0o755); err != nil {
			return false, fmt.Errorf("prepare user data: %w", err)
		}
	}
	link := r.Root.Path(instanceDir)
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("prepare user data: %w", err)
	}
	if err := os.Symlink("instances/"+r.InstanceID, link); err != nil {
		return false, fmt.Errorf("prepare user data: %w", err)
	}
	os.Remove(r.Root.Path(FinishedFile))
	return r.once(instanceDir + "/sem/config_scripts_user")
}

// once makes the marker at path and says whether it was not there before.
func (r *Runner) once(path string) (bool, error) {
	f, err := os.OpenFile(r.Root.Path(path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("mark user data: %w", err)
	}
	_, err = fmt.Fprintln(f, r.Clock.Now().UTC().Format(time.RFC3339))
	return true, errors.Join(err, f.Close())
}

func (r *Runner) boot(ctx context.Context, raw []byte, first bool) {
	if len(raw) > 0 {
		if err := os.WriteFile(r.Root.Path(instanceDir+"/user-data.txt"), raw, 0o600); err != nil {
			r.fail("user-data.txt", err)
		}
	}
	parts, err := Split(raw)
	if err != nil {
		r.fail("user data", err)
	}
	parts = r.include(ctx, parts)
	config := r.mergeConfigs(parts)
	r.bootCommands(config)
	for _, p := range parts {
		switch p.Kind {
		case Boothook:
			// Its first line only names the kind; the hook begins after it.
			body := bytes.TrimLeft(bytes.TrimPrefix(p.Body, []byte("#cloud-boothook")), " \t\r\n")
			r.script(instanceDir+"/"+p.Name, body, r.instanceEnv())
		case Unsupported:
			r.fail(p.Name, fmt.Errorf("hardstand does not support user data of this kind: %s", p.Why))
		}
	}
	if first {
		r.apply(config)
		r.storeScripts(parts)
	}
	r.scripts(first)
}

// storeScripts writes the scripts where they are run from.
func (r *Runner) storeScripts(parts []Part) {
	dirs := map[Kind]string{
		Script:  instanceDir + "/scripts",
		PerBoot: cloudDir + "/scripts/per-boot", PerInstance: cloudDir + "/scripts/per-instance",
		PerOnce: cloudDir + "/scripts/per-once",
	}
	for _, p := range parts {
		if dir, ok := dirs[p.Kind]; ok {
			if err := os.WriteFile(r.Root.Path(dir+"/"+p.Name), p.Body, 0o700); err != nil {
				r.fail(p.Name, err)
			}
		}
	}
}

// scripts runs everything that is due, in cloud-init's order.
func (r *Runner) scripts(first bool) {
	if once, err := r.once(cloudDir + "/sem/config_scripts_per_once.once"); err != nil {
		r.fail("per-once", err)
	} else if once {
		r.scriptDir(cloudDir + "/scripts/per-once")
	}
	r.scriptDir(cloudDir + "/scripts/per-boot")
	if first {
		r.scriptDir(cloudDir + "/scripts/per-instance")
		r.scriptDir(instanceDir + "/scripts")
	}
}

func (r *Runner) scriptDir(dir string) {
	entries, err := os.ReadDir(r.Root.Path(dir))
	if err != nil {
		r.fail(dir, err)
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			r.execute(filepath.Join(dir, e.Name()), r.env())
		}
	}
}

func (r *Runner) include(ctx context.Context, parts []Part) []Part {
	var out []Part
	for _, p := range parts {
		if p.Kind != Include {
			out = append(out, p)
			continue
		}
		for line := range strings.Lines(string(p.Body)) {
			url := strings.TrimSpace(line)
			if url == "" || strings.HasPrefix(url, "#") {
				continue
			}
			body, err := r.Fetch(ctx, url)
			if err != nil {
				r.fail("#include "+url, err)
				continue
			}
			more, err := Split(body)
			if err != nil {
				r.fail("#include "+url, err)
			}
			for _, m := range more {
				if m.Kind == Include {
					m.Kind, m.Why = Unsupported, "#include inside of an #include"
				}
				out = append(out, m)
			}
		}
	}
	return out
}

// log writes one of hardstand's own lines to the console and to both logs.
func (r *Runner) log(format string, args ...any) {
	r.out.line("cloud-init[hardstand]: " + fmt.Sprintf(format, args...))
}

func (r *Runner) fail(what string, err error) {
	r.failed = append(r.failed, what)
	r.log("%s: %v", what, err)
}
