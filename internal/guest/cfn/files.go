package cfn

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// files runs the files section.
func (b *build) files(section map[string]any) error {
	for _, path := range sorted(section) {
		m, ok := section[path].(map[string]any)
		if !ok {
			return said("File %s is not an object", path)
		}
		if !filepath.IsAbs(path) {
			return said("File specified with non-absolute path: %s", path)
		}
		changed, err := b.file(path, m)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if changed {
			b.changed.note("files", path)
			b.debug("Wrote %s", path)
		}
	}
	return nil
}

// linkType is the file type of a symbolic link in a mode as stat(2) has it, and
// typeMask covers the types.
const (
	linkType = 0o120000
	typeMask = 0o170000
)

func (b *build) file(path string, m map[string]any) (changed bool, err error) {
	mode, err := fileMode(m["mode"])
	if err != nil {
		return false, err
	}
	full := b.Root.Path(path)
	parent := filepath.Dir(full)
	if info, err := os.Stat(parent); err == nil && !info.IsDir() {
		return false, said("Parent directory %s exists and is a file", filepath.Dir(path))
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return false, err
	}
	perm := os.FileMode(0o644)
	if mode >= 0 {
		if perm, err = guest.ParseMode(strconv.FormatInt(int64(mode)&0o7777, 8)); err != nil {
			return false, err
		}
	}
	if mode >= 0 && mode&typeMask == linkType {
		target, ok := m["content"].(string)
		if !ok {
			return false, said("Symbolic link specified without a destination")
		}
		return b.link(full, strings.TrimSpace(target), perm, m)
	}
	content, err := b.fileContent(m)
	if err != nil {
		return false, err
	}
	old, err := os.ReadFile(full)
	exists := err == nil
	if exists && bytes.Equal(old, content) && !isLink(full) {
		return false, errors.Join(b.own(full, m), os.Chmod(full, perm))
	}
	if err := setAside(full); err != nil {
		return false, err
	}
	if err := os.WriteFile(full, content, 0o600); err != nil {
		return false, err
	}
	// Owner first: changing it clears the set-id bits.
	return true, errors.Join(b.own(full, m), os.Chmod(full, perm))
}

// fileMode reads a mode, -1 where there is none.
func fileMode(v any) (int, error) {
	if v == nil || v == "" {
		return -1, nil
	}
	n, err := strconv.ParseUint(fmt.Sprint(v), 8, 18)
	if err != nil {
		return 0, said("invalid literal for int() with base 8: '%v'", v)
	}
	return int(n), nil
}

func isLink(full string) bool {
	info, err := os.Lstat(full)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// setAside keeps what lies at full, if anything does, as .bak.
func setAside(full string) error {
	if err := os.Rename(full, full+".bak"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return said("Could not rename %s: %w", full, err)
	}
	return nil
}

// link makes a symbolic link. The permissions of its mode are those of its target.
func (b *build) link(full, target string, perm os.FileMode, m map[string]any) (bool, error) {
	if old, err := os.Readlink(full); err == nil && old == target {
		b.info("Symbolic link %s already exists", full)
		return false, nil
	}
	if err := setAside(full); err != nil {
		return false, err
	}
	if err := os.Symlink(target, full); err != nil {
		return false, err
	}
	if err := os.Chmod(full, perm); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return true, b.own(full, m)
}

func (b *build) own(full string, m map[string]any) error {
	uid, gid := -1, -1
	if name, ok := m["owner"].(string); ok && name != "" {
		u, err := accounts.LookupUser(b.Root, name)
		if err != nil {
			return said("%s is not a valid user name", name)
		}
		uid = u.UID
	}
	if name, ok := m["group"].(string); ok && name != "" {
		g, err := accounts.LookupGroup(b.Root, name)
		if err != nil {
			return said("%s is not a valid group name", name)
		}
		gid = g.GID
	}
	if uid < 0 && gid < 0 {
		return nil
	}
	return os.Lchown(full, uid, gid)
}

// fileContent is what a file is to hold. Only text, and what is downloaded, is a
// template.
func (b *build) fileContent(m map[string]any) ([]byte, error) {
	context, isTemplate := m["context"].(map[string]any)
	switch v := m["content"].(type) {
	case nil:
	case string:
		switch e := m["encoding"]; {
		case v == "":
		case e == "base64":
			plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), ""))
			if err != nil {
				return nil, said("Malformed base64: %s", v)
			}
			return plain, nil
		case e != nil && e != "plain":
			return nil, fmt.Errorf("unknown encoding %v", e)
		case isTemplate:
			return mustache(v, context)
		default:
			return []byte(v), nil
		}
	default:
		return []byte(toJSON(v, "")), nil
	}
	source, _ := m["source"].(string)
	if source == "" {
		if _, empty := m["content"].(string); empty {
			return nil, nil
		}
		return nil, said("File specified without source or content")
	}
	name, _ := m["authentication"].(string)
	content, err := b.download(source, name)
	if err == nil && isTemplate {
		return mustache(string(content), context)
	}
	return content, err
}

func (b *build) download(source, authentication string) ([]byte, error) {
	from, err := b.auth.open(source, authentication)
	if err != nil {
		return nil, said("Failed to retrieve %s: %w", source, err)
	}
	defer from.Close()
	return io.ReadAll(from)
}
