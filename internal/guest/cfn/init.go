package cfn

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	initKey = "AWS::CloudFormation::Init"
	authKey = "AWS::CloudFormation::Authentication"

	initLog    = "/var/log/cfn-init.log"
	commandLog = "/var/log/cfn-init-cmd.log"
)

// Init is cfn-init: it brings the instance into the state that the resource's
// metadata describes.
func (h *Helper) Init(args []string) int {
	f, err := parseFlags(args, with(connection, map[string]string{"stack": "s", "resource": "r", "configsets": "c"}),
		map[string]string{"verbose": "v", "version": "", "help": "h"})
	if err != nil {
		fmt.Fprintf(h.Stderr, "Usage: cfn-init [options]\n   or: cfn-init [options] <filename>\n   or: cfn-init [options] -\ncfn-init: error: %v\n", err)
		return 2
	}
	ctx := context.Background()
	metadata, err := h.initMetadata(ctx, f)
	if err != nil {
		return h.fail(err)
	}
	configs, present := metadata[initKey].(map[string]any)
	if !present {
		// As the original: not an error.
		fmt.Fprintf(h.Stderr, "Could not find '%s' key in metadata for %s.\n", initKey, f.text("resource"))
		return 0
	}
	sets := []string{"default"}
	if c := f.text("configsets"); c != "" {
		sets = strings.Split(c, ",")
	}
	order, err := configOrder(configs, sets)
	if err != nil {
		return h.fail(said("Error occurred during build: %w", err))
	}
	b, err := h.newBuild(ctx, f, metadata)
	if err != nil {
		return h.fail(err)
	}
	defer b.close()
	b.info("Running configSets: %s", strings.Join(sets, ", "))
	for _, name := range order {
		if err := b.run(name, configs[name]); err != nil {
			b.logf("ERROR", "Error encountered during build of %s: %v", name, err)
			fmt.Fprintf(h.Stderr, "Error occurred during build: %v\n", err)
			return 1
		}
	}
	b.info("ConfigSets completed")
	return 0
}

// initMetadata takes metadata from a file, from standard input or from the stack.
func (h *Helper) initMetadata(ctx context.Context, f *flags) (map[string]any, error) {
	if len(f.args) == 0 {
		return h.fetch(ctx, f)
	}
	var content []byte
	var err error
	if f.args[0] == "-" {
		content, err = io.ReadAll(h.Stdin)
	} else {
		content, err = os.ReadFile(f.args[0])
	}
	if err != nil {
		return nil, said("Error: Could not read metadata: %w", err)
	}
	var metadata map[string]any
	if err := json.Unmarshal(content, &metadata); err != nil {
		return nil, said("Error: Could not parse metadata: %w", err)
	}
	return metadata, nil
}

// configOrder resolves sets to configs, in order. Without configSets there is the
// one config named config.
func configOrder(configs map[string]any, sets []string) ([]string, error) {
	declared, ok := configs["configSets"].(map[string]any)
	if !ok {
		if len(sets) == 1 && sets[0] == "default" {
			if _, ok := configs["config"]; !ok {
				return nil, said("Could not find a config named config, and no configSets")
			}
			return []string{"config"}, nil
		}
		return nil, said("Template has no configSets, but %s was requested", strings.Join(sets, ","))
	}
	var order []string
	for _, set := range sets {
		names, err := expandSet(configs, declared, set, nil)
		if err != nil {
			return nil, err
		}
		order = append(order, names...)
	}
	return order, nil
}

func expandSet(configs, declared map[string]any, set string, path []string) ([]string, error) {
	for _, p := range path {
		if p == set {
			return nil, said("Circular dependency detected: ConfigSet %s refers to itself by %s", set, strings.Join(path, " -> "))
		}
	}
	value, ok := declared[set]
	if !ok {
		return nil, said("No such ConfigSet: %s", set)
	}
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	var order []string
	for _, item := range list {
		switch c := item.(type) {
		case string:
			if _, ok := configs[c]; !ok {
				return nil, said("Could not find config %s referenced by ConfigSet %s", c, set)
			}
			order = append(order, c)
		case map[string]any:
			other, ok := c["ConfigSet"].(string)
			if !ok || len(c) != 1 {
				return nil, said("ConfigSet %s holds an object that is not {\"ConfigSet\": name}", set)
			}
			names, err := expandSet(configs, declared, other, append(path[:len(path):len(path)], set))
			if err != nil {
				return nil, err
			}
			order = append(order, names...)
		default:
			return nil, said("ConfigSet %s holds %v, which is neither a name nor an object", set, item)
		}
	}
	return order, nil
}

// build is one run of cfn-init.
type build struct {
	*Helper
	ctx      context.Context
	log      *os.File
	commands *os.File
	verbose  bool
	auth     *authentication
	// changed holds what this run has changed, by kind: services look here.
	changed struct{ files, sources, packages, commands map[string]bool }
}

func (h *Helper) newBuild(ctx context.Context, f *flags, metadata map[string]any) (*build, error) {
	b := &build{Helper: h, ctx: ctx, verbose: f.has("verbose")}
	for _, m := range []*map[string]bool{&b.changed.files, &b.changed.sources, &b.changed.packages, &b.changed.commands} {
		*m = map[string]bool{}
	}
	var err error
	if b.auth, err = h.newAuthentication(ctx, f, metadata); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(h.Root.Path("/var/log"), 0o755); err != nil {
		return nil, err
	}
	const flag = os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if b.log, err = os.OpenFile(h.Root.Path(initLog), flag, 0o644); err != nil {
		return nil, err
	}
	if b.commands, err = os.OpenFile(h.Root.Path(commandLog), flag, 0o644); err != nil {
		b.log.Close()
		return nil, err
	}
	return b, nil
}

func (b *build) close() {
	b.log.Close()
	b.commands.Close()
}

// run applies one config, its sections in the fixed order.
func (b *build) run(name string, value any) error {
	config, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("config %s is not an object", name)
	}
	b.info("-----------------------Starting build of config %s-----------------------", name)
	sections := []struct {
		key   string
		apply func(map[string]any) error
	}{
		{"packages", b.packages}, {"groups", b.groups}, {"users", b.users}, {"sources", b.sources},
		{"files", b.files}, {"commands", b.runCommands}, {"services", b.services},
	}
	known := map[string]bool{}
	for _, s := range sections {
		known[s.key] = true
		section, present := config[s.key]
		if !present || section == nil {
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
	for key := range config {
		if !known[key] {
			b.logf("WARNING", "config %s: unknown section %s is passed over", name, key)
		}
	}
	return nil
}

func (b *build) info(format string, args ...any) { b.logf("INFO", format, args...) }

// logf writes to cfn-init.log; warnings and everything in verbose mode also go
// where the user looks.
func (b *build) logf(level, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(b.log, "%s [%s] %s\n", stamp(b.Clock.Now()), level, text)
	if b.verbose || level == "WARNING" {
		fmt.Fprintln(b.Stderr, text)
	}
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05,000") }

// texts reads a string or a list of strings.
func texts(v any) []string {
	switch t := v.(type) {
	case string:
		return []string{t}
	case []any:
		out := make([]string, len(t))
		for i, e := range t {
			out[i] = fmt.Sprint(e)
		}
		return out
	}
	return nil
}

// truth reads a boolean as templates write it.
func truth(v any) (value, present bool) {
	switch t := v.(type) {
	case bool:
		return t, true
	case string:
		return strings.EqualFold(t, "true"), true
	}
	return false, false
}
