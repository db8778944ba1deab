package dist

import (
	"bytes"
	"io/fs"

	"github.com/google/rpmpack"
)

// buildRPM writes the tree as an rpm. The payload is stored in its gzip, not
// compressed: the packages are made when a server starts and are fetched from the
// same machine.
func buildRPM(tree []entry, m meta) ([]byte, error) {
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{
		Name: packageName, Version: m.version, Release: "1", Arch: machine(m.arch), Epoch: rpmpack.NoEpoch,
		Summary: summary, Description: description, URL: homepage, Licence: "Apache-2.0", Vendor: "hardstand",
		BuildHost: "hardstand", BuildTime: built, Compressor: "gzip:0",
	})
	if err != nil {
		return nil, err
	}
	for _, e := range tree {
		f := rpmpack.RPMFile{
			Name: e.path, Body: e.body, Mode: uint(e.mode.Perm()), Owner: "root", Group: "root", MTime: uint32(built.Unix()),
		}
		switch {
		case e.mode.IsDir():
			f.Mode |= 0o40000
		case e.mode&fs.ModeSymlink != 0:
			f.Mode, f.Body = f.Mode|0o120000, []byte(e.link)
		case e.config:
			f.Type = rpmpack.ConfigFile | rpmpack.NoReplaceFile
		}
		r.AddFile(f)
	}
	r.AddPostin(postinst)
	r.AddPreun(prerm)
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
