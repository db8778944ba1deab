package units

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
)

// wants is the directory whose links say that a unit starts at boot.
const wants = "/etc/systemd/system/multi-user.target.wants"

// Enabled returns the units that start at boot, by name.
func Enabled(root guest.Root) []string {
	entries, err := os.ReadDir(root.Path(wants))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".service") {
			names = append(names, e.Name())
		}
	}
	return names
}

// IsEnabled reports whether the unit starts at boot.
func IsEnabled(root guest.Root, name string) bool { return root.Exists(wants + "/" + Name(name)) }

// Enable makes the unit start at boot, and returns the link made and the file it
// leads to; made is false where it was there already.
func Enable(root guest.Root, name string) (link, target string, made bool, err error) {
	f, err := load(root, Name(name))
	if err != nil {
		return "", "", false, err
	}
	link = wants + "/" + f.name
	if root.Exists(link) {
		return link, f.path, false, nil
	}
	if err := os.MkdirAll(filepath.Dir(root.Path(link)), 0o755); err != nil {
		return "", "", false, err
	}
	return link, f.path, true, os.Symlink(f.path, root.Path(link))
}

// Disable undoes Enable.
func Disable(root guest.Root, name string) (link string, removed bool, err error) {
	link = wants + "/" + Name(name)
	err = os.Remove(root.Path(link))
	if errors.Is(err, fs.ErrNotExist) {
		return link, false, nil
	}
	return link, err == nil, err
}

// Exists reports whether a unit file or init script of that name exists.
func Exists(root guest.Root, name string) bool {
	_, err := load(root, Name(name))
	return !errors.Is(err, fs.ErrNotExist)
}

// Name is the full name of a unit: "x" is "x.service".
func Name(name string) string {
	name = filepath.Base(name)
	for _, suffix := range []string{".service", ".target", ".socket", ".timer", ".mount", ".path"} {
		if strings.HasSuffix(name, suffix) {
			return name
		}
	}
	return name + ".service"
}
