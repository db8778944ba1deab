package cfn

import (
	"context"
	"fmt"
	"strings"
)

// GetMetadata is cfn-get-metadata.
func (h *Helper) GetMetadata(args []string) int {
	f, code, done := h.parseArgs("cfn-get-metadata", args, connection, resourceOptions, []option{
		{"key", "k", "KEY", "The value at a key of the metadata, as parent.child.leaf"},
	})
	if done {
		return code
	}
	if f.text("stack") == "" || f.text("resource") == "" {
		return h.wrong(f, "You must specify both a stack name and logical resource id")
	}
	metadata, err := h.fetch(context.Background(), f)
	if err != nil {
		return h.fail(err)
	}
	value := extract(metadata, f.text("key"))
	if falsy(value) {
		return h.fail(said("Error: %s is not present in the metadata for %s", f.text("key"), f.text("resource")))
	}
	text, ok := value.(string)
	if !ok {
		text = toJSON(value, "    ")
	}
	fmt.Fprintln(h.Stdout, text)
	return 0
}

// extract returns what lies at a path of keys joined by dots, or nil. A dot that is
// part of a key has a backslash before it.
func extract(value any, path string) any {
	if path == "" {
		return value
	}
	const dot = "\x00"
	for part := range strings.SplitSeq(strings.ReplaceAll(path, `\.`, dot), ".") {
		m, _ := value.(map[string]any)
		v, ok := m[strings.ReplaceAll(part, dot, ".")]
		if !ok {
			return nil
		}
		value = v
	}
	return value
}

// fetch returns the metadata of the resource that the command line names.
func (h *Helper) fetch(ctx context.Context, f *flags) (map[string]any, error) {
	s, err := h.connect(ctx, f)
	if err != nil {
		return nil, err
	}
	r, err := s.describe(ctx, f.text("stack"), f.text("resource"))
	if err != nil {
		return nil, err
	}
	if len(r.metadata) == 0 {
		return nil, said("Error: %s does not specify any metadata", f.text("resource"))
	}
	return r.metadata, nil
}
