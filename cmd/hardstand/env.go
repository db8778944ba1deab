package main

import (
	"fmt"
	"os"

	"github.com/hardstand/hardstand/internal/app"
)

// envCommand is `hardstand env`: eval "$(sudo hardstand env)".
type envCommand struct {
	DataDir string `env:"HARDSTAND_DATA_DIR" help:"The server's data dir."`
}

// Run prints exports for a POSIX shell. Warnings go to standard error, which eval
// leaves alone.
func (c envCommand) Run(to *console) error {
	a, err := app.ReadAccess(dataDir(c.DataDir))
	if err != nil {
		return err
	}
	for _, v := range a.Exports() {
		fmt.Fprintln(to.out, v)
	}
	if w := app.CLIWarning(os.Getenv("PATH")); w != "" {
		fmt.Fprintln(to.err, "hardstand: warning:", w)
	}
	return nil
}
