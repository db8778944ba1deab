// Package appspec reads the application specification file (appspec.yml) of a
// server deployment: bytes in, a checked Spec or AWS's own sentence out.
//
// It is pure: it opens no file and runs nothing. YAML and JSON are both read,
// since JSON is YAML. Where AWS's two agents differ (the Ruby agent 1.x reads
// YAML 1.1, the Rust agent 2.x YAML 1.2) the stricter reading that cannot
// change meaning silently is taken, and Spec.Warnings names the line:
// an unquoted `mode: 0644` is the text 0644 here and in 2.x, and mode 420 in
// 1.x.
package appspec

import (
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/sentence"
)

// What to do with a file that exists at the destination and is not one of the
// previous deployment's.
const (
	Disallow  = "DISALLOW"
	Overwrite = "OVERWRITE"
	Retain    = "RETAIN"
)

// DefaultTimeout is a script's time-out in seconds when it gives none.
const DefaultTimeout = 3600

// Spec is a valid application specification.
type Spec struct {
	OS string
	// FileExists is "" when the file does not choose; the deployment's own
	// option then applies.
	FileExists  string
	Files       []File
	Permissions []Permission
	Hooks       map[string][]Script
	// Warnings are sentences for the log about what other agents read
	// differently.
	Warnings []string
}

// File is one entry of the files section. Destination is always a directory.
type File struct{ Source, Destination string }

// Script is one script of a hook.
type Script struct {
	Location string
	Timeout  int // seconds, > 0
	RunAs    string
	Sudo     bool
}

// Permission is one entry of the permissions section.
type Permission struct {
	Object  string
	Pattern string // "**" unless given
	Except  []string
	Types   []string // "file", "directory"
	Owner   string
	Group   string
	Mode    string // octal digits, at least three; "" for none
	ACLs    []ACL
	Context *Context
}

// Has reports whether the permission applies to objects of the type given.
func (p Permission) Has(kind string) bool { return slices.Contains(p.Types, kind) }

// Parse reads data. Every error is a sentence for the person who wrote the
// file, in AWS's words where AWS has some.
func Parse(data []byte) (*Spec, error) {
	root, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	s := &Spec{}
	if err := s.readHeader(root); err != nil {
		return nil, err
	}
	if s.Files, err = readFiles(root); err != nil {
		return nil, err
	}
	if s.Permissions, err = readPermissions(root, s); err != nil {
		return nil, err
	}
	if s.Hooks, err = readHooks(root); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Spec) readHeader(root tree) error {
	if v, _ := root.get("version"); !v.isZeroNumber() {
		return fail("an invalid version value (%s) was entered in the application specification file. "+
			"Make sure your AppSpec file specifies \"0.0\" as the version, and then try again.", v.text())
	}
	os, _ := root.get("os")
	if s.OS = os.text(); s.OS != "linux" {
		return fail("the application specification file specifies an unsupported operating system (%s). "+
			"Specify either \"linux\" or \"windows\" in the os section of the AppSpec file, and then try again.", s.OS)
	}
	behavior, ok := root.get("file_exists_behavior")
	if !ok || behavior.isNull() {
		return nil
	}
	s.FileExists = behavior.text()
	switch s.FileExists {
	case Disallow, Overwrite, Retain:
		return nil
	}
	return fail("an invalid file_exists_behavior value (%s) was entered in the application specification file. "+
		"Make sure your AppSpec file specifies one of DISALLOW,OVERWRITE,RETAIN as the file_exists_behavior, and then try again.", s.FileExists)
}

func readFiles(root tree) ([]File, error) {
	entries, err := root.list("files")
	if err != nil {
		return nil, err
	}
	var out []File
	for _, e := range entries {
		f := File{Source: e.field("source"), Destination: e.field("destination")}
		if f.Source == "" {
			return nil, fail("the application specification file specifies a destination file, but no source file. " +
				"Update the files section of the AppSpec file, and then try again.")
		}
		if f.Destination == "" {
			return nil, fail("the application specification file specifies only a source file (%s). "+
				"Add the name of the destination file to the files section of the AppSpec file, and then try again.", f.Source)
		}
		out = append(out, f)
	}
	return out, nil
}

func readHooks(root tree) (map[string][]Script, error) {
	section, ok := root.get("hooks")
	if !ok || section.isNull() {
		return nil, nil
	}
	events, err := section.pairs("hooks")
	if err != nil {
		return nil, err
	}
	hooks := map[string][]Script{}
	for _, ev := range events {
		if ev.value.isNull() {
			continue
		}
		entries, err := ev.value.items("hooks: " + ev.key)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			script, err := readScript(e)
			if err != nil {
				return nil, err
			}
			hooks[ev.key] = append(hooks[ev.key], script)
		}
	}
	return hooks, nil
}

func readScript(e tree) (Script, error) {
	s := Script{Location: strings.TrimSpace(e.field("location")), Timeout: DefaultTimeout, RunAs: strings.TrimSpace(e.field("runas"))}
	if s.Location == "" {
		return s, fail("the application specification file specifies a script with no location value. " +
			"Specify the location in the hooks section of the AppSpec file, and then try again.")
	}
	if t, ok := e.get("timeout"); ok && !t.isNull() {
		if s.Timeout = leadingInt(t.text()); s.Timeout <= 0 {
			return s, fail("an invalid timeout value was provided for a script in the application specification file. " +
				"Make corrections in the hooks section of the AppSpec file, and then try again.")
		}
	}
	var err error
	s.Sudo, err = e.boolean("sudo")
	return s, err
}

// UnknownEvents returns the hooks that name no event of known, sorted.
func (s *Spec) UnknownEvents(known []string) []string {
	var out []string
	for name := range s.Hooks {
		if !slices.Contains(known, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// ErrEmpty is returned for a file without content.
var ErrEmpty = sentence.Errorf("The deployment failed because the application specification file was empty. " +
	"Make sure your AppSpec file defines at minimum the 'version' and 'os' properties.")
