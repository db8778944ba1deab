package cfn

import (
	"fmt"
	"slices"
)

// manager is how services are asked about and changed.
type manager struct {
	act    func(verb, name string) []any
	enable func(name string, on bool) []any
	status string // the verb that succeeds while a service runs
}

var managers = map[string]manager{
	"sysvinit": {
		act:    func(verb, name string) []any { return []any{"service", name, verb} },
		status: "status",
		enable: func(name string, on bool) []any {
			return []any{"chkconfig", name, map[bool]string{true: "on", false: "off"}[on]}
		},
	},
	"systemd": {
		act:    func(verb, name string) []any { return []any{"systemctl", verb, name} },
		status: "is-active",
		enable: func(name string, on bool) []any {
			return []any{"systemctl", map[bool]string{true: "enable", false: "disable"}[on], name}
		},
	},
}

// services runs the services section.
func (b *build) services(section map[string]any) error {
	for _, name := range sorted(section) {
		m, known := managers[name]
		if !known {
			b.logf("WARNING", "Unsupported service manager: %s", name)
			continue
		}
		list, ok := section[name].(map[string]any)
		if !ok {
			return fmt.Errorf("services of %s are not an object", name)
		}
		if name == "systemd" && len(list) > 0 {
			// Files of this run may be units.
			if code, out := b.command("", []any{"systemctl", "daemon-reload"}, nil); code != 0 {
				return said("Could not reload systemd: %s", out)
			}
		}
		for _, service := range sorted(list) {
			settings, _ := list[service].(map[string]any)
			if err := b.service(m, service, settings); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *build) service(m manager, name string, settings map[string]any) error {
	if enabled, ok := truth(settings["enabled"]); ok {
		words := map[bool]string{true: "enable", false: "disable"}
		code, out := b.command("", m.enable(name, enabled), nil)
		if code != 0 {
			b.logf("ERROR", "%s of service %s failed with error %d. Output: %s", words[enabled], name, code, out)
			return said("Could not %s service %s", words[enabled], name)
		}
		b.info("%sd service %s", words[enabled], name)
	}
	if b.touched(settings) {
		b.debug("Restarting %s due to change detected in dependency", name)
		return b.act(m, "restart", "Restarted", name)
	}
	wanted, ok := truth(settings["ensureRunning"])
	if !ok {
		b.debug("Not modifying running state of service %s", name)
		return nil
	}
	code, _ := b.command("", m.act(m.status, name), nil)
	switch {
	case wanted && code != 0:
		return b.act(m, "start", "Started", name)
	case !wanted && code == 0:
		return b.act(m, "stop", "Stopped", name)
	}
	b.debug("No need to modify running state of service %s", name)
	return nil
}

func (b *build) act(m manager, verb, done, name string) error {
	code, out := b.command("", m.act(verb, name), nil)
	if code != 0 {
		b.logf("ERROR", "Could not %s service %s; return code was %d: %s", verb, name, code, out)
		return said("Could not %s %s", verb, name)
	}
	b.info("%s %s successfully", done, name)
	return nil
}

// touched reports whether one of the things a service lists was changed in this
// config.
func (b *build) touched(settings map[string]any) bool {
	for _, kind := range []string{"files", "sources", "groups", "users", "commands"} {
		if slices.ContainsFunc(texts(settings[kind]), func(s string) bool { return b.changed[kind][s] }) {
			return true
		}
	}
	packages, _ := settings["packages"].(map[string]any)
	for manager, names := range packages {
		if slices.ContainsFunc(texts(names), func(s string) bool { return b.changed["packages"][manager+" "+s] }) {
			return true
		}
	}
	return false
}
