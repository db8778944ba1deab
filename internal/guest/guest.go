// Package guest names what exists inside an instance: where the guest binary
// lies, which names it answers to, which files host and guest agree on.
//
// It owns no state and imports the standard library only, because both sides
// use it: the image builder takes Links and Dirs, every applet takes Root and
// the paths. The applets live in the packages below this one; the table that
// joins names to functions is in applets.
package guest

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Files that the daemon or PID 1 writes before the first applet runs.
const (
	// Binary is where the guest binary is bound, read-only.
	Binary = "/usr/lib/hardstand/hardstand-guest"
	// ControlSocket is where PID 1 takes requests; package control speaks on it.
	ControlSocket = "/run/hardstand/control.sock"
	// UserDataFile holds the user data as given to RunInstances, base64 decoded.
	// An instance without user data has no such file.
	UserDataFile = "/run/hardstand/user-data"
	// InstanceIDFile holds the instance id and a newline.
	InstanceIDFile = "/run/hardstand/instance-id"
	// EnvironmentFile holds KEY=VALUE lines that every session starts with: the
	// trust variables of the certificate authority, above all.
	EnvironmentFile = "/etc/environment"
	// UnitDir holds the units that an image of AWS has.
	UnitDir = "/opt/aws/lib/systemd/system"
)

// DefaultPath is PATH where nothing else set it, as on a distribution with
// systemd.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// DigestFiles are the places where the digests of hardstand's own packages are
// looked for, in order.
var DigestFiles = []string{"/run/hardstand/digests.json", "/usr/lib/hardstand/digests.json"}

// Root is the directory that paths inside an instance begin at: "" or "/" in an
// instance, a temporary directory in tests.
type Root string

// Path returns where the absolute path p lies under r.
func (r Root) Path(p string) string {
	if r == "" || r == "/" {
		return p
	}
	return filepath.Join(string(r), p)
}

// Exists reports whether something lies at p. A dangling link counts.
func (r Root) Exists(p string) bool {
	_, err := os.Lstat(r.Path(p))
	return err == nil
}

// Executable reports whether p is, or links to, a file that may be executed.
func (r Root) Executable(p string) bool {
	info, err := os.Stat(r.Path(p))
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// IsOurs reports whether p is a link to the guest binary, so that an applet that
// hands over to the image's own program does not start itself.
func (r Root) IsOurs(p string) bool {
	target, err := filepath.EvalSymlinks(r.Path(p))
	if err != nil {
		return false
	}
	if filepath.Base(target) == filepath.Base(Binary) {
		return true
	}
	self, err := os.Executable()
	return err == nil && self == target
}

// RealProgram finds the image's own program of one of the names given, passing
// over links to the guest binary. It returns a path inside the instance.
func (r Root) RealProgram(names ...string) (string, bool) {
	for _, name := range names {
		for dir := range strings.SplitSeq(DefaultPath, ":") {
			p := dir + "/" + name
			if r.Executable(p) && !r.IsOurs(p) {
				return p, true
			}
		}
	}
	return "", false
}

// Environment returns the KEY=VALUE lines of EnvironmentFile. Quotes around a
// value are taken off, as pam_env does.
func (r Root) Environment() ([]string, error) {
	f, err := os.Open(r.Path(EnvironmentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var env []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		key, value, ok := strings.Cut(line, "=")
		if !ok || key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		env = append(env, key+"="+value)
	}
	return env, nil
}

// ParseMode reads an octal mode: "644", "0644", "000644", "0o644", with the
// set-id and sticky bits.
func ParseMode(s string) (os.FileMode, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32)
	if err != nil || n > 0o7777 {
		return 0, fmt.Errorf("%q is not an octal file mode", s)
	}
	mode := os.FileMode(n & 0o777)
	for bit, flag := range map[uint64]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky} {
		if n&bit != 0 {
			mode |= flag
		}
	}
	return mode, nil
}
