package main

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/app"
)

// fsckCommand is `hardstand fsck`.
type fsckCommand struct {
	DataDir  string `env:"HARDSTAND_DATA_DIR" help:"The data dir, of a server that is stopped."`
	Database string `env:"HARDSTAND_DATABASE" help:"As serve has it."`
	Blob     string `env:"HARDSTAND_BLOB" help:"As serve has it."`
	Repair   bool   `help:"Mend what can be mended, and remove what is lost."`
}

// Run prints a line for each finding, and fails when some are left.
func (c fsckCommand) Run(ctx context.Context, to *console) error {
	n, err := app.Fsck(ctx, app.FsckConfig{DataDir: dataDir(c.DataDir), Database: c.Database, Blob: c.Blob, Repair: c.Repair}, to.out)
	if err == nil && n > 0 && !c.Repair {
		err = fmt.Errorf("%d findings; --repair does what each line says", n)
	}
	return err
}
