package app

import (
	"net/http"

	"github.com/hardstand/hardstand/internal/instance/imds"
)

// signerCAFile is where the agent looks for the authority that certifies the
// signers of deployment specifications.
const signerCAFile = "/etc/codedeploy-agent/conf/deployment-signer-ca.pem"

// guestFiles are laid into every image.
func (w *world) guestFiles() map[string][]byte {
	return map[string][]byte{signerCAFile: w.s.ca.PEM()}
}

// metadata is the metadata service of all instances.
func (w *world) metadata() http.Handler {
	return imds.New(imds.Config{Source: instanceMetadata{w}, Clock: w.s.cfg.Clock, Log: w.s.cfg.Log})
}
