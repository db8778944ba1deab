// Package dist makes what the buckets aws-codedeploy-<region> hold: the install
// script and the agent's packages, all with the guest binary of this server in
// them, so that nothing is fetched from anywhere.
//
// It owns the packages' contents and formats. It imports rpmpack and the
// standard library; the deb is written here. Flow enters by Objects, asked by
// the composition root for S3, and by Digests, written into every instance,
// where the package-manager shims recognise the packages by it. The same binary
// and version give the same bytes.
package dist

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Names of the package files for the server's own architecture, which are AWS's.
const (
	rpmFile     = "codedeploy-agent.noarch.rpm"
	debFile     = "codedeploy-agent_all.deb"
	packageName = "codedeploy-agent"
)

// machines are the architectures' other names, of rpm and uname.
var machines = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// machine is the name of a GOARCH in packages of rpm, and what uname -m says.
func machine(arch string) string { return cmp.Or(machines[arch], arch) }

// layout counts changes of what is built from the same binary, so that a cache
// of an earlier hardstand is not taken for this one's.
const layout = 2

// bucketForm recognises the buckets; there is one for every region.
var bucketForm = regexp.MustCompile(`^aws-codedeploy-([a-z]{2}(?:-[a-z]+)+-[0-9])$`)

// Region returns the region whose agent bucket has the name.
func Region(bucket string) (string, bool) {
	m := bucketForm.FindStringSubmatch(bucket)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// Program is the guest binary for one architecture.
type Program struct {
	// Read returns the static binary; ID names it, so that packages in the cache
	// are found without reading it.
	Read func() ([]byte, error)
	ID   string
	Arch string // a GOARCH
}

// Config is what packages are made of.
type Config struct {
	// Programs are the binaries, that of the server's own architecture first. Its
	// packages have AWS's names, the others' the architecture in theirs.
	Programs []Program
	// Version is what the agent reports: OFFICIAL_2.1.0_hardstand. The number in
	// it is the packages' version.
	Version string
	// CacheDir keeps the packages between starts, until the binary or the
	// version is another. "" keeps them in memory.
	CacheDir string
}

// Object is one object of the buckets.
type Object struct {
	Key, ContentType string
	Size             int64
	ETag             string // MD5 in hex, as S3's
	Read             func() ([]byte, error)
}

// Digest says what a package file is. Digests are known by the file's SHA-256.
type Digest struct {
	Package string `json:"package"`
	Version string `json:"version"`
	File    string `json:"file"`
}

// Dist makes the packages when they are first asked for.
type Dist struct {
	cfg Config

	mu    sync.Mutex
	made  *manifest
	bytes map[string][]byte // by file name, without a cache
}

// manifest describes the packages; it is the cache's last file to be written.
type manifest struct {
	Layout  int
	Version string
	Binary  string // the binaries' IDs
	Files   map[string]file
}

// packages are the two package files of one program.
type packages struct {
	Program
	rpm, deb string
}

// all are the packages, those of the server's own architecture first.
func (d *Dist) all() []packages {
	var out []packages
	for i, p := range d.cfg.Programs {
		if i == 0 {
			out = append(out, packages{p, rpmFile, debFile})
			continue
		}
		out = append(out, packages{p, packageName + "." + machine(p.Arch) + ".rpm", packageName + "_" + p.Arch + ".deb"})
	}
	return out
}

func (d *Dist) binaries() string {
	var ids []string
	for _, p := range d.cfg.Programs {
		ids = append(ids, p.Arch+" "+p.ID)
	}
	return strings.Join(ids, "\n")
}

type file struct {
	Size        int64
	MD5, SHA256 string
}

// New returns a Dist that has made nothing yet.
func New(cfg Config) *Dist { return &Dist{cfg: cfg, bytes: map[string][]byte{}} }

// Digests returns the packages' digests by SHA-256 in hex.
func (d *Dist) Digests() (map[string]Digest, error) {
	m, err := d.prepare()
	if err != nil {
		return nil, err
	}
	out := map[string]Digest{}
	for name, f := range m.Files {
		out[f.SHA256] = Digest{Package: packageName, Version: d.cfg.Version, File: name}
	}
	return out, nil
}

// Objects returns the objects of every agent bucket, by key.
func (d *Dist) Objects() ([]Object, error) {
	m, err := d.prepare()
	if err != nil {
		return nil, err
	}
	script := []byte(installScript(m, d.all()))
	latest, err := json.Marshal(map[string]string{"rpm": "latest/" + rpmFile, "deb": "latest/" + debFile, "zypper": "latest/" + rpmFile})
	if err != nil {
		return nil, err
	}
	latest = append(latest, '\n')
	out := []Object{
		inMemory("latest/LATEST_VERSION", "application/json", latest),
		inMemory("latest/VERSION", "application/json", latest), // what install scripts before 2018 ask for
		inMemory("latest/install", "text/x-sh", script),
		inMemory("latestv2/install", "text/x-sh", script),
	}
	for _, p := range d.all() {
		out = append(out, d.pack("latest/", p.rpm, "application/x-rpm", m), d.pack("latest/", p.deb, "application/vnd.debian.binary-package", m))
	}
	slices.SortFunc(out, func(a, b Object) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

func inMemory(key, contentType string, body []byte) Object {
	sum := md5.Sum(body)
	return Object{
		Key: key, ContentType: contentType, Size: int64(len(body)), ETag: hex.EncodeToString(sum[:]),
		Read: func() ([]byte, error) { return body, nil },
	}
}

func (d *Dist) pack(prefix, name, contentType string, m *manifest) Object {
	f := m.Files[name]
	return Object{
		Key: prefix + name, ContentType: contentType, Size: f.Size, ETag: f.MD5,
		Read: func() ([]byte, error) { return d.read(name) },
	}
}

// prepare returns the manifest of packages that exist, built or found.
func (d *Dist) prepare() (*manifest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made != nil {
		return d.made, nil
	}
	if m := d.cached(); m != nil {
		d.made = m
		return m, nil
	}
	m, err := d.build()
	if err != nil {
		return nil, fmt.Errorf("build the agent's packages: %w", err)
	}
	d.made = m
	return m, nil
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// cached returns the manifest in the cache when it is this binary's and its
// files have their sizes, else nil.
func (d *Dist) cached() *manifest {
	if d.cfg.CacheDir == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(d.cfg.CacheDir, "packages.json"))
	var m manifest
	if err != nil || json.Unmarshal(b, &m) != nil || m.Layout != layout || m.Version != d.cfg.Version || m.Binary != d.binaries() {
		return nil
	}
	for name, f := range m.Files {
		info, err := os.Stat(filepath.Join(d.cfg.CacheDir, name))
		if err != nil || info.Size() != f.Size {
			return nil
		}
	}
	return &m
}

// build makes the packages and keeps them.
func (d *Dist) build() (*manifest, error) {
	m := &manifest{Layout: layout, Version: d.cfg.Version, Binary: d.binaries(), Files: map[string]file{}}
	for _, p := range d.all() {
		if err := d.buildFor(p, m); err != nil {
			return nil, err
		}
	}
	if d.cfg.CacheDir == "" {
		return m, nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return m, d.keep("packages.json", b)
}

// buildFor makes and keeps the packages of one program, and notes them in m.
func (d *Dist) buildFor(p packages, m *manifest) error {
	binary, err := p.Read()
	if err != nil {
		return err
	}
	tree := contents(d.cfg.Version, binary)
	for _, f := range []struct {
		name string
		make func([]entry, meta) ([]byte, error)
	}{{p.rpm, buildRPM}, {p.deb, buildDeb}} {
		b, err := f.make(tree, meta{version: number(d.cfg.Version), arch: p.Arch})
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		sum := md5.Sum(b)
		m.Files[f.name] = file{Size: int64(len(b)), MD5: hex.EncodeToString(sum[:]), SHA256: sumOf(b)}
		if err := d.keep(f.name, b); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dist) keep(name string, b []byte) error {
	if d.cfg.CacheDir == "" {
		d.bytes[name] = b
		return nil
	}
	if err := os.MkdirAll(d.cfg.CacheDir, 0o700); err != nil {
		return err
	}
	tmp := filepath.Join(d.cfg.CacheDir, "."+name+".new")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(d.cfg.CacheDir, name))
}

// read returns a package. A cached file that is not what it was made as (the
// cache is not synced, so power may have failed) is made again.
func (d *Dist) read(name string) ([]byte, error) {
	m, err := d.prepare()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg.CacheDir == "" {
		return d.bytes[name], nil
	}
	for range 2 {
		b, err := os.ReadFile(filepath.Join(d.cfg.CacheDir, name))
		if err == nil && sumOf(b) == m.Files[name].SHA256 {
			return b, nil
		}
		if m, err = d.build(); err != nil {
			return nil, fmt.Errorf("build the agent's packages: %w", err)
		}
		d.made = m
	}
	return nil, errors.New("the cache of the agent's packages does not keep what is written to it")
}

var numberForm = regexp.MustCompile(`\d+(?:\.\d+)+`)

// number is the version number in the agent's version.
func number(version string) string {
	if n := numberForm.FindString(version); n != "" {
		return n
	}
	return "0." + strings.Trim(version, "_")
}
