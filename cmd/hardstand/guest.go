package main

import (
	"embed"
	"fmt"
	"io/fs"
)

// guestbin holds the guest binary after `make build`. The directory always
// exists, so that a plain `go build` works too and says at start what is missing.
//
//go:embed guestbin
var guestbin embed.FS

// guestBinary returns the static program that runs inside instances.
func guestBinary() ([]byte, error) {
	b, err := fs.ReadFile(guestbin, "guestbin/hardstand-guest")
	if err != nil {
		return nil, fmt.Errorf("this hardstand was built without its guest binary: build it with `make build`")
	}
	return b, nil
}
