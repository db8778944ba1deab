package cfn

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// maxArchive bounds an archive, and what one unpacks to.
const maxArchive = 4 << 30

var errNoArchive = errors.New("not an archive")

// extraction writes an archive's members below root. Names that lead out of it
// are refused by os.Root, also through links.
type extraction struct {
	root     *os.Root
	accounts guest.Root // whose users and groups owners are
	strip    bool
	total    int64
}

func (x *extraction) unpack(f *os.File, size int64) error {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		r, err := zip.NewReader(f, size)
		if err != nil {
			return err
		}
		return x.zip(r)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		return x.tar(r)
	case bytes.HasPrefix(head, []byte("BZh")):
		return x.tar(bzip2.NewReader(f))
	}
	// Old tar files begin with no mark but a header whose sum is right.
	return x.tar(f)
}

// name is where a member goes; "" means that it is left out.
func (x *extraction) name(member string) string {
	member = strings.TrimPrefix(filepath.ToSlash(filepath.Clean(member)), "/")
	if x.strip {
		_, member, _ = strings.Cut(member, "/")
	}
	if member == "." {
		return ""
	}
	return member
}

func (x *extraction) zip(r *zip.Reader) error {
	for _, f := range r.File {
		name := x.name(f.Name)
		if name == "" {
			continue
		}
		if f.FileInfo().IsDir() {
			if err := x.root.MkdirAll(name, 0o755); err != nil {
				return err
			}
			continue
		}
		from, err := f.Open()
		if err != nil {
			return err
		}
		perm := f.Mode().Perm()
		if perm == 0 {
			perm = 0o644
		}
		if f.Mode()&os.ModeSymlink != 0 {
			err = x.linkFrom(name, from)
		} else {
			err = x.write(name, from, perm)
		}
		if err := errors.Join(err, from.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (x *extraction) linkFrom(name string, from io.Reader) error {
	target, err := io.ReadAll(io.LimitReader(from, 4096))
	if err != nil {
		return err
	}
	return x.link(name, string(target))
}

func (x *extraction) link(name, target string) error {
	if err := x.clear(name); err != nil {
		return err
	}
	return x.root.Symlink(target, name)
}

// clear makes room for a link, where an earlier run may have left one.
func (x *extraction) clear(name string) error {
	if err := x.parents(name); err != nil {
		return err
	}
	if err := x.root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (x *extraction) tar(from io.Reader) error {
	r := tar.NewReader(from)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errNoArchive, err)
		}
		name := x.name(h.Name)
		if name == "" {
			continue
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = x.root.MkdirAll(name, 0o755)
		case tar.TypeReg:
			err = x.write(name, r, os.FileMode(h.Mode).Perm())
		case tar.TypeSymlink:
			err = x.link(name, h.Linkname)
		case tar.TypeLink:
			if err = x.clear(name); err == nil {
				err = x.root.Link(x.name(h.Linkname), name)
			}
		}
		if err == nil {
			err = x.own(name, h)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// own gives a member to its owner: by name where the instance has one of that name,
// otherwise by number. Only root can.
func (x *extraction) own(name string, h *tar.Header) error {
	if os.Geteuid() != 0 || h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir && h.Typeflag != tar.TypeSymlink {
		return nil
	}
	uid, gid := h.Uid, h.Gid
	if u, err := accounts.LookupUser(x.accounts, h.Uname); err == nil {
		uid = u.UID
	}
	if g, err := accounts.LookupGroup(x.accounts, h.Gname); err == nil {
		gid = g.GID
	}
	return x.root.Lchown(name, uid, gid)
}

func (x *extraction) parents(name string) error {
	if dir := filepath.Dir(name); dir != "." {
		return x.root.MkdirAll(dir, 0o755)
	}
	return nil
}

func (x *extraction) write(name string, from io.Reader, perm os.FileMode) error {
	if err := x.parents(name); err != nil {
		return err
	}
	f, err := x.root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(from, maxArchive-x.total+1))
	x.total += n
	if x.total > maxArchive {
		err = errors.Join(err, fmt.Errorf("archive unpacks to more than %d bytes", int64(maxArchive)))
	}
	return errors.Join(err, f.Chmod(perm), f.Close())
}
