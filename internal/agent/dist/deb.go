package dist

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// buildDeb writes the tree as a deb: an ar archive of the format's version, the
// control files and the data (deb(5)).
func buildDeb(tree []entry, m meta) ([]byte, error) {
	data, err := tarball(withParents(tree))
	if err != nil {
		return nil, err
	}
	control, err := tarball(controlFiles(tree, m))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, part := range []struct {
		name string
		body []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", control}, {"data.tar.gz", data}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", part.name, built.Unix(), 0, 0, "100644", len(part.body))
		out.Write(part.body)
		if len(part.body)%2 != 0 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

func controlFiles(tree []entry, m meta) []entry {
	var size int
	var sums, conf strings.Builder
	for _, e := range tree {
		if !e.mode.IsRegular() {
			continue
		}
		size += len(e.body)
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(e.body), strings.TrimPrefix(e.path, "/"))
		if e.config {
			conf.WriteString(e.path + "\n")
		}
	}
	control := fmt.Sprintf(`Package: %s
Version: %s
Architecture: %s
Maintainer: hardstand <%s>
Installed-Size: %d
Section: admin
Priority: optional
Homepage: %s
Description: %s
 %s
`, packageName, m.version, m.arch, homepage, (size+1023)/1024, homepage, summary, description)
	return []entry{
		{path: "/conffiles", mode: 0o644, body: []byte(conf.String())},
		{path: "/control", mode: 0o644, body: []byte(control)},
		{path: "/md5sums", mode: 0o644, body: []byte(sums.String())},
		{path: "/postinst", mode: 0o755, body: []byte("#!/bin/sh\n" + postinst)},
		{path: "/prerm", mode: 0o755, body: []byte("#!/bin/sh\n" + prerm)},
	}
}

// withParents adds the directories that dpkg wants to see before their files.
func withParents(tree []entry) []entry {
	var out []entry
	seen := map[string]bool{"/": true}
	var add func(dir string)
	add = func(dir string) {
		if seen[dir] {
			return
		}
		seen[dir] = true
		add(path.Dir(dir))
		out = append(out, entry{path: dir, mode: fs.ModeDir | 0o755})
	}
	for _, e := range tree {
		add(path.Dir(e.path))
		if e.mode.IsDir() {
			add(e.path)
			continue
		}
		out = append(out, e)
	}
	return out
}

// tarball packs entries as ./path, owned by root, in a gzip that stores.
func tarball(entries []entry) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.NoCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{
			Name: "." + e.path, Mode: int64(e.mode.Perm()), Size: int64(len(e.body)), Typeflag: tar.TypeReg,
			ModTime: built, Uname: "root", Gname: "root", Format: tar.FormatGNU,
		}
		switch {
		case e.mode.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		case e.mode&fs.ModeSymlink != 0:
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
