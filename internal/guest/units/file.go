package units

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/guest"
)

// unitDirs are searched in order, as systemd's are. Ours come last: a template brings
// its own cfn-hup.service.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system", guest.UnitDir}

// initDir holds scripts for units without a unit file.
const initDir = "/etc/init.d"

// file is a service unit as read.
type file struct {
	name        string // with .service
	path        string
	script      string // the init script, for a unit that has no unit file
	description string
	kind        string // Type=
	start       []command
	startPre    []command
	startPost   []command
	stop        []command
	reload      []command
	user, group string
	dir         string
	umask       string
	env         []string
	envFiles    []string
	restart     string
	restartWait time.Duration
	stopWait    time.Duration
	pidFile     string
	remain      bool
	killMain    bool // KillMode=process
	output      string
	runtimeDirs []string
	stateDirs   []string
	wantedBy    []string
	// unknown are directives that are not acted on.
	unknown []string
}

// command is one ExecStart= line.
type command struct {
	words  []string
	ignore bool // "-": a failure does not count
}

// harmless directives change nothing for one instance with this unit manager:
// ordering, documentation, and what only systemd itself acts on.
var harmless = []string{"After", "Before", "Documentation", "Wants", "Requires", "WantedBy", "Alias", "Also",
	"DefaultDependencies", "StartLimitInterval", "StartLimitIntervalSec", "StartLimitBurst", "SyslogIdentifier",
	"TimeoutStartSec", "TimeoutSec", "NotifyAccess", "GuessMainPID", "PartOf", "BindsTo", "Conflicts"}

// load finds and reads the unit called name (with .service).
func load(root guest.Root, name string) (*file, error) {
	for _, dir := range unitDirs {
		for _, candidate := range candidates(name) {
			p := dir + "/" + candidate
			content, err := os.ReadFile(root.Path(p))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			f := &file{name: name, path: p}
			return f, f.parse(string(content))
		}
	}
	script := initDir + "/" + strings.TrimSuffix(name, ".service")
	if root.Executable(script) {
		return &file{name: name, path: script, script: script, kind: "forking", remain: true,
			description: "LSB: " + strings.TrimSuffix(name, ".service")}, nil
	}
	return nil, fs.ErrNotExist
}

// candidates are the names a unit may be filed under: its own, and its
// template's.
func candidates(name string) []string {
	prefix, _, ok := strings.Cut(name, "@")
	if !ok {
		return []string{name}
	}
	return []string{name, prefix + "@.service"}
}

func (f *file) parse(content string) error {
	f.kind, f.restart, f.restartWait, f.stopWait = "simple", "no", 100*time.Millisecond, 90*time.Second
	section := ""
	for line := range logicalLines(content) {
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%s: not an assignment: %q", f.path, line)
		}
		if err := f.set(section, strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if f.description == "" {
		f.description = f.name
	}
	return nil
}

func (f *file) set(section, key, value string) error {
	switch section {
	case "[Unit]":
		if key == "Description" {
			f.description = f.expand(value)
			return nil
		}
	case "[Install]":
		if key == "WantedBy" {
			f.wantedBy = append(f.wantedBy, strings.Fields(value)...)
		}
		return nil
	case "[Service]":
		return f.setService(key, value)
	default:
		return nil // X- sections and those of other unit kinds
	}
	f.note(key)
	return nil
}

func (f *file) note(key string) {
	if !slices.Contains(harmless, key) && !slices.Contains(f.unknown, key) {
		f.unknown = append(f.unknown, key)
	}
}

func (f *file) setService(key, value string) (err error) {
	switch key {
	case "Type":
		f.kind = value
	case "ExecStart":
		err = f.addCommand(&f.start, value)
	case "ExecStartPre", "ExecCondition":
		err = f.addCommand(&f.startPre, value)
	case "ExecStartPost":
		err = f.addCommand(&f.startPost, value)
	case "ExecStop":
		err = f.addCommand(&f.stop, value)
	case "ExecReload":
		err = f.addCommand(&f.reload, value)
	case "Environment":
		var words []string
		if words, err = split(value); err == nil {
			for i := range words {
				words[i] = f.expand(words[i])
			}
			f.env = append(f.env, words...)
		}
	case "EnvironmentFile":
		f.envFiles = append(f.envFiles, f.expand(value))
	case "Restart":
		f.restart = value
	case "RestartSec":
		f.restartWait, err = duration(value)
	case "TimeoutStopSec":
		// A span of zero switches the time-out off.
		if f.stopWait, err = duration(value); f.stopWait == 0 {
			f.stopWait = 1<<63 - 1
		}
	case "RemainAfterExit":
		f.remain = isTrue(value)
	case "KillMode":
		f.killMain = value == "process"
	case "RuntimeDirectory":
		f.runtimeDirs = append(f.runtimeDirs, strings.Fields(f.expand(value))...)
	case "StateDirectory":
		f.stateDirs = append(f.stateDirs, strings.Fields(f.expand(value))...)
	default:
		if !f.setString(key, f.expand(value)) {
			f.note(key)
		}
	}
	return err
}

func (f *file) setString(key, value string) bool {
	fields := map[string]*string{"User": &f.user, "Group": &f.group, "WorkingDirectory": &f.dir,
		"UMask": &f.umask, "PIDFile": &f.pidFile, "StandardOutput": &f.output}
	if p, ok := fields[key]; ok {
		*p = value
		return true
	}
	return key == "StandardError" // goes where the output goes
}

// addCommand adds an Exec line; an empty one clears those before it.
func (f *file) addCommand(list *[]command, value string) error {
	if value == "" {
		*list = nil
		return nil
	}
	var c command
	for value != "" && strings.ContainsRune("-@:+!", rune(value[0])) {
		c.ignore = c.ignore || value[0] == '-'
		value = value[1:]
	}
	words, err := split(value)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("empty command")
	}
	for i := range words {
		words[i] = f.expand(words[i])
	}
	c.words = words
	*list = append(*list, c)
	return nil
}

// expand puts in the specifiers that make sense in an instance.
func (f *file) expand(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	base := strings.TrimSuffix(f.name, ".service")
	prefix, arg, _ := strings.Cut(base, "@")
	host, _ := os.Hostname()
	return strings.NewReplacer("%%", "%", "%n", f.name, "%N", base, "%p", prefix, "%i", arg, "%I", arg,
		"%H", host, "%t", "/run", "%S", "/var/lib", "%h", "/root", "%L", "/var/log").Replace(s)
}
