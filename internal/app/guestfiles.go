package app

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/hardstand/hardstand/internal/agent/config"
	"github.com/hardstand/hardstand/internal/agent/dist"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/instance/imds"
	"github.com/hardstand/hardstand/internal/service/s3"
)

// agentVersion is what hardstand's agent calls itself: the official release whose
// contract it follows, and whose it is.
const agentVersion = "OFFICIAL_2.1.0_hardstand"

// guestFiles are laid into every image: the authority that certifies the signers of
// deployment specifications, and the digests by which the package shims know
// hardstand's own packages.
func (w *world) guestFiles() (map[string][]byte, error) {
	digests, err := w.dist.Digests()
	if err != nil {
		return nil, err
	}
	list, err := json.Marshal(digests)
	if err != nil {
		return nil, fmt.Errorf("encode digests: %w", err)
	}
	return map[string][]byte{
		config.DefaultSignerCA: w.s.ca.PEM(),
		guest.DigestFiles[1]:   append(list, '\n'),
	}, nil
}

// openDist makes the agent's packages from the guest binary.
func (w *world) openDist() {
	w.dist = dist.New(dist.Config{
		Binary:  func() ([]byte, error) { return w.s.cfg.Guest, nil },
		Version: agentVersion, CacheDir: w.s.dir.join("dist"),
	})
}

// published are the buckets aws-codedeploy-<region>.
type published struct{ dist *dist.Dist }

func (published) Region(bucket string) (string, bool) { return dist.Region(bucket) }

func (p published) Objects(string) ([]s3.PublishedObject, error) {
	objects, err := p.dist.Objects()
	if err != nil {
		return nil, err
	}
	out := make([]s3.PublishedObject, 0, len(objects))
	for _, o := range objects {
		out = append(out, s3.PublishedObject{Key: o.Key, ContentType: o.ContentType, Size: o.Size, ETag: o.ETag, Read: o.Read})
	}
	return out, nil
}

// metadata is the metadata service of all instances.
func (w *world) metadata() (http.Handler, error) {
	key, err := w.s.tokenKey()
	if err != nil {
		return nil, err
	}
	return imds.New(imds.Config{
		Source: instanceMetadata{w}, Clock: w.s.cfg.Clock, TokenKey: key, Signer: w.s.identitySigner, Log: w.s.cfg.Log,
	}), nil
}
