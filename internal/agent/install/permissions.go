package install

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

// addPermissions plans modes, ACLs, contexts and owners, in the order of the
// appspec.
func (b *plan) addPermissions(ps []appspec.Permission) error {
	for _, p := range ps {
		object := filepath.Clean(p.Object)
		var err error
		switch _, copied := b.copies[object]; {
		case copied:
			err = b.permitFile(p, object)
		case b.isDirectory(object):
			err = b.permitTree(p, object)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *plan) isDirectory(path string) bool {
	return b.dirs[path] || isDir(path)
}

func (b *plan) permitFile(p appspec.Permission, object string) error {
	if !p.Has("file") {
		return nil
	}
	if p.Pattern != "**" {
		return fail("the application specification file includes an object (%s) with an invalid pattern (%s), "+
			"such as a pattern for a file applied to a directory. Correct the permissions section of the AppSpec file, and then try again.", p.Object, p.Pattern)
	}
	if len(p.Except) > 0 {
		return fail("the except parameter for a pattern in the permissions section (%s) for the object named %s contains an invalid format. "+
			"Update the AppSpec file, and then try again.", inspect(p.Except), p.Object)
	}
	return b.permitOne(p, object, false)
}

// permitTree applies p to what this deployment makes strictly below object, files
// first, as AWS's agents do.
func (b *plan) permitTree(p appspec.Permission, object string) error {
	for _, kind := range []string{"file", "directory"} {
		if !p.Has(kind) {
			continue
		}
		for _, path := range b.order {
			rel, ok := strings.CutPrefix(path, strings.TrimSuffix(object, "/")+"/")
			if !ok || b.dirs[path] != (kind == "directory") || !matches(p, rel) {
				continue
			}
			if err := b.permitOne(p, path, b.dirs[path]); err != nil {
				return err
			}
		}
	}
	return nil
}

// inspect writes a list as AWS's agents put it into their sentences.
func inspect(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func matches(p appspec.Permission, rel string) bool {
	if p.Pattern != "**" && !glob(p.Pattern, rel) {
		return false
	}
	for _, e := range p.Except {
		if glob(e, rel) {
			return false
		}
	}
	return true
}

// glob matches direct children only; * is the one wildcard.
func glob(pattern, name string) bool {
	if strings.Contains(name, "/") {
		return false
	}
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

func (b *plan) permitOne(p appspec.Permission, path string, dir bool) error {
	if b.permit[path] {
		return fail("the permissions setting for (%s) is specified more than once in the application specification file. "+
			"Update the files section of the AppSpec file, and then try again.", path)
	}
	b.permit[path] = true
	base := b.bases[path]
	if p.Mode != "" {
		b.steps = append(b.steps, Step{Type: "chmod", Mode: p.Mode, File: path, base: base})
	}
	if len(p.ACLs) > 0 {
		var entries []string
		for _, a := range p.ACLs {
			if a.Default && !dir {
				return fail("the -d parameter has been specified to apply an acl setting to a file. " +
					"This parameter is supported for directories only. Update the AppSpec file, and then try again.")
			}
			entries = append(entries, a.String())
		}
		b.steps = append(b.steps, Step{Type: "setfacl", ACL: entries, File: path, base: base})
	}
	if p.Context != nil {
		b.steps = append(b.steps, Step{Type: "semanage", File: path, base: base,
			Context: &StepContext{User: p.Context.User, Type: p.Context.Type, Range: p.Context.Range}})
	}
	// chown comes last, so that the kernel clears setuid and setgid bits.
	if p.Owner != "" || p.Group != "" {
		b.steps = append(b.steps, Step{Type: "chown", Owner: p.Owner, Group: p.Group, File: path, base: base})
	}
	return nil
}
