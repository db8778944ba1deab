package awscli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

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
type task struct {
	from, to location
	size     int64
	modified time.Time
}

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

func (c *call) deleteObject(ctx context.Context, at location) error {
	resp, err := c.s3Request(ctx, "DeleteObject", http.MethodDelete, at, nil, nil, nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// runRemove is `aws s3 rm`.
func runRemove(ctx context.Context, c *call) error {
	if len(c.args) != 1 {
		return &usageError{"aws: error: the following arguments are required: paths"}
	}
	at, err := parseLocation(c.args[0])
	if err != nil {
		return err
	}
	if !at.isS3() {
		return &usageError{"usage: aws s3 rm <S3Uri>\nError: Invalid argument type"}
	}
	keys := []string{at.key}
	if c.has("recursive") {
		keys = nil
		err := c.list(ctx, at.bucket, at.key, "", func(l listing) error {
			for _, o := range l.Contents {
				if c.wanted(strings.TrimPrefix(o.Key, directory(at.key))) {
					keys = append(keys, o.Key)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return c.removeAll(ctx, at.bucket, keys)
}

func (c *call) removeAll(ctx context.Context, bucket string, keys []string) error {
	failed := 0
	for _, key := range keys {
		at := location{bucket: bucket, key: key}
		switch {
		case c.has("dryrun"):
			fmt.Fprintf(c.cli.Stdout, "(dryrun) delete: %s\n", at)
			continue
		default:
			if err := c.deleteObject(ctx, at); err != nil {
				failed++
				fmt.Fprintf(c.cli.Stderr, "delete failed: %s %v\n", at, err)
				continue
			}
		}
		if !c.has("quiet") && !c.has("only-show-errors") {
			fmt.Fprintf(c.cli.Stdout, "delete: %s\n", at)
		}
	}
	if failed > 0 {
		return &transferError{failed}
	}
	return nil
}

// directory is a prefix that ends in a slash, unless it is empty.
func directory(prefix string) string {
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return prefix
	}
	return prefix + "/"
}

// wanted applies --exclude and --include to a path relative to the tree. The CLI
// applies them in the order given; the parser keeps that order only within each,
// so a line with both is applied as exclude first, which is how it is written in
// practice.
func (c *call) wanted(rel string) bool {
	ok := true
	for _, pattern := range c.options["exclude"] {
		ok = ok && !matches(pattern, rel)
	}
	for _, pattern := range c.options["include"] {
		ok = ok || matches(pattern, rel)
	}
	return ok
}

// matches is the CLI's pattern: * runs over slashes.
func matches(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	switch pattern[0] {
	case '*':
		for i := 0; i <= len(name); i++ {
			if matches(pattern[1:], name[i:]) {
				return true
			}
		}
		return false
	case '?':
		return name != "" && matches(pattern[1:], name[1:])
	case '[':
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	}
	return name != "" && pattern[0] == name[0] && matches(pattern[1:], name[1:])
}

// entry is one file of a tree, by its path relative to it.
type entry struct {
	size     int64
	modified time.Time
}

// transferTree is --recursive, and sync, which leaves out what is the same.
func (c *call) transferTree(ctx context.Context, from, to location) error {
	source, err := c.tree(ctx, from)
	if err != nil {
		return err
	}
	target := map[string]entry{}
	if c.command == "sync" {
		if target, err = c.tree(ctx, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	var tasks []task
	for _, rel := range sortedKeys(source) {
		if !c.wanted(rel) || c.command == "sync" && c.same(source[rel], target, rel) {
			continue
		}
		tasks = append(tasks, task{from: join(from, rel), to: join(to, rel)})
	}
	failure := c.transferAll(ctx, tasks)
	if !c.has("delete") {
		return failure
	}
	return errors.Join(failure, c.deleteExtra(ctx, to, source, target))
}

func (c *call) deleteExtra(ctx context.Context, to location, source, target map[string]entry) error {
	var keys []string
	for _, rel := range sortedKeys(target) {
		if _, ok := source[rel]; ok || !c.wanted(rel) {
			continue
		}
		at := join(to, rel)
		if to.isS3() {
			keys = append(keys, at.key)
			continue
		}
		if err := os.Remove(at.path); err != nil {
			return err
		}
		fmt.Fprintf(c.cli.Stdout, "delete: %s\n", shown(at))
	}
	return c.removeAll(ctx, to.bucket, keys)
}

// same is sync's test: equal size, and the source not newer.
func (c *call) same(s entry, target map[string]entry, rel string) bool {
	t, ok := target[rel]
	if !ok || s.size != t.size {
		return false
	}
	return c.has("size-only") || !s.modified.After(t.modified)
}

func join(base location, rel string) location {
	if base.isS3() {
		base.key = directory(base.key) + rel
		return base
	}
	base.path = filepath.Join(base.path, filepath.FromSlash(rel))
	return base
}

// tree lists the files under at, by relative path.
func (c *call) tree(ctx context.Context, at location) (map[string]entry, error) {
	files := map[string]entry{}
	if at.isS3() {
		prefix := directory(at.key)
		err := c.list(ctx, at.bucket, prefix, "", func(l listing) error {
			for _, o := range l.Contents {
				rel := strings.TrimPrefix(o.Key, prefix)
				// Keys that end in a slash stand for directories; one that climbs out
				// of the target must not be written.
				if rel == "" || strings.HasSuffix(rel, "/") {
					continue
				}
				if !filepath.IsLocal(filepath.FromSlash(rel)) {
					return fmt.Errorf("key %q leads out of the target directory", o.Key)
				}
				files[rel] = entry{o.Size, o.LastModified}
			}
			return nil
		})
		return files, err
	}
	err := filepath.WalkDir(at.path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(p)
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(at.path, p)
		files[filepath.ToSlash(rel)] = entry{info.Size(), info.ModTime()}
		return err
	})
	return files, err
}
