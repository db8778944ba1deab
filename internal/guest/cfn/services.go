package cfn

import (
	"fmt"
	"slices"
	"strings"
)

// services runs the services section.
func (b *build) services(section map[string]any) error {
	for _, manager := range sorted(section) {
		if manager != "sysvinit" && manager != "systemd" {
			b.logf("WARNING", "Unsupported service manager: %s", manager)
			continue
		}
		list, ok := section[manager].(map[string]any)
		if !ok {
			return fmt.Errorf("services of %s are not an object", manager)
		}
		for _, name := range sorted(list) {
			m, _ := list[name].(map[string]any)
			if err := b.service(name, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *build) service(name string, m map[string]any) error {
	if enabled, ok := truth(m["enabled"]); ok {
		verb := map[bool]string{true: "enable", false: "disable"}[enabled]
		if err := b.systemctl(verb, name); err != nil {
			return err
		}
	}
	running, ok := truth(m["ensureRunning"])
	if !ok {
		return nil
	}
	code, _ := b.command("service "+name, []any{"systemctl", "is-active", "--quiet", name}, nil)
	switch {
	case running && b.touched(m):
		return b.systemctl("restart", name)
	case running && code != 0:
		return b.systemctl("start", name)
	case !running && code == 0:
		return b.systemctl("stop", name)
	}
	return nil
}

func (b *build) systemctl(verb, name string) error {
	code, out := b.command("service "+name, []any{"systemctl", verb, name}, nil)
	if code != 0 {
		return said("Could not %s service %s (exit code %d): %s", verb, name, code, strings.TrimSpace(string(out)))
	}
	b.info("Service %s: %s", name, verb)
	return nil
}

// touched reports whether one of the things a service lists was changed in this
// run.
func (b *build) touched(m map[string]any) bool {
	listed := func(key string, changed map[string]bool) bool {
		return slices.ContainsFunc(texts(m[key]), func(s string) bool { return changed[s] })
	}
	if listed("files", b.changed.files) || listed("sources", b.changed.sources) || listed("commands", b.changed.commands) {
		return true
	}
	packages, _ := m["packages"].(map[string]any)
	for manager, names := range packages {
		for _, n := range texts(names) {
			if b.changed.packages[manager+" "+n] {
				return true
			}
		}
	}
	return false
}
