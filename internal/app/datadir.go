package app

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/store"
)

// dataDir is the directory that holds everything a server keeps, locked for as
// long as the server is open.
type dataDir struct {
	path string
	// id is six hex digits that begin the name of every kernel object.
	id   string
	lock *store.DirLock
	// used says that a server has been open on the directory before: whatever is
	// missing now has been lost, and is not to be made anew.
	used bool
}

func openDataDir(path string) (*dataDir, error) {
	if err := ownDir(path); err != nil {
		return nil, err
	}
	lock, err := store.LockDir(path)
	if errors.Is(err, store.ErrLocked) {
		return nil, &Refusal{
			Cause:  "another hardstand server uses the data dir " + path,
			Remedy: "stop it, or choose another directory with --data-dir",
			Err:    err,
		}
	}
	if err != nil {
		return nil, err
	}
	d := &dataDir{path: path, lock: lock}
	d.used, err = exists(d.join(accessFile))
	if err == nil && d.used {
		err = d.complete()
	}
	if err == nil {
		d.id, err = dataDirID(path)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return d, nil
}

// ownDir makes the directory, or takes one that is empty or was a data dir before, for
// its user alone. Anything else is somebody's, and a slip of the command line.
func ownDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("open data dir: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("open data dir: %w", err)
	}
	known := len(entries) == 0
	for _, e := range entries {
		known = known || slices.Contains([]string{idFile, accessFile, "lock"}, e.Name())
	}
	if !known {
		return &Refusal{Cause: path + " holds other things than a server's data", Remedy: "name a new or empty directory with --data-dir"}
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return fmt.Errorf("open data dir: %w", err)
	}
	return nil
}

// complete refuses a directory that was in use and has lost what a server would
// otherwise make at its first start: without its id, what runs would be orphaned;
// without the master key, no secret opens.
func (d *dataDir) complete() error {
	for _, part := range []string{idFile, filepath.Join("secrets", "master.key")} {
		there, err := exists(d.join(part))
		if err != nil {
			return err
		}
		if !there {
			return d.lost(d.join(part))
		}
	}
	return nil
}

// lost is the refusal to start without a part of the state.
func (d *dataDir) lost(part string) error {
	return &Refusal{
		Cause:  "the data dir " + d.path + " has been in use, but " + part + " is gone or empty",
		Remedy: "restore it from a backup, or begin anew with an empty directory (--data-dir)",
	}
}

func exists(file string) (bool, error) {
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// forget makes the directory one that was never in use, until keepAccess.
func (d *dataDir) forget() error {
	if err := os.Remove(d.join(accessFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget access: %w", err)
	}
	d.used = false
	return nil
}

func (d *dataDir) join(parts ...string) string {
	return filepath.Join(append([]string{d.path}, parts...)...)
}

func (d *dataDir) prefix() string { return "hs" + d.id }

// idFile holds the id of a data dir.
const idFile = "id"

// readID reads the id of a data dir.
func readID(path string) (string, error) {
	file := filepath.Join(path, idFile)
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read id of data dir: %w", err)
	}
	id := strings.TrimSpace(string(b))
	if _, err := hex.DecodeString(id); err != nil || len(id) != 6 {
		return "", fmt.Errorf("%s is damaged: %q is not six hex digits", file, id)
	}
	return id, nil
}

// dataDirID reads the id and makes it at the first start.
func dataDirID(path string) (string, error) {
	id, err := readID(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	var raw [3]byte
	_, _ = rand.Read(raw[:])
	id = hex.EncodeToString(raw[:])
	return id, writeFile(filepath.Join(path, idFile), []byte(id+"\n"), 0o600)
}

// writeFile replaces a file at once.
func writeFile(file string, content []byte, mode fs.FileMode) error {
	tmp := file + ".new"
	if err := os.WriteFile(tmp, content, mode); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(tmp, file); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// Access is what `hardstand env` prints: how to reach the server and the key of the
// account root.
type Access struct {
	Endpoint, Region, Account    string
	AccessKeyID, SecretAccessKey string
	CABundle                     string
}

const (
	accessFile  = "access"
	accessTable = "app.access"
)

// keepAccess writes the access sealed into the data dir, for ReadAccess.
func (d *dataDir) keepAccess(sealer *store.Sealer, a Access) error {
	plain, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode access: %w", err)
	}
	sealed, err := sealer.Seal(accessTable, accessFile, plain)
	if err != nil {
		return fmt.Errorf("seal access: %w", err)
	}
	return writeFile(d.join(accessFile), sealed, 0o600)
}

// ReadAccess returns what a server that was started on dir wrote there.
func ReadAccess(dir string) (Access, error) {
	var a Access
	sealed, err := os.ReadFile(filepath.Join(dir, accessFile))
	if errors.Is(err, fs.ErrNotExist) {
		return a, &Refusal{Cause: "no server has been started on the data dir " + dir, Remedy: "start one with `hardstand serve`, or name its data dir with --data-dir"}
	}
	if errors.Is(err, fs.ErrPermission) {
		return a, &Refusal{Cause: "the data dir " + dir + " belongs to another user", Remedy: "ask as that user, or as root: eval \"$(sudo hardstand env --data-dir " + quote(dir) + ")\"", Err: err}
	}
	if err != nil {
		return a, fmt.Errorf("read access: %w", err)
	}
	sealer, err := store.OpenSealer(dir)
	if err != nil {
		return a, err
	}
	plain, err := sealer.Open(accessTable, accessFile, sealed)
	if err != nil {
		return a, fmt.Errorf("open %s: %w", filepath.Join(dir, accessFile), err)
	}
	if err := json.Unmarshal(plain, &a); err != nil {
		return a, fmt.Errorf("decode access: %w", err)
	}
	return a, nil
}
