package app

import (
	"net/http"

	"github.com/hardstand/hardstand/internal/agent/config"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/instance/imds"
)

// guestFiles are laid into every image: the authority that certifies the signers of
// deployment specifications, and the digests by which the package shims know
// hardstand's own packages. It runs in the background of a start: making the
// packages takes a hundred megabytes for a moment, which go back at once.
func (w *world) guestFiles() (map[string][]byte, error) {
	digests, err := w.agents.digests()
	w.s.giveBack()
	if err != nil {
		return nil, err
	}
	files := guest.Units()
	files[config.DefaultSignerCA], files[guest.DigestFiles[1]] = w.s.ca.PEM(), digests
	return files, nil
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
