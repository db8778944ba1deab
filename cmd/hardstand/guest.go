package main

import (
	"embed"
	"errors"
	"fmt"
	"io"

	"github.com/hardstand/hardstand/internal/guest"
)

// guestbin holds the guest binary after `make build`. The directory always
// exists, so that a plain `go build` works too and says at start what is missing.
//
//go:embed guestbin
var guestbin embed.FS

// guestBinary returns the static program that runs inside instances.
func guestBinary() (guest.Program, error) {
	f, err := guestbin.Open("guestbin/hardstand-guest")
	if err != nil {
		return guest.Program{}, errors.New("this hardstand was built without its guest binary: build it with `make build`")
	}
	info, err := f.Stat()
	if err != nil {
		return guest.Program{}, fmt.Errorf("read the guest binary: %w", err)
	}
	r, ok := f.(io.ReaderAt)
	if !ok {
		return guest.Program{}, errors.New("read the guest binary: embedded files cannot be read at an offset")
	}
	return guest.OpenProgram(r, info.Size())
}
