// Package install puts the files of a revision in place: first it removes what
// the previous Install of the group put there, then it makes a complete plan
// (written as <group>-install.json), then it carries the plan out, recording
// each path in <group>-cleanup before the next Install needs it. A problem found
// while planning therefore leaves the old files removed and nothing new, as with
// the official agent.
//
// Nothing is written through a link: what lies below a destination is reached by
// an os.Root, and open.go says which links on the way to one count.
//
// Flow: Run -> cleanup.go -> plan.go (files) -> permissions.go -> step.go
// (install.json) -> execute.go, tools.go.
package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

// Install is one Install event.
type Install struct {
	Archive     string // unpacked revision
	CleanupFile string
	PlanFile    string
	Behavior    string // DISALLOW, OVERWRITE, RETAIN
	Tools       Tools
}

// Run carries the event out.
func (in Install) Run(s *appspec.Spec) error {
	if err := cleanup(in.CleanupFile, in.Tools); err != nil {
		return err
	}
	archive, err := os.OpenRoot(in.Archive)
	if err != nil {
		return fmt.Errorf("open revision: %w", err)
	}
	defer archive.Close()
	b := newPlan(in.Behavior)
	if err := b.addFiles(archive, s.Files); err != nil {
		return err
	}
	if err := b.addPermissions(s.Permissions); err != nil {
		return err
	}
	if err := b.write(in.PlanFile); err != nil {
		return err
	}
	return execute(b.steps, archive, in.CleanupFile, in.Tools)
}

// plan collects the steps and what they will have made.
type plan struct {
	behavior string
	steps    []Step
	copies   map[string]string // target -> source
	dirs     map[string]bool   // planned directories
	permit   map[string]bool   // paths with permissions
	order    []string          // targets of copies and dirs, in order
	bases    map[string]string // target -> base of its step
	dest     string            // the destination in hand
}

func newPlan(behavior string) *plan {
	return &plan{behavior: behavior, copies: map[string]string{}, dirs: map[string]bool{}, permit: map[string]bool{}, bases: map[string]string{}}
}

func fail(format string, args ...any) error {
	return errors.New("The deployment failed because " + fmt.Sprintf(format, args...))
}

func (b *plan) addFiles(root *os.Root, files []appspec.File) error {
	for _, f := range files {
		if err := b.addEntry(root, f); err != nil {
			return err
		}
	}
	return nil
}

// addEntry plans one entry of the files section.
func (b *plan) addEntry(root *os.Root, f appspec.File) error {
	archive := root.Name()
	source := filepath.Join(archive, f.Source)
	name, err := filepath.Rel(archive, source)
	if err != nil || !filepath.IsLocal(name) {
		return fail("the source path '%s' attempts to escape the deployment archive directory: %s", f.Source, archive)
	}
	info, err := root.Stat(name)
	if err != nil {
		return fmt.Errorf("files section: source %q is not in the revision: %w", f.Source, cause(err))
	}
	b.dest = filepath.Clean(f.Destination)
	if !filepath.IsAbs(b.dest) {
		return fmt.Errorf("files section: destination %q is not an absolute path", f.Destination)
	}
	if err := b.ancestors(b.dest); err != nil {
		return err
	}
	if info.IsDir() {
		return b.addTree(root, name, source, b.dest)
	}
	if err := b.mkdir(b.dest); err != nil {
		return err
	}
	return b.copy(source, filepath.Join(b.dest, filepath.Base(source)))
}

