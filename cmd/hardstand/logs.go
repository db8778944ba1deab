package main

import (
	"context"

	"github.com/hardstand/hardstand/internal/app"
)

// logsCommand is `hardstand logs`.
type logsCommand struct {
	Deployment string   `arg:"" help:"A deployment's id (d-...)."`
	Instance   []string `arg:"" optional:"" help:"Instances whose logs to print, in place of all."`
	DataDir    string   `env:"HARDSTAND_DATA_DIR" help:"The server's data dir."`
}

// Run prints the complete output of a deployment's scripts.
func (c logsCommand) Run(ctx context.Context, to *console) error {
	q, err := app.Ask(ctx, dataDir(c.DataDir))
	if err != nil {
		return err
	}
	return q.Logs(ctx, to.out, c.Deployment, c.Instance)
}
