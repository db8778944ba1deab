package unpack

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// tar reads a tar file, compressed with gzip or not.
func (w *writer) tar(file string, compressed bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = bufio.NewReaderSize(f, 1<<16)
	if compressed {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("not a gzip file: %w", err)
		}
		in = z
	}
	r := tar.NewReader(in)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			if w.members == 0 {
				return errors.New("the archive is empty")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("not a tar archive: %w", err)
		}
		if err := w.tarMember(h, r); err != nil {
			return err
		}
	}
}

func (w *writer) tarMember(h *tar.Header, r io.Reader) error {
	name, err := w.clean(h.Name)
	if err != nil {
		return err
	}
	m := member{name: name, mode: h.FileInfo().Mode(), mtime: h.ModTime}
	switch {
	case h.Typeflag == tar.TypeXGlobalHeader:
		return nil // git archive writes one; it holds a commit id
	case h.Typeflag == tar.TypeDir:
		return w.directory(m)
	case name == "":
		return fmt.Errorf("member %q has no name", h.Name)
	case h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse:
		if err := w.fits(h.Name, uint64(max(h.Size, 0))); err != nil {
			return err
		}
		return w.file(m, r)
	case h.Typeflag == tar.TypeSymlink:
		return w.symlink(m, h.Linkname)
	case h.Typeflag == tar.TypeLink:
		return w.hardlink(m, h.Linkname)
	}
	return fmt.Errorf("member %q is neither a file, a directory nor a link (type %q)", h.Name, h.Typeflag)
}

// maxLink bounds the text of a symbolic link in a zip file.
const maxLink = 4096

// zip reads a zip file.
func (w *writer) zip(file string) error {
	r, err := zip.OpenReader(file)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return fmt.Errorf("not a zip archive: %w", err)
	}
	defer r.Close()
	if len(r.File) == 0 {
		return errors.New("the archive is empty")
	}
	for _, f := range r.File {
		if err := w.zipMember(f); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) zipMember(f *zip.File) error {
	name, err := w.clean(f.Name)
	if err != nil {
		return err
	}
	mode := f.Mode()
	m := member{name: name, mode: mode, mtime: f.Modified}
	if mode.IsDir() {
		return w.directory(m)
	}
	if name == "" {
		return fmt.Errorf("member %q has no name", f.Name)
	}
	if err := w.fits(f.Name, f.UncompressedSize64); err != nil {
		return err
	}
	if mode.Perm() == 0 && f.CreatorVersion>>8 == 0 {
		m.mode = 0o644 // made on DOS, which knows no permission bits
	}
	content, err := f.Open()
	if err != nil {
		return fmt.Errorf("member %q: %w", f.Name, err)
	}
	defer content.Close()
	switch {
	case mode.IsRegular():
		return w.file(m, content)
	case mode&fs.ModeSymlink != 0:
		target, err := io.ReadAll(io.LimitReader(content, maxLink+1))
		if err != nil || len(target) > maxLink {
			return fmt.Errorf("symbolic link %q cannot be read", f.Name)
		}
		return w.symlink(m, string(target))
	}
	return fmt.Errorf("member %q is neither a file, a directory nor a link (%s)", f.Name, mode)
}
