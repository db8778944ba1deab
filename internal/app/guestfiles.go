package app

import (
	"net/http"

	"github.com/hardstand/hardstand/internal/instance/imds"
)

// digestsFile is where the package shims of an instance look for the digests of
// hardstand's own packages.
const digestsFile = "/usr/lib/hardstand/digests.json"

// signerCAFile is where the agent looks for the authority that certifies the
// signers of deployment specifications.
const signerCAFile = "/etc/codedeploy-agent/conf/deployment-signer-ca.pem"

// guestFiles are laid into every image.
func (w *world) guestFiles() (map[string][]byte, error) {
	digests, err := w.agents.digests()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{signerCAFile: w.s.ca.PEM(), digestsFile: digests}, nil
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
