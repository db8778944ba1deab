package cfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest/awsclient"
)

const (
	hupConfigDir = "/etc/cfn"
	hupCache     = "/var/lib/cfn-hup/data/metadata_db"
	hupLog       = "/var/log/cfn-hup.log"
	hupPID       = "/run/cfn-hup.pid"
)

// hook is one section of hooks.conf or of a file in hooks.d.
type hook struct {
	name     string
	triggers []string
	path     string // Resources.<id>.Metadata[.path] or .PhysicalResourceId
	action   string
	runAs    string
}

// hupConfig is cfn-hup.conf.
type hupConfig struct {
	stack    string
	interval time.Duration
	flags    *flags
	hooks    []hook
}

// Hup is cfn-hup: it asks for the resources' metadata again and again and runs
// hooks when some of it has changed. It becomes a daemon unless told not to.
func (h *Helper) Hup(args []string) int {
	f, err := parseFlags(args, map[string]string{"config": "c"}, map[string]string{"no-daemon": "", "verbose": "v", "version": "", "help": "h"})
	if err != nil {
		fmt.Fprintf(h.Stderr, "Usage: cfn-hup [options]\ncfn-hup: error: %v\n", err)
		return 2
	}
	dir := hupConfigDir
	if c := f.text("config"); c != "" {
		dir = c
	}
	cfg, err := h.readHup(dir)
	if err != nil {
		return h.fail(err)
	}
	if !f.has("no-daemon") {
		return h.daemonize(args)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log, err := h.openHupLog()
	if err != nil {
		return h.fail(err)
	}
	defer log.Close()
	for {
		if err := h.hupRound(ctx, cfg, log); err != nil {
			fmt.Fprintf(log, "%s [ERROR] %v\n", stamp(h.Clock.Now()), err)
		}
		if clock.Sleep(ctx, h.Clock, cfg.interval) != nil {
			return 0
		}
	}
}

func (h *Helper) openHupLog() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(h.Root.Path(hupLog)), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(h.Root.Path(hupLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// daemonize starts this program again in the background.
func (h *Helper) daemonize(args []string) int {
	self, err := os.Executable()
	if err != nil {
		return h.fail(err)
	}
	log, err := h.openHupLog()
	if err != nil {
		return h.fail(err)
	}
	defer log.Close()
	cmd := &exec.Cmd{Path: self, Args: append([]string{"cfn-hup", "--no-daemon"}, args...), Dir: "/", Env: os.Environ(),
		Stdout: log, Stderr: log, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if err := cmd.Start(); err != nil {
		return h.fail(err)
	}
	pid := strconv.Itoa(cmd.Process.Pid) + "\n"
	if err := os.WriteFile(h.Root.Path(hupPID), []byte(pid), 0o644); err != nil {
		return h.fail(err)
	}
	return 0
}

func (h *Helper) readHup(dir string) (*hupConfig, error) {
	sections, err := awsclient.ReadINI(h.Root.Path(dir + "/cfn-hup.conf"))
	if err != nil {
		return nil, err
	}
	main, ok := sections["main"]
	if !ok || main["stack"] == "" {
		return nil, said("Error: %s/cfn-hup.conf must have a [main] section with stack", dir)
	}
	cfg := &hupConfig{stack: main["stack"], interval: 15 * time.Minute, flags: &flags{values: map[string]string{}}}
	for _, key := range []string{"region", "role", "credential-file", "url"} {
		if main[key] != "" {
			cfg.flags.values[key] = main[key]
		}
	}
	if v := main["interval"]; v != "" {
		minutes, err := strconv.Atoi(v)
		if err != nil || minutes < 1 {
			return nil, said("Error: interval %q is not a number of minutes", v)
		}
		cfg.interval = time.Duration(minutes) * time.Minute
	}
	files := []string{h.Root.Path(dir + "/hooks.conf")}
	more, err := filepath.Glob(h.Root.Path(dir + "/hooks.d/*"))
	if err != nil {
		return nil, err
	}
	for _, file := range append(files, more...) {
		hooks, err := readHooks(file)
		if err != nil {
			return nil, err
		}
		cfg.hooks = append(cfg.hooks, hooks...)
	}
	if len(cfg.hooks) == 0 {
		return nil, said("Error: no hooks in hooks.conf or hooks.d")
	}
	return cfg, nil
}

func readHooks(file string) ([]hook, error) {
	sections, err := awsclient.ReadINI(file)
	if err != nil {
		return nil, err
	}
	var hooks []hook
	for name, s := range sections {
		k := hook{name: name, path: s["path"], action: s["action"], runAs: s["runas"]}
		for t := range strings.SplitSeq(s["triggers"], ",") {
			k.triggers = append(k.triggers, strings.TrimSpace(t))
		}
		if k.path == "" || k.action == "" || k.runAs == "" || s["triggers"] == "" {
			return nil, said("Error: hook %s in %s needs triggers, path, action and runas", name, file)
		}
		hooks = append(hooks, k)
	}
	slices.SortFunc(hooks, func(a, b hook) int { return strings.Compare(a.name, b.name) })
	return hooks, nil
}

// hupRound looks once at everything that the hooks name. The values of the first
// round are only remembered.
func (h *Helper) hupRound(ctx context.Context, cfg *hupConfig, log *os.File) error {
	s, err := h.connect(ctx, cfg.flags)
	if err != nil {
		return err
	}
	old, seen, err := h.readCache()
	if err != nil {
		return err
	}
	now := map[string]any{}
	for _, k := range cfg.hooks {
		if _, done := now[k.path]; done {
			continue
		}
		v, err := s.value(ctx, cfg.stack, k.path)
		if err != nil {
			return err
		}
		now[k.path] = v
	}
	for _, k := range cfg.hooks {
		event := change(old[k.path], now[k.path])
		if !seen || event == "" || !slices.Contains(k.triggers, event) {
			continue
		}
		if err := h.runHook(ctx, k, old[k.path], now[k.path], log); err != nil {
			// The cache keeps the old value, so that the hook runs again.
			fmt.Fprintf(log, "%s [ERROR] hook %s: %v\n", stamp(h.Clock.Now()), k.name, err)
			now[k.path] = old[k.path]
		}
	}
	return h.writeCache(now)
}

// change names what happened to a value.
func change(before, after any) string {
	switch {
	case reflect.DeepEqual(before, after):
		return ""
	case before == nil:
		return "post.add"
	case after == nil:
		return "post.remove"
	}
	return "post.update"
}

// value returns what a hook's path leads to, or nil.
func (s *service) value(ctx context.Context, stack, path string) (any, error) {
	parts := strings.Split(path, ".")
	if len(parts) < 3 || parts[0] != "Resources" {
		return nil, fmt.Errorf("path %s: must be Resources.<id>.Metadata or Resources.<id>.PhysicalResourceId", path)
	}
	r, err := s.describe(ctx, stack, parts[1])
	if err != nil {
		return nil, err
	}
	if parts[2] == "PhysicalResourceId" {
		return r.physicalID, nil
	}
	if r.metadata == nil {
		return nil, nil
	}
	var v any = r.metadata
	for _, p := range parts[3:] {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v, nil
}

func (h *Helper) runHook(ctx context.Context, k hook, before, after any, log *os.File) error {
	oldJSON, err := json.Marshal(before)
	if err != nil {
		return err
	}
	newJSON, err := json.Marshal(after)
	if err != nil {
		return err
	}
	argv := []string{"/bin/sh", "-c", k.action}
	if k.runAs != "root" {
		argv = []string{"su", k.runAs, "-s", "/bin/sh", "-c", k.action}
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "CFN_OLD_METADATA="+string(oldJSON), "CFN_NEW_METADATA="+string(newJSON))
	cmd.Stdout, cmd.Stderr = log, log
	fmt.Fprintf(log, "%s [INFO] running hook %s\n", stamp(h.Clock.Now()), k.name)
	return cmd.Run()
}

func (h *Helper) readCache() (values map[string]any, seen bool, err error) {
	content, err := os.ReadFile(h.Root.Path(hupCache))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return values, true, json.Unmarshal(content, &values)
}

func (h *Helper) writeCache(values map[string]any) error {
	content, err := json.Marshal(values)
	if err != nil {
		return err
	}
	path := h.Root.Path(hupCache)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
