package cfn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
			return said("Failed to write %s: %w", path, err)
		}
		if changed {
			b.changed.files[path] = true
			b.info("File %s written", path)
		}
	}
	return nil
}

func (b *build) file(path string, m map[string]any) (changed bool, err error) {
	content, err := b.fileContent(m)
	if err != nil {
		return false, err
	}
	full := b.Root.Path(path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return false, err
	}
	mode, _ := m["mode"].(string)
	// 12 is the file type of a link in a mode as stat(2) has it.
	if len(mode) >= 2 && strings.HasPrefix(mode, "12") && len(mode) > 4 {
		return b.link(full, strings.TrimSpace(string(content)))
	}
	perm := os.FileMode(0o644)
	if mode != "" {
		if perm, err = guest.ParseMode(mode[max(0, len(mode)-4):]); err != nil {
			return false, err
		}
	}
	old, err := os.ReadFile(full)
	exists := err == nil
	if exists && bytes.Equal(old, content) {
		return false, errors.Join(os.Chmod(full, perm), b.own(full, m))
	}
	if exists {
		if err := os.Rename(full, full+".bak"); err != nil {
			return false, err
		}
	}
	if err := os.WriteFile(full, content, 0o600); err != nil {
		return false, err
	}
	// Owner first: changing it clears the set-id bits.
	return true, errors.Join(b.own(full, m), os.Chmod(full, perm))
}

func (b *build) link(full, target string) (bool, error) {
	if old, err := os.Readlink(full); err == nil && old == target {
		return false, nil
	}
	if _, err := os.Lstat(full); err == nil {
		if err := os.Rename(full, full+".bak"); err != nil {
			return false, err
		}
	}
	return true, os.Symlink(target, full)
}

func (b *build) own(full string, m map[string]any) error {
	uid, gid := -1, -1
	if name, ok := m["owner"].(string); ok {
		u, err := accounts.LookupUser(b.Root, name)
		if err != nil {
			return err
		}
		uid = u.UID
	}
	if name, ok := m["group"].(string); ok {
		g, err := accounts.LookupGroup(b.Root, name)
		if err != nil {
			return err
		}
		gid = g.GID
	}
	if uid < 0 && gid < 0 {
		return nil
	}
	return os.Lchown(full, uid, gid)
}

func (b *build) fileContent(m map[string]any) ([]byte, error) {
	var content []byte
	switch v := m["content"].(type) {
	case nil:
		source, _ := m["source"].(string)
		if source == "" {
			return nil, said("File specified without source or content")
		}
		name, _ := m["authentication"].(string)
		from, err := b.auth.open(source, name)
		if err != nil {
			return nil, err
		}
		defer from.Close()
		if content, err = io.ReadAll(from); err != nil {
			return nil, err
		}
	case string:
		content = []byte(v)
		if m["encoding"] == "base64" {
			plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), ""))
			if err != nil {
				return nil, fmt.Errorf("content is not base64: %w", err)
			}
			content = plain
		} else if e := m["encoding"]; e != nil && e != "plain" {
			return nil, fmt.Errorf("unknown encoding %v", e)
		}
	default:
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "    ")
		if err := enc.Encode(v); err != nil {
			return nil, err
		}
		content = bytes.TrimRight(buf.Bytes(), "\n")
	}
	if context, ok := m["context"].(map[string]any); ok {
		return mustache(string(content), context)
	}
	return content, nil
}

// mustache puts values into {{name}}, escaped for HTML, and into {{{name}}} and
// {{&name}} as they are, as Mustache has it. Sections and partials are refused.
func mustache(text string, context map[string]any) ([]byte, error) {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{{")
		out.WriteString(before)
		if !ok {
			return []byte(out.String()), nil
		}
		closing, raw := "}}", false
		if strings.HasPrefix(rest, "{") {
			rest, closing, raw = rest[1:], "}}}", true
		}
		tag, after, ok := strings.Cut(rest, closing)
		if !ok {
			return nil, errors.New("context: {{ without }}")
		}
		tag = strings.TrimSpace(tag)
		if strings.HasPrefix(tag, "&") {
			tag, raw = strings.TrimSpace(tag[1:]), true
		}
		if tag == "" || strings.ContainsAny(tag[:1], "#^/>=") {
			return nil, fmt.Errorf("context: {{%s}}: hardstand supports variables only", tag)
		}
		if tag[0] != '!' {
			value := lookup(context, tag)
			if !raw {
				value = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(value)
			}
			out.WriteString(value)
		}
		text = after
	}
}

func lookup(context map[string]any, name string) string {
	if v, ok := context[name]; ok {
		return fmt.Sprint(v)
	}
	var value any = context
	for part := range strings.SplitSeq(name, ".") {
		m, _ := value.(map[string]any)
		v, ok := m[part]
		if !ok {
			return ""
		}
		value = v
	}
	return fmt.Sprint(value)
}
