// Command hardstand is a small, honest AWS on the user's own machine, and the
// build server's deploy command. It holds the command table and no logic.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/hardstand/hardstand/internal/app"
	"github.com/hardstand/hardstand/internal/deploy"
)

// version is set at link time for releases.
var version = "development"

type commands struct {
	Serve     serveCommand     `cmd:"" help:"Run the server."`
	Env       envCommand       `cmd:"" help:"Print shell exports that point AWS's tools at the server."`
	Deploy    deployCommand    `cmd:"" help:"Provision, deploy and verify the application in a directory."`
	Plan      planCommand      `cmd:"" help:"Show what deploy would do with a directory."`
	Status    statusCommand    `cmd:"" help:"Show how what was deployed from a directory stands."`
	Rollback  rollbackCommand  `cmd:"" help:"Deploy the revision before the current one again."`
	Doctor    doctorCommand    `cmd:"" help:"Say what this machine can do, and how to mend what it cannot."`
	Why       whyCommand       `cmd:"" help:"Say why a request was refused, or what a principal may do."`
	Logs      logsCommand      `cmd:"" help:"Print the complete output of a deployment's scripts."`
	Policy    policyCommand    `cmd:"" help:"Write policies from what was seen."`
	Fsck      fsckCommand      `cmd:"" help:"Compare the objects of a data dir that no server uses with their bytes."`
	Account   accountCommand   `cmd:"" help:"Make further accounts."`
	Reset     resetCommand     `cmd:"" help:"Remove everything from a server started with --allow-reset."`
	Reference referenceCommand `cmd:"" hidden:"" help:"Write the reference of operations."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run(c *console) error {
	fmt.Fprintln(c.out, "hardstand", version)
	return nil
}

// console is where a command writes.
type console struct{ out, err io.Writer }

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, stopSignals()...)
	ctx := untilStopped(signals, func() { signal.Reset(os.Interrupt) })
	os.Exit(run(ctx, os.Args[1:], &console{os.Stdout, os.Stderr}))
}

// run carries out a command line and returns the exit code.
func run(ctx context.Context, args []string, c *console, options ...kong.Option) int {
	var table commands
	parser, err := kong.New(&table, append(options, kong.Name("hardstand"), kong.Writers(c.out, c.err), kong.Bind(c),
		kong.Description("CloudFormation, EC2, CodeDeploy, S3, IAM and STS on this machine, with instances that really run."),
		kong.BindTo(ctx, (*context.Context)(nil)))...)
	if err != nil {
		panic(err) // the command table itself is wrong
	}
	kctx, err := parser.Parse(args)
	var misparsed *kong.ParseError
	if errors.As(err, &misparsed) {
		return c.misused(misparsed.Context, err)
	}
	if err != nil {
		return c.report(err)
	}
	err = kctx.Run()
	var usage app.UsageError
	if errors.As(err, &usage) {
		return c.misused(kctx, usage)
	}
	return c.report(err)
}

// misused says what is wrong with the command line, and where the right one is
// described: with the command as far as it was understood.
func (c *console) misused(k *kong.Context, err error) int {
	command, _, _ := strings.Cut("hardstand "+k.Command(), " <")
	fmt.Fprintln(c.err, "hardstand:", err)
	fmt.Fprintln(c.err, "  see:", strings.TrimSpace(command), "--help")
	return deploy.ExitUsage
}

// report prints what went wrong, with the way out where there is one, and returns
// the exit code.
func (c *console) report(err error) int {
	var failure *deploy.Failure
	var refusal *app.Refusal
	switch {
	case err == nil:
		return deploy.ExitOK
	case errors.As(err, &failure):
		fmt.Fprint(c.err, failure.Text())
	case errors.As(err, &refusal):
		fmt.Fprintln(c.err, "hardstand:", refusal.Error())
		fmt.Fprintln(c.err, "  fix:", refusal.Remedy)
	default:
		fmt.Fprintln(c.err, "hardstand:", err)
	}
	return deploy.ExitCode(err)
}
