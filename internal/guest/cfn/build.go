package cfn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// resumeFile holds what is left of a run, so that one that a reboot interrupted can
// go on with --resume.
const resumeFile = "/var/lib/cfn-init/resume_db.json"

// work is what is left to do of a run.
type work struct {
	Metadata map[string]any `json:"metadata"`
	Sets     []string       `json:"configSets"`
	Configs  []string       `json:"configs,omitempty"`
	// Commands are those left of the first of Configs, once its sections before them
	// are done; nil until then.
	Commands *[]string `json:"commands,omitempty"`
	Changed  changes   `json:"changes"`
}

// changes holds what a config has changed, by kind: services look here.
type changes map[string]map[string]bool

func (c changes) note(kind, name string) {
	if c[kind] == nil {
		c[kind] = map[string]bool{}
	}
	c[kind][name] = true
}

// build is one run of cfn-init.
type build struct {
	*logs
	ctx     context.Context
	auth    *authentication
	configs map[string]any
	sets    map[string][]string
	work    work
	changed changes
}

func (l *logs) newBuild(ctx context.Context, f *flags, w work) (*build, error) {
	b := &build{logs: l, ctx: ctx, work: w}
	b.configs, _ = w.Metadata[initKey].(map[string]any)
	var err error
	if b.sets, err = configSets(b.configs); err != nil {
		return nil, err
	}
	b.auth, err = l.newAuthentication(ctx, f, w.Metadata)
	return b, err
}

// resume goes on with what an earlier run left.
func (l *logs) resume(ctx context.Context, f *flags) int {
	file, err := os.Open(l.Root.Path(resumeFile))
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(l.Stderr, "Error: cannot resume from previous session; no metadata stored")
		return 1
	}
	if err != nil {
		return l.fail(err)
	}
	defer file.Close()
	var w work
	if err := readJSON(file, &w); err != nil {
		return l.fail(fmt.Errorf("%s: %w", resumeFile, err))
	}
	return l.build(ctx, f, w)
}

// save keeps what is left to do.
func (b *build) save() error {
	content, err := encode(b.work)
	if err != nil {
		return err
	}
	return writePrivate(b.Root.Path(resumeFile), content)
}

func (b *build) runAll() error {
	if len(b.work.Configs) == 0 {
		b.info("Running configSets: %s", strings.Join(b.work.Sets, ", "))
	} else if err := b.runConfigs(); err != nil {
		return err
	}
	for len(b.work.Sets) > 0 {
		set := b.work.Sets[0]
		order, ok := b.sets[set]
		if !ok {
			return said("Error: no ConfigSet named %s exists", set)
		}
		b.work.Sets, b.work.Configs = b.work.Sets[1:], slices.Clone(order)
		b.info("Running configSet %s", set)
		b.heading("*", "ConfigSet "+set)
		if err := b.runConfigs(); err != nil {
			return err
		}
	}
	b.info("ConfigSets completed")
	if err := os.Remove(b.Root.Path(resumeFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// heading writes a title into the log of commands.
func (b *build) heading(line, title string) {
	b.commandf("INFO", "%s", strings.Repeat(line, 60))
	b.commandf("INFO", "%s", title)
}

func (b *build) runConfigs() error {
	for len(b.work.Configs) > 0 {
		if err := b.save(); err != nil {
			return err
		}
		name := b.work.Configs[0]
		b.info("Running config %s", name)
		b.heading("*", "Config "+name)
		if err := b.run(name); err != nil {
			b.logf("ERROR", "Error encountered during build of %s: %v", name, err)
			return err
		}
		b.work.Configs, b.work.Commands, b.work.Changed = b.work.Configs[1:], nil, nil
	}
	return nil
}

// run applies one config, its sections in the fixed order.
func (b *build) run(name string) error {
	config, ok := b.configs[name].(map[string]any)
	if b.configs[name] != nil && !ok {
		return fmt.Errorf("config %s is not an object", name)
	}
	if b.changed = b.work.Changed; b.changed == nil {
		b.changed = changes{}
	}
	sections := []struct {
		key   string
		apply func(map[string]any) error
	}{
		{"packages", b.packages}, {"groups", b.groups}, {"users", b.users}, {"sources", b.sources},
		{"files", b.files}, {"commands", b.runCommands}, {"services", b.services},
	}
	resumed := b.work.Commands != nil
	for _, s := range sections {
		section := config[s.key]
		if section == nil || section == "" || resumed && s.key != "commands" && s.key != "services" {
			b.debug("No %s specified", s.key)
			continue
		}
		m, ok := section.(map[string]any)
		if !ok {
			return fmt.Errorf("%s of config %s is not an object", s.key, name)
		}
		if err := s.apply(m); err != nil {
			return err
		}
	}
	for _, key := range sorted(config) {
		if !slices.ContainsFunc(sections, func(s struct {
			key   string
			apply func(map[string]any) error
		}) bool {
			return s.key == key
		}) {
			b.logf("WARNING", "config %s: unknown section %s is passed over", name, key)
		}
	}
	return nil
}

// texts reads a string or a list of strings.
func texts(v any) []string {
	switch t := v.(type) {
	case nil:
		return nil
	case []any:
		out := make([]string, len(t))
		for i, e := range t {
			out[i] = fmt.Sprint(e)
		}
		return out
	case map[string]any:
		return sorted(t)
	}
	return []string{fmt.Sprint(v)}
}

// truth reads a boolean as templates write it.
func truth(v any) (value, present bool) {
	if v == nil {
		return false, false
	}
	return slices.Contains([]string{"true", "yes", "y", "1"}, strings.ToLower(strings.TrimSpace(fmt.Sprint(v)))), true
}
