package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hardstand/hardstand/internal/app"
)

// doctorCommand is `hardstand doctor`.
type doctorCommand struct {
	DataDir string `env:"HARDSTAND_DATA_DIR" help:"The data dir that serve would use."`
	Listen  string `default:"127.0.0.1:4566" env:"HARDSTAND_LISTEN" help:"The address that serve would use."`
}

// Run prints a line per capability and fails when one is missing that serve needs.
func (c doctorCommand) Run(ctx context.Context, to *console) error {
	bad := 0
	for _, f := range app.Doctor(ctx, dataDir(c.DataDir), c.Listen) {
		mark := "ok  "
		if !f.OK {
			mark = "FAIL"
			if !f.Required {
				mark = "warn"
			} else {
				bad++
			}
		}
		fmt.Fprintf(to.out, "%s  %-34s %s\n", mark, f.Name, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(to.out, "      fix: %s\n", f.Remedy)
		}
	}
	if bad > 0 {
		return fmt.Errorf("serve cannot run here: what is marked FAIL has to be mended first")
	}
	return nil
}

// dataDir is the directory that a flag or variable names, or the usual one.
func dataDir(given string) string { return cmp.Or(given, app.DefaultDataDir()) }

// accountCommand is `hardstand account`.
type accountCommand struct {
	Create accountCreateCommand `cmd:"" help:"Make an account and print its root key."`
}

type accountCreateCommand struct {
	ID      string `arg:"" help:"12 digits."`
	DataDir string `env:"HARDSTAND_DATA_DIR" help:"The server's data dir."`
}

// Run makes an account on a running server and prints its exports.
func (c accountCreateCommand) Run(ctx context.Context, to *console) error {
	a, err := app.CreateAccount(ctx, dataDir(c.DataDir), c.ID)
	if err != nil {
		return err
	}
	for _, v := range a.Exports() {
		fmt.Fprintln(to.out, v)
	}
	return nil
}

// resetCommand is `hardstand reset`.
type resetCommand struct {
	DataDir string `env:"HARDSTAND_DATA_DIR" help:"The server's data dir."`
}

// Run asks a running server to remove everything.
func (c resetCommand) Run(ctx context.Context) error {
	return app.RequestReset(ctx, dataDir(c.DataDir))
}

// referenceCommand writes docs/reference from the tables.
type referenceCommand struct {
	Dir string `arg:"" help:"Where the pages go."`
}

// Run writes one page per service.
func (c referenceCommand) Run() error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return errors.Join(fmt.Errorf("write the reference"), err)
	}
	return app.WriteReference(c.Dir)
}
