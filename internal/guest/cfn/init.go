package cfn

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	initKey = "AWS::CloudFormation::Init"
	authKey = "AWS::CloudFormation::Authentication"

	// metadataFile is where the metadata of the last run lies.
	metadataFile = "/var/lib/cfn-init/data/metadata.json"
)

// Init is cfn-init: it brings the instance into the state that the resource's
// metadata describes.
func (h *Helper) Init(args []string) int {
	f, code, done := h.parseArgs("cfn-init", args, connection, resourceOptions, []option{
		{"configsets", "c", "CONFIGSETS", "The configSets to run, by commas (default: default)"},
		{"resume", "", "", "Go on where an earlier run was interrupted"},
	})
	if done {
		return code
	}
	l, err := h.newLogs(f.has("verbose"))
	if err != nil {
		return h.fail(err)
	}
	defer l.close()
	ctx := context.Background()
	if f.has("resume") {
		return l.resume(ctx, f)
	}
	if len(f.args) == 0 && (f.text("stack") == "" || f.text("resource") == "") {
		return h.wrong(f, "You must specify both a stack name and logical resource id")
	}
	metadata, err := h.initMetadata(ctx, f)
	if err != nil {
		return h.fail(err)
	}
	if err := writePrivate(h.Root.Path(metadataFile), toJSON(metadata, "    ")); err != nil {
		l.logf("ERROR", "Could not write %s to store metadata: %v", metadataFile, err)
		return h.fail(err)
	}
	configs, _ := metadata[initKey].(map[string]any)
	if len(configs) == 0 {
		// As the original: not an error.
		fmt.Fprintf(h.Stderr, "Could not find '%s' key in metadata for %s.\n", initKey, f.text("resource"))
		return 0
	}
	sets := []string{"default"}
	if c := f.text("configsets"); c != "" {
		sets = strings.Split(c, ",")
	}
	return l.build(ctx, f, work{Metadata: metadata, Sets: sets})
}

// build does the work and tells how it went.
func (l *logs) build(ctx context.Context, f *flags, w work) int {
	l.info("%s", centred("Starting build"))
	b, err := l.newBuild(ctx, f, w)
	if err == nil {
		err = b.runAll()
	}
	if err != nil {
		l.logf("ERROR", "%s", centred("BUILD FAILED!"))
		l.logf("ERROR", "Unhandled exception during build: %v", err)
		fmt.Fprintf(l.Stderr, "Error occurred during build: %v\n", err)
		return 1
	}
	l.info("%s", centred("Build complete"))
	return 0
}

// initMetadata takes metadata from a file, from standard input or from the stack.
func (h *Helper) initMetadata(ctx context.Context, f *flags) (map[string]any, error) {
	if len(f.args) == 0 {
		return h.fetch(ctx, f)
	}
	from := h.Stdin
	if f.args[0] != "-" {
		file, err := os.Open(f.args[0])
		if err != nil {
			return nil, said("Error: Could not read metadata: %w", err)
		}
		defer file.Close()
		from = file
	}
	var metadata map[string]any
	if err := readJSON(io.LimitReader(from, 1<<24), &metadata); err != nil {
		return nil, said("Error: Could not parse metadata: %w", err)
	}
	return metadata, nil
}

// writePrivate writes a file that only its owner may read, in one step: metadata may
// hold what others must not see.
func writePrivate(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
