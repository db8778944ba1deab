package cfn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// hupCache is what the hooks have seen, by hook and path.
const hupCache = "/var/lib/cfn-hup/data/metadata_db.json"

// hook is one section of hooks.conf or of a file in hooks.d.
type hook struct {
	name     string
	triggers []string
	path     string // Resources.<id>[.Metadata[.path] or .PhysicalResourceId]
	action   string
	runAs    string // "" means whoever runs cfn-hup
}

// readHooks reads hooks.conf and hooks.d. What is wrong with one hook is told by
// warn, and the hook left out.
func readHooks(dir string, warn func(format string, args ...any)) ([]hook, error) {
	more, err := filepath.Glob(dir + "/hooks.d/*")
	if err != nil {
		return nil, err
	}
	var sections []section
	read := 0
	for _, file := range append([]string{dir + "/hooks.conf"}, more...) {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // absent, or a directory
		}
		read++
		if sections, err = parseINI(string(content), sections); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if read == 0 {
		return nil, said("No hook configurations found at %s or %s.", dir+"/hooks.conf", dir+"/hooks.d")
	}
	var hooks []hook
	for _, s := range sections {
		k := hook{name: s.name, path: s.values["path"], action: s.values["action"], runAs: s.values["runas"]}
		for t := range strings.SplitSeq(s.values["triggers"], ",") {
			k.triggers = append(k.triggers, strings.TrimSpace(t))
		}
		missing := slices.IndexFunc([]string{"triggers", "path", "action"}, func(key string) bool { return s.values[key] == "" })
		switch {
		case missing >= 0:
			warn("No %s specified for hook %s", []string{"triggers", "path", "action"}[missing], s.name)
		case slices.Contains(k.triggers, "on.command"):
			return nil, fmt.Errorf("hook %s: the trigger on.command is not supported: hardstand has no command service", s.name)
		default:
			hooks = append(hooks, k)
		}
	}
	if len(hooks) == 0 {
		return nil, said("No valid hooks found")
	}
	return hooks, nil
}

// part is what a hook's path leads to.
type part struct {
	logical, kind, sub string
}

// variable is the end of the names of the variables that hold the values.
func (p part) variable() string {
	return map[string]string{"": "LAST_UPDATED", "metadata": "METADATA", "physicalresourceid": "PHYSICAL_RESOURCE_ID"}[p.kind]
}

func parsePath(path string) (part, error) {
	words := strings.SplitN(path, ".", 4)
	switch {
	case len(words) < 2 || words[1] == "":
		return part{}, said("Unsupported path: paths must be in the form Resources.<LogicalResourceId>(.Metadata|PhysicalResourceId)(.<optional Metadata subkey>). Input: %s", path)
	case !strings.EqualFold(words[0], "resources"):
		return part{}, said("Unsupported path: only changes to Resources are supported (path: %s)", path)
	}
	p := part{logical: words[1]}
	if len(words) > 2 {
		p.kind = strings.ToLower(words[2])
	}
	if p.variable() == "" {
		return part{}, said("Unsupported path: only Metadata or PhysicalResourceId can be specified after LogicalResourceId (path: %s)", path)
	}
	if len(words) > 3 {
		p.sub = words[3]
	}
	return p, nil
}

// round looks once at everything that the hooks name.
func (d *daemon) round(ctx context.Context) error {
	s, err := d.connect(ctx, d.config.flags)
	if err != nil {
		return err
	}
	cache, err := d.readCache()
	if err != nil {
		return err
	}
	seen := map[string]resource{}
	d.inFlight = false
	for _, k := range d.config.hooks {
		if err := d.look(ctx, s, k, seen, cache); err != nil {
			d.logf("ERROR", "Exception caught while running hook %s: %v", k.name, describeError(err))
		}
	}
	return writePrivate(d.Root.Path(hupCache), toJSON(cache, ""))
}

// look runs one hook if what it looks at has changed. A hook that fails runs again in
// the next round, because what it has seen is not kept.
func (d *daemon) look(ctx context.Context, s *service, k hook, seen map[string]resource, cache map[string]any) error {
	p, err := parsePath(k.path)
	if err != nil {
		return err
	}
	r, ok := seen[p.logical]
	if !ok {
		if r, err = s.describe(ctx, d.config.stack, p.logical); err != nil {
			return err
		}
		seen[p.logical] = r
	}
	key, now := k.name+"|"+k.path, r.value(p)
	if strings.HasSuffix(r.status, "_IN_PROGRESS") {
		d.debug("Skipping resource %s in %s as it is in status %s", p.logical, d.config.stack, r.status)
		d.inFlight = true
		if _, known := cache[key]; !known && !slices.Contains(k.triggers, "post.add") {
			// What it is while it is being made is what cfn-init has applied: an update
			// that comes at once is none the less one.
			cache[key] = now
		}
		return nil
	}
	before := cache[key]
	switch event := change(before, now); {
	case event == "" || !slices.Contains(k.triggers, event):
		d.debug("No change in path %s for hook %s", k.path, k.name)
		cache[key] = now
		return nil
	case event == "post.add":
		d.logf("INFO", "Previous state not found; action for %s will be run", k.name)
	case event == "post.remove":
		d.logf("INFO", "Path %s was removed; action for %s will be run", k.path, k.name)
	default:
		d.logf("INFO", "Data has changed from previous state; action for %s will be run", k.name)
	}
	d.logf("INFO", "Running action for %s", k.name)
	out, err := d.action(ctx, k, p, before, now)
	if err == nil {
		cache[key] = now
	} else {
		d.logf("WARNING", "Action for %s exited with %v; will retry on next iteration", k.name, err)
	}
	d.debug("Action for %s output: %s", k.name, out)
	return nil
}

// value is what a path leads to in a resource, or nil.
func (r resource) value(p part) any {
	switch {
	case p.kind == "metadata":
		if v := extract(r.metadata, p.sub); !falsy(v) {
			return v
		}
	case r.status == "DELETE_COMPLETE":
	case p.kind == "physicalresourceid":
		return r.physicalID
	default:
		return r.updated
	}
	return nil
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

func (d *daemon) action(ctx context.Context, k hook, p part, before, now any) ([]byte, error) {
	argv := shell(k.action)
	if k.runAs != "" && k.runAs != "root" {
		argv = []string{"su", k.runAs, "-c", k.action}
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = os.Environ()
	for name, v := range map[string]any{"CFN_OLD_": before, "CFN_NEW_": now} {
		text, ok := v.(string)
		if !ok {
			text = toJSON(v, "")
		}
		if v != nil {
			cmd.Env = append(cmd.Env, name+p.variable()+"="+text)
		}
	}
	return cmd.CombinedOutput()
}

func (d *daemon) readCache() (map[string]any, error) {
	f, err := os.Open(d.Root.Path(hupCache))
	if errors.Is(err, os.ErrNotExist) {
		return map[string]any{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	values := map[string]any{}
	if err := readJSON(f, &values); err != nil {
		d.logf("ERROR", "%s: %v: begun anew", hupCache, err)
		return map[string]any{}, nil
	}
	return values, nil
}