// cause is what a call to the system says, without the call's name and the path,
// which stand in the sentence around it.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// addTree plans the content of a directory, dot files included. A link to a
// directory is walked as a directory; any other link stays a link.
func (b *plan) addTree(root *os.Root, name, source, dest string) error {
	if err := b.mkdir(dest); err != nil {
		return err
	}
	if depth(name) > maxDepth {
		return fmt.Errorf("files section: %s is nested deeper than %d directories (a link to its own parent?)", name, maxDepth)
	}
	entries, err := readDir(root, name)
	if err != nil {
		return fmt.Errorf("files section: %w", err)
	}
	for _, e := range entries {
		childName, child := filepath.Join(name, e.Name()), filepath.Join(source, e.Name())
		target := filepath.Join(dest, e.Name())
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			if info, err := root.Stat(childName); err == nil {
				isDir = info.IsDir()
			}
		}
		if isDir {
			err = b.addTree(root, childName, child, target)
		} else {
			err = b.copy(child, target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readDir returns the entries of a directory of the revision by name.
func readDir(root *os.Root, name string) ([]fs.DirEntry, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// maxDepth ends the walk of a link that leads to its own parent.
const maxDepth = 128

func depth(name string) int {
	n := 1
	for _, c := range name {
		if c == filepath.Separator {
			n++
		}
	}
	return n
}

// ancestors plans the directories above dest that do not exist.
func (b *plan) ancestors(dest string) error {
	var missing []string
	for d := filepath.Dir(dest); d != "/" && d != "."; d = filepath.Dir(d) {
		if b.dirs[d] || isDir(d) {
			break
		}
		missing = append(missing, d)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := b.mkdir(missing[i]); err != nil {
			return err
		}
	}
	return nil
}

// baseOf is the directory to open for a step at target.
func (b *plan) baseOf(target string) string {
	if target != b.dest && strings.HasPrefix(target, strings.TrimSuffix(b.dest, "/")+"/") {
		return b.dest
	}
	return filepath.Dir(target)
}

func (b *plan) mkdir(dir string) error {
	if source, planned := b.copies[dir]; planned {
		return fail("the application specification file includes an mkdir command more than once for the same destination path (%s) from (%s). "+
			"Update the files section of the AppSpec file, and then try again.", dir, source)
	}
	if b.dirs[dir] {
		return nil
	}
	if isDir(dir) {
		return b.checkInside(dir)
	}
	b.dirs[dir] = true
	return b.add(dir, Step{Type: "mkdir", Directory: dir})
}

// add appends the step that makes target. The cleanup file has a line for each
// path: one with a line end in its name would have another file removed.
func (b *plan) add(target string, s Step) error {
	if strings.ContainsRune(target, '\n') {
		return fmt.Errorf("files section: %q has a line end in its name", target)
	}
	s.base = b.baseOf(target)
	b.bases[target] = s.base
	b.order = append(b.order, target)
	b.steps = append(b.steps, s)
	return nil
}

// checkInside refuses a directory below the destination that is a link out of it:
// the deployment would write to a place that its appspec does not name.
func (b *plan) checkInside(dir string) error {
	if b.baseOf(dir) != b.dest {
		return nil
	}
	rel, err := filepath.Rel(b.dest, dir)
	if err != nil {
		return err
	}
	root, err := openDir(b.dest)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Stat(rel); err != nil {
		return fmt.Errorf("files section: %s is a link that leads out of the destination %s; name where it leads to as a destination of its own", dir, b.dest)
	}
	return nil
}

func (b *plan) copy(source, target string) error {
	if other, planned := b.copies[target]; planned {
		return fail("the application specification file specifies two source files named %s and %s for the same destination (%s). "+
			"Remove one of the source file paths from the AppSpec file, and then try again.", source, other, target)
	}
	if b.dirs[target] {
		return taken(source, target)
	}
	if info, err := os.Lstat(target); err == nil {
		switch b.behavior {
		case appspec.Disallow:
			return fail("a specified file already exists at this location: %s", target)
		case appspec.Retain:
			return nil
		case appspec.Overwrite:
			if info.IsDir() {
				return taken(source, target)
			}
		default:
			return fail("an invalid option was specified for fileExistsBehavior: %s. Valid options include OVERWRITE, RETAIN, and DISALLOW.", b.behavior)
		}
	}
	b.copies[target] = source
	return b.add(target, Step{Type: "copy", Source: source, Destination: target})
}

// taken is a file for a place where a directory is, or will be.
func taken(source, target string) error {
	return fail("the application specification file calls for installing the file %s, but a file with that name already exists at the location (%s). "+
		"Update your AppSpec file or directory structure, and then try again.", source, target)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
