package awscli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/sign"
)

var (
	transferValues = []string{"exclude", "include", "acl", "content-type", "cache-control", "content-encoding",
		"content-disposition", "content-language", "storage-class", "sse", "source-region"}
	transferSwitches = []string{"recursive", "quiet", "only-show-errors", "no-progress", "dryrun", "delete", "size-only", "exact-timestamps",
		"no-guess-mime-type", "no-follow-symlinks", "follow-symlinks"}
)

// transferError says that something failed which has been printed.
type transferError struct{ failed int }

func (e *transferError) Error() string { return fmt.Sprintf("%d transfers failed", e.failed) }

// task is one file to be transferred.
type task struct{ from, to location }

// runTransfer is `aws s3 cp`, mv and sync.
func runTransfer(ctx context.Context, c *call) error {
	if len(c.args) != 2 {
		return &usageError{"aws: error: the following arguments are required: paths"}
	}
	from, err := parseLocation(c.args[0])
	if err != nil {
		return err
	}
	to, err := parseLocation(c.args[1])
	if err != nil {
		return err
	}
	if !from.isS3() && !to.isS3() {
		return &usageError{"usage: aws s3 " + c.command + " <LocalPath> <S3Uri> or <S3Uri> <LocalPath> or <S3Uri> <S3Uri>\nError: Invalid argument type"}
	}
	if c.has("delete") && c.command != "sync" {
		return &usageError{"Unknown options: --delete"}
	}
	if c.command == "sync" || c.has("recursive") {
		return c.transferTree(ctx, from, to)
	}
	if !from.isS3() && from.path != "-" {
		if info, err := os.Stat(from.path); err != nil {
			return &usageError{fmt.Sprintf("The user-provided path %s does not exist.", from.path)}
		} else if info.IsDir() {
			return errors.New("parameter validation failed: " + from.path + " is a directory: use --recursive")
		}
		if info, err := os.Lstat(from.path); err == nil && c.has("no-follow-symlinks") && info.Mode()&os.ModeSymlink != 0 {
			return nil // as the CLI, without a word
		}
	}
	return c.transferAll(ctx, []task{{from: from, to: singleTarget(from, to)}})
}

// singleTarget puts the file's name to a target that is a directory or a prefix.
func singleTarget(from, to location) location {
	name := path.Base(from.key)
	if !from.isS3() {
		name = filepath.Base(from.path)
	}
	switch {
	case to.isS3() && (to.key == "" || strings.HasSuffix(to.key, "/")):
		to.key += name
	case !to.isS3() && to.path != "-":
		info, err := os.Stat(to.path)
		if strings.HasSuffix(to.path, "/") || err == nil && info.IsDir() {
			to.path = filepath.Join(to.path, name)
		}
	}
	return to
}

func (c *call) transferAll(ctx context.Context, tasks []task) error {
	failed := 0
	for _, t := range tasks {
		if c.has("dryrun") {
			fmt.Fprintf(c.cli.Stdout, "(dryrun) %s: %s to %s\n", c.verb(t), t.from, shown(t.to))
			continue
		}
		if err := c.transfer(ctx, t); err != nil {
			failed++
			fmt.Fprintf(c.cli.Stderr, "%s failed: %s to %s %v\n", c.verb(t), shown(t.from), shown(t.to), err)
			continue
		}
		if t.to.path != "-" && !c.has("quiet") && !c.has("only-show-errors") {
			fmt.Fprintf(c.cli.Stdout, "%s: %s to %s\n", c.verb(t), shown(t.from), shown(t.to))
		}
	}
	if failed > 0 {
		return &transferError{failed}
	}
	return nil
}

// shown is how the CLI prints a location: paths relative, beginning with "./".
func shown(l location) string {
	if l.isS3() || filepath.IsAbs(l.path) || l.path == "-" {
		return l.String()
	}
	clean := filepath.Clean(l.path)
	if strings.HasPrefix(clean, "..") {
		return clean
	}
	return "./" + clean
}

func (c *call) verb(t task) string {
	switch {
	case c.command == "mv":
		return "move"
	case t.from.isS3() && t.to.isS3():
		return "copy"
	case t.to.isS3():
		return "upload"
	}
	return "download"
}

func (c *call) transfer(ctx context.Context, t task) error {
	var err error
	switch {
	case t.from.isS3() && t.to.isS3():
		err = c.copyObject(ctx, t)
	case t.to.isS3():
		err = c.upload(ctx, t)
	default:
		err = c.download(ctx, t)
	}
	if err != nil || c.command != "mv" {
		return err
	}
	if t.from.isS3() {
		return c.deleteObject(ctx, t.from)
	}
	return os.Remove(t.from.path)
}

// download writes the object to a file beside its target first, so that a broken
// transfer leaves no half a file under the name.
func (c *call) download(ctx context.Context, t task) error {
	resp, err := c.s3Request(ctx, "GetObject", http.MethodGet, t.from, nil, nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if t.to.path == "-" {
		_, err := io.Copy(c.cli.Stdout, resp.Body)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(t.to.path), 0o755); err != nil {
		return err
	}
	if info, err := os.Stat(t.to.path); err == nil && !info.Mode().IsRegular() {
		return saveTo(t.to.path, resp.Body) // a device or a pipe cannot be replaced
	}
	tmp, err := os.CreateTemp(filepath.Dir(t.to.path), "."+filepath.Base(t.to.path)+".*")
	if err != nil {
		return err
	}
	n, err := io.Copy(tmp, resp.Body)
	if err == nil && resp.ContentLength >= 0 && n != resp.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), t.to.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	if modified, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		return os.Chtimes(t.to.path, modified, modified)
	}
	return nil
}

func saveTo(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

func (c *call) upload(ctx context.Context, t task) error {
	var body io.ReadSeeker
	if t.from.path == "-" {
		content, err := io.ReadAll(c.cli.Stdin)
		if err != nil {
			return err
		}
		body = bytes.NewReader(content)
	} else {
		f, err := os.Open(t.from.path)
		if err != nil {
			return err
		}
		defer f.Close()
		body = f
	}
	header := c.objectHeader()
	if header.Get("Content-Type") == "" && !c.has("no-guess-mime-type") {
		if guess := mime.TypeByExtension(filepath.Ext(t.to.key)); guess != "" {
			header.Set("Content-Type", guess)
		}
	}
	resp, err := c.s3Request(ctx, "PutObject", http.MethodPut, t.to, nil, header, body)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// objectHeader makes the headers that the options ask for.
func (c *call) objectHeader() http.Header {
	h := http.Header{}
	for option, name := range map[string]string{"acl": "X-Amz-Acl", "content-type": "Content-Type", "cache-control": "Cache-Control",
		"content-encoding": "Content-Encoding", "content-disposition": "Content-Disposition", "content-language": "Content-Language",
		"storage-class": "X-Amz-Storage-Class", "sse": "X-Amz-Server-Side-Encryption"} {
		if v := c.value(option); v != "" {
			h.Set(name, v)
		}
	}
	return h
}

func (c *call) copyObject(ctx context.Context, t task) error {
	header := c.objectHeader()
	header.Set("X-Amz-Copy-Source", "/"+t.from.bucket+"/"+sign.Escape(t.from.key, true))
	resp, err := c.s3Request(ctx, "CopyObject", http.MethodPut, t.to, nil, header, nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
