package cfn

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// sources runs the sources section: archives unpacked into directories.
func (b *build) sources(section map[string]any) error {
	for _, dir := range sorted(section) {
		source, ok := section[dir].(string)
		if !ok {
			return fmt.Errorf("source of %s is not a URL", dir)
		}
		if err := b.source(dir, source); err != nil {
			return err
		}
		b.changed.note("sources", dir)
		b.debug("Expanded %s into %s", source, dir)
	}
	return nil
}

func (b *build) source(dir, source string) error {
	archive, err := b.archive(source)
	if err != nil {
		return err
	}
	defer archive.Close()
	info, err := archive.Stat()
	if err != nil {
		return err
	}
	target := b.Root.Path(dir)
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer root.Close()
	x := extraction{root: root, accounts: b.Root, strip: isGitHub(source)}
	err = x.unpack(archive, info.Size())
	if errors.Is(err, errNoArchive) {
		return said("Unsupported source file (not zip or tarball): %s", source)
	}
	if err != nil {
		return fmt.Errorf("%s into %s: %w", source, dir, err)
	}
	return nil
}

// archive opens a file, or one that is downloaded and has no name.
func (b *build) archive(source string) (*os.File, error) {
	if !strings.Contains(source, "://") {
		f, err := os.Open(b.Root.Path(source))
		if err != nil {
			return nil, said("%s does not exist", source)
		}
		return f, nil
	}
	from, err := b.auth.open(source, "")
	if err != nil {
		return nil, said("Failed to retrieve %s: %w", source, err)
	}
	defer from.Close()
	f, err := os.CreateTemp("", "cfn-init-source-*")
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, io.LimitReader(from, maxArchive)); err != nil {
		err = said("Failed to retrieve %s: %w", source, err)
		return nil, errors.Join(err, os.Remove(f.Name()), f.Close())
	}
	return f, os.Remove(f.Name())
}

// isGitHub tells archives of GitHub, which have one folder around everything.
func isGitHub(source string) bool {
	u, err := url.Parse(source)
	if err != nil || u.Host != "github.com" && !strings.HasSuffix(u.Host, ".github.com") {
		return false
	}
	return strings.Contains(u.Path, "/zipball/") || strings.Contains(u.Path, "/tarball/")
}
