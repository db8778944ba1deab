package main

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
)

// guestbin holds the guest binary after `make build`. The directory always
// exists, so that a plain `go build` works too and says at start what is missing.
//
//go:embed guestbin
var guestbin embed.FS

const guestName = "hardstand-guest"

// guestBinary returns the static program that runs inside instances.
func guestBinary() (guest.Program, error) {
	p, err := openGuest(guestName)
	if errors.Is(err, fs.ErrNotExist) {
		return guest.Program{}, errors.New("this hardstand was built without its guest binary: build it with `make build`")
	}
	return p, err
}

// otherGuests returns those for other architectures that `make agent` has made, by
// GOARCH.
func otherGuests() (map[string]guest.Program, error) {
	files, err := fs.Glob(guestbin, "guestbin/"+guestName+"-*")
	if err != nil {
		return nil, err
	}
	out := map[string]guest.Program{}
	for _, f := range files {
		arch := strings.TrimPrefix(f, "guestbin/"+guestName+"-")
		if arch == runtime.GOARCH {
			continue
		}
		if out[arch], err = openGuest(guestName + "-" + arch); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func openGuest(name string) (guest.Program, error) {
	f, err := guestbin.Open("guestbin/" + name)
	if err != nil {
		return guest.Program{}, err
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
