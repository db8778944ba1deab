// Package pkgshim answers to package managers: yum, dnf, apt-get, apt, rpm, dpkg
// and gdebi, and to pip for the helper scripts of CloudFormation.
//
// The default image has the host's programs and no package database, so nothing
// can really be installed but hardstand's own CodeDeploy agent. Table says which
// packages are there or stood in for; anything else fails with package, reason
// and remedy, so that a script under `bash -e` stops where it would break later.
// In an image with a package database of its own the image's manager does the
// work and only hardstand's packages are handled here.
//
// The flow enters in Run, by the name the program was called with, or in
// Install, from user data and cfn-init. It imports guest, control and units.
package pkgshim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
)

// Shim runs one command.
type Shim struct {
	Root           guest.Root
	Stdout, Stderr io.Writer
	// Do asks PID 1, and Handover replaces the process by a program of the image.
	Do       func(control.Request) (control.Reply, error)
	Handover func(program string, argv []string) error
	// Fetch gets a package by URL.
	Fetch func(ctx context.Context, url string) (io.ReadCloser, error)
}

// New returns a shim for the running instance.
func New() *Shim {
	return &Shim{Stdout: os.Stdout, Stderr: os.Stderr,
		Do:       func(r control.Request) (control.Reply, error) { return control.Do("", r) },
		Handover: execProgram, Fetch: fetch}
}

func fetch(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return resp.Body, nil
}

// maxPackage bounds a package that is read to be verified.
const maxPackage = 256 << 20

// Digest is what is known of one of hardstand's own package files.
type Digest struct {
	Package string `json:"package"`
	Version string `json:"version"`
	File    string `json:"file"`
}

// digests reads the list of hardstand's own packages: SHA-256 in hexadecimal to
// what the file is.
func digests(root guest.Root) (map[string]Digest, error) {
	for _, p := range guest.DigestFiles {
		b, err := os.ReadFile(root.Path(p))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var list map[string]Digest
		if err := json.Unmarshal(b, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		return list, nil
	}
	return nil, fmt.Errorf("this instance has no list of hardstand's packages (%s)", guest.DigestFiles[0])
}

// isFile tells a package file or URL from a package name.
func isFile(arg string) bool {
	return strings.Contains(arg, "/") || strings.HasSuffix(arg, ".rpm") || strings.HasSuffix(arg, ".deb")
}

// refusal is why a package cannot be had; people read it.
type refusal struct{ pkg, reason, remedy string }

func (r *refusal) Error() string {
	return fmt.Sprintf("cannot install %s: %s\n  remedy: %s", r.pkg, r.reason, r.remedy)
}

// Install installs packages, by name or by file, and reports each with say. It
// goes on after a failure, so that one run names everything that is missing.
func (s *Shim) Install(args []string, say func(pkg string, v Class, note string)) error {
	var failures []error
	for _, arg := range args {
		var err error
		if isFile(arg) {
			err = s.installFile(arg, say)
		} else {
			err = s.installName(arg, say)
		}
		if err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func (s *Shim) installName(name string, say func(string, Class, string)) error {
	v := judge(s.Root, name)
	if v.class == "" {
		return &refusal{name,
			"it is not in this image, and hardstand's default image is the host's /usr, which packages cannot be added to",
			fmt.Sprintf("install %s on the host that runs hardstand, and start the instance anew", name)}
	}
	if plain, version, ok := strings.Cut(name, "="); ok && v.class == Present && strings.Trim(version, "*") != "" {
		return &refusal{name, "the image has no record of the versions of what it contains",
			fmt.Sprintf("install version %s on the host that runs hardstand, and ask for %s alone", version, plain)}
	}
	if plainName(name) == agentPackage && agentInstalled(s.Root) == "" {
		if err := s.placeAgent(s.agentVersion()); err != nil {
			return fmt.Errorf("install %s: %w", name, err)
		}
		say(name, Ours, "installed")
		return nil
	}
	say(name, v.class, v.note)
	return nil
}

// agentVersion is the version of the packages of this server.
func (s *Shim) agentVersion() string {
	list, err := digests(s.Root)
	if err == nil {
		for _, d := range list {
			if d.Package == agentPackage && d.Version != "" {
				return d.Version
			}
		}
	}
	return "hardstand"
}

func (s *Shim) installFile(arg string, say func(string, Class, string)) error {
	sum, err := s.sum(arg)
	if err != nil {
		return fmt.Errorf("cannot install %s: %w", arg, err)
	}
	list, err := digests(s.Root)
	if err != nil {
		return fmt.Errorf("cannot install %s: %w", arg, err)
	}
	d, ok := list[sum]
	if !ok || d.Package != agentPackage {
		return &refusal{arg,
			fmt.Sprintf("its digest (sha256 %s) is not that of one of hardstand's own packages, and other packages cannot be unpacked", sum),
			"take the package from the bucket aws-codedeploy-<region> of this server, or install what it contains on the host that runs hardstand"}
	}
	if err := s.placeAgent(d.Version); err != nil {
		return fmt.Errorf("install %s: %w", arg, err)
	}
	say(d.Package+" "+d.Version, Ours, "installed")
	return nil
}

func (s *Shim) sum(arg string) (string, error) {
	var from io.ReadCloser
	var err error
	if strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		from, err = s.Fetch(ctx, arg)
	} else {
		from, err = os.Open(strings.TrimPrefix(arg, "file://"))
	}
	if err != nil {
		return "", err
	}
	defer from.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(from, maxPackage)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Remove takes packages away. Only hardstand's own can be; for one that is not
// there nothing is to do.
func (s *Shim) Remove(names []string, say func(pkg, what string)) error {
	var failures []error
	for _, name := range names {
		v := judge(s.Root, name)
		switch {
		case plainName(name) == agentPackage && agentInstalled(s.Root) != "":
			if err := s.removeAgent(); err != nil {
				failures = append(failures, fmt.Errorf("remove %s: %w", name, err))
				continue
			}
			say(name, "removed")
		case plainName(name) == agentPackage, v.class == "", v.class == Substituted:
			say(name, "is not installed, so not removed")
		default:
			failures = append(failures, fmt.Errorf("cannot remove %s: it is a part of the image", name))
		}
	}
	return errors.Join(failures...)
}
