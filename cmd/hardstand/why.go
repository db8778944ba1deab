package main

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/app"
)

// whyCommand is `hardstand why`.
type whyCommand struct {
	About   []string `arg:"" optional:"" help:"A request id, or PRINCIPAL-ARN ACTION RESOURCE-ARN; nothing lists the latest refusals."`
	DataDir string   `env:"HARDSTAND_DATA_DIR" help:"The server's data dir."`
}

var errNotAllowed = errors.New("not allowed")

// Run explains a refusal, or what a principal may do: it fails where it may not.
func (c whyCommand) Run(ctx context.Context, to *console) error {
	if n := len(c.About); n == 2 || n > 3 {
		return app.UsageError("why takes a request id, or a principal, an action and a resource")
	}
	q, err := app.Ask(ctx, dataDir(c.DataDir))
	if err != nil {
		return err
	}
	switch len(c.About) {
	case 0:
		return q.WhyLatest(ctx, to.out)
	case 1:
		return q.WhyRequest(ctx, to.out, c.About[0])
	}
	allowed, err := q.WhyAccess(ctx, to.out, c.About[0], c.About[1], c.About[2])
	if err == nil && !allowed {
		return errNotAllowed
	}
	return err
}

// policyCommand is `hardstand policy`.
type policyCommand struct {
	Suggest policySuggestCommand `cmd:"" help:"Write the least-privilege policy for what a principal was seen to do."`
}

type policySuggestCommand struct {
	Principal string `arg:"" help:"ARN of a user, a role, or the account's root."`
	Exact     bool   `help:"Keep the ids of instances, stacks and the like instead of *."`
	DataDir   string `env:"HARDSTAND_DATA_DIR" help:"The server's data dir."`
}

// Run prints the document on standard output and what there is to know about it
// on standard error.
func (c policySuggestCommand) Run(ctx context.Context, to *console) error {
	q, err := app.Ask(ctx, dataDir(c.DataDir))
	if err != nil {
		return err
	}
	return q.Suggest(ctx, to.out, to.err, c.Principal, c.Exact)
}
