// Package install puts the files of a revision in place: first it removes what
// the previous Install of the group put there, then it makes a complete plan
// (written as <group>-install.json), then it carries the plan out, recording
// each path in <group>-cleanup before the next Install needs it. A problem found
// while planning therefore leaves the old files removed and nothing new, as with
// the official agent.
//
// Flow: Run -> cleanup.go -> plan.go (files) -> permissions.go -> execute.go.
package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
	b := newPlan(in.Behavior)
	if err := b.addFiles(in.Archive, s.Files); err != nil {
		return err
	}
	if err := b.addPermissions(s.Permissions); err != nil {
		return err
	}
	if err := b.write(in.PlanFile); err != nil {
		return err
	}
	return execute(b.steps, in.CleanupFile, in.Tools)
}

// plan collects the steps and what they will have made.
type plan struct {
	behavior string
	steps    []Step
	copies   map[string]string // target -> source
	dirs     map[string]string // planned directory -> what asked for it
	permit   map[string]bool   // paths with permissions
	order    []string          // targets of copies and dirs, in order
}

func newPlan(behavior string) *plan {
	return &plan{behavior: behavior, copies: map[string]string{}, dirs: map[string]string{}, permit: map[string]bool{}}
}

func fail(format string, args ...any) error {
	return errors.New("The deployment failed because " + fmt.Sprintf(format, args...))
}

func (b *plan) addFiles(archive string, files []appspec.File) error {
	root, err := os.OpenRoot(archive)
	if err != nil {
		return fmt.Errorf("open revision: %w", err)
	}
	defer root.Close()
	for _, f := range files {
		// Joining below "/" keeps .. inside the archive.
		name := filepath.Join("/", f.Source)[1:]
		source := filepath.Join(archive, name)
		info, err := statIn(root, name)
		if err != nil {
			return fmt.Errorf("files section: source %q is not in the revision: %w", f.Source, err)
		}
		dest := filepath.Clean(f.Destination)
		if !filepath.IsAbs(dest) {
			return fmt.Errorf("files section: destination %q is not an absolute path", f.Destination)
		}
		if err := b.ancestors(dest, source); err != nil {
			return err
		}
		if info.IsDir() {
			err = b.addTree(root, name, source, dest)
		} else {
			if err = b.mkdir(dest, source); err == nil {
				err = b.copy(source, filepath.Join(dest, filepath.Base(source)))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// statIn follows links, but only inside the revision.
func statIn(root *os.Root, name string) (fs.FileInfo, error) {
	if name == "" {
		name = "."
	}
	return root.Stat(name)
}

// addTree plans the content of a directory, dot files included. A link to a
// directory is walked as a directory; any other link stays a link.
func (b *plan) addTree(root *os.Root, name, source, dest string) error {
	if err := b.mkdir(dest, source); err != nil {
		return err
	}
	if depth(name) > maxDepth {
		return fmt.Errorf("files section: %s is nested deeper than %d directories (a link to its own parent?)", name, maxDepth)
	}
	entries, err := os.ReadDir(source)
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
func (b *plan) ancestors(dest, source string) error {
	var missing []string
	for d := filepath.Dir(dest); d != "/" && d != "."; d = filepath.Dir(d) {
		if _, planned := b.dirs[d]; planned || isDir(d) {
			break
		}
		missing = append(missing, d)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := b.mkdir(missing[i], source); err != nil {
			return err
		}
	}
	return nil
}

func (b *plan) mkdir(dir, source string) error {
	if _, planned := b.copies[dir]; planned {
		return fail("the application specification file includes an mkdir command more than once for the same destination path (%s) from (%s). "+
			"Update the files section of the AppSpec file, and then try again.", dir, source)
	}
	if _, planned := b.dirs[dir]; planned || isDir(dir) {
		return nil
	}
	b.dirs[dir] = source
	b.order = append(b.order, dir)
	b.steps = append(b.steps, Step{Type: "mkdir", Directory: dir})
	return nil
}

func (b *plan) copy(source, target string) error {
	if other, planned := b.copies[target]; planned {
		return fail("the application specification file specifies two source files named %s and %s for the same destination (%s). "+
			"Remove one of the source file paths from the AppSpec file, and then try again.", source, other, target)
	}
	if _, planned := b.dirs[target]; planned {
		return fail("the application specification file calls for installing the file %s, but a file with that name already exists at the location (%s). "+
			"Update your AppSpec file or directory structure, and then try again.", source, target)
	}
	if _, err := os.Lstat(target); err == nil {
		switch b.behavior {
		case appspec.Disallow:
			return fail("a specified file already exists at this location: %s", target)
		case appspec.Retain:
			return nil
		case appspec.Overwrite:
		default:
			return fail("an invalid option was specified for fileExistsBehavior: %s. Valid options include OVERWRITE, RETAIN, and DISALLOW.", b.behavior)
		}
	}
	b.copies[target] = source
	b.order = append(b.order, target)
	b.steps = append(b.steps, Step{Type: "copy", Source: source, Destination: target})
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
