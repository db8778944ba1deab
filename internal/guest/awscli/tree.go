package awscli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

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
		if !c.wanted(rel) || c.command == "sync" && c.same(source[rel], target, rel, from.isS3() && !to.isS3()) {
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
		if c.has("dryrun") {
			fmt.Fprintf(c.cli.Stdout, "(dryrun) delete: %s\n", shown(at))
			continue
		}
		if err := os.Remove(at.path); err != nil {
			return err
		}
		if !c.has("quiet") && !c.has("only-show-errors") {
			fmt.Fprintf(c.cli.Stdout, "delete: %s\n", shown(at))
		}
	}
	return c.removeAll(ctx, to.bucket, keys)
}

// same is sync's test: equal size, and the source not newer, or for downloads with
// --exact-timestamps as old.
func (c *call) same(s entry, target map[string]entry, rel string, downloads bool) bool {
	t, ok := target[rel]
	switch {
	case !ok || s.size != t.size:
		return false
	case c.has("exact-timestamps") && downloads && !c.has("size-only"):
		return s.modified.Truncate(time.Second).Equal(t.modified.Truncate(time.Second))
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
		if err != nil || d.IsDir() || c.has("no-follow-symlinks") && d.Type()&fs.ModeSymlink != 0 {
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
