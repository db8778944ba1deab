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
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

// Names of the package files, which are AWS's.
const (
	rpmFile     = "codedeploy-agent.noarch.rpm"
	debFile     = "codedeploy-agent_all.deb"
	packageName = "codedeploy-agent"
)

// layout counts changes of what is built from the same binary, so that a cache
// of an earlier hardstand is not taken for this one's.
const layout = 1

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

// Config is what packages are made of.
type Config struct {
	// Binary returns the guest binary, static and for Arch; BinaryID names it, so
	// that packages in the cache are found without reading it.
	Binary   func() ([]byte, error)
	BinaryID string
	// Version is what the agent reports: OFFICIAL_2.1.0_hardstand. The number in
	// it is the packages' version.
	Version string
	// Arch is a GOARCH, "" for this machine's.
	Arch string
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
	Binary  string // its ID
	Files   map[string]file
}

type file struct {
	Size        int64
	MD5, SHA256 string
}

// New returns a Dist that has made nothing yet.
func New(cfg Config) *Dist {
	if cfg.Arch == "" {
		cfg.Arch = runtime.GOARCH
	}
	return &Dist{cfg: cfg, bytes: map[string][]byte{}}
}

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
	script := []byte(installScript(m))
	latest, err := json.Marshal(map[string]string{"rpm": "latest/" + rpmFile, "deb": "latest/" + debFile, "zypper": "latest/" + rpmFile})
	if err != nil {
		return nil, err
	}
	return []Object{
		inMemory("latest/LATEST_VERSION", "application/json", append(latest, '\n')),
		d.pack("latest/", rpmFile, "application/x-rpm", m),
		d.pack("latest/", debFile, "application/vnd.debian.binary-package", m),
		inMemory("latest/install", "text/x-sh", script),
		inMemory("latestv2/install", "text/x-sh", script),
	}, nil
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
	if err != nil || json.Unmarshal(b, &m) != nil || m.Layout != layout || m.Version != d.cfg.Version || m.Binary != d.cfg.BinaryID {
		return nil
	}
	for _, name := range []string{rpmFile, debFile} {
		info, err := os.Stat(filepath.Join(d.cfg.CacheDir, name))
		if err != nil || info.Size() != m.Files[name].Size {
			return nil
		}
	}
	return &m
}

// build makes the packages and keeps them.
func (d *Dist) build() (*manifest, error) {
	binary, err := d.cfg.Binary()
	if err != nil {
		return nil, err
	}
	tree := contents(d.cfg.Version, binary)
	m := &manifest{Layout: layout, Version: d.cfg.Version, Binary: d.cfg.BinaryID, Files: map[string]file{}}
	for _, p := range []struct {
		name string
		make func([]entry, meta) ([]byte, error)
	}{{rpmFile, buildRPM}, {debFile, buildDeb}} {
		b, err := p.make(tree, meta{version: number(d.cfg.Version), arch: d.cfg.Arch})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		sum := md5.Sum(b)
		m.Files[p.name] = file{Size: int64(len(b)), MD5: hex.EncodeToString(sum[:]), SHA256: sumOf(b)}
		if err := d.keep(p.name, b); err != nil {
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
