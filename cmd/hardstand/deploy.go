package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/deploy"
)

// projectFlags are what deploy and the commands that look back at it have in common:
// where the project is, and what its parts are called.
type projectFlags struct {
	Dir         string        `arg:"" optional:"" default:"." help:"Directory with the template and the application."`
	Stack       string        `help:"Name of the stack (the directory's)."`
	App         string        `help:"Directory of the application (the one with an appspec.yml)."`
	Application string        `help:"Name of the CodeDeploy application (that of its directory)."`
	Group       string        `help:"Name of the deployment group (APPLICATION-group)."`
	URL         string        `name:"url" help:"What must answer; {Output} stands for an output of the stack."`
	EndpointURL string        `name:"endpoint-url" help:"Another place than AWS; AWS_ENDPOINT_URL does the same."`
	Region      string        `help:"AWS region."`
	Profile     string        `help:"Profile of AWS's configuration."`
	Timeout     time.Duration `default:"30m" help:"How long the whole run may take."`
}

func (p projectFlags) options() deploy.Options {
	return deploy.Options{Dir: p.Dir, Stack: p.Stack, AppDir: p.App, Application: p.Application, Group: p.Group, URL: p.URL}
}

func (p projectFlags) settings(out io.Writer) deploy.Settings {
	return deploy.Settings{Endpoint: p.EndpointURL, Region: p.Region, Profile: p.Profile, Timeout: p.Timeout, Out: out}
}

// progressFlags say how a run shows how far it is.
type progressFlags struct {
	Config string `name:"deployment-config" help:"Deployment configuration (deploy: CodeDeployDefault.OneAtATime; rollback: the group's)."`
	Plain  bool   `help:"Lines instead of a live tree."`
}

// size measures the terminal that out is, unless lines are wanted.
func (p progressFlags) size(out io.Writer) func() (columns, lines int) {
	if f, ok := out.(*os.File); ok && !p.Plain {
		return terminalSize(f)
	}
	return nil
}

// intentFlags say how the project is to be.
type intentFlags struct {
	Template    string            `help:"The template's file."`
	Parameter   map[string]string `short:"p" mapsep:"none" help:"Template parameter, NAME=VALUE."`
	Bucket      string            `help:"Bucket for the archive (hardstand-deploy-ACCOUNT-REGION)."`
	ServiceRole string            `help:"Role that CodeDeploy assumes, name or ARN."`
	Target      string            `help:"Tag, KEY=VALUE, by which CodeDeploy finds the instances."`
}

func (i intentFlags) into(o deploy.Options) deploy.Options {
	o.Template, o.Parameters, o.Bucket, o.ServiceRole, o.Target = i.Template, i.Parameter, i.Bucket, i.ServiceRole, i.Target
	return o
}

// planCommand is `hardstand plan`.
type planCommand struct {
	projectFlags
	intentFlags
}

// Run prints what deploy would do.
func (c planCommand) Run(ctx context.Context, to *console) error {
	outlook, err := deploy.Plan(ctx, c.into(c.options()), c.settings(nil))
	if err == nil {
		fmt.Fprint(to.out, outlook.Text())
	}
	return err
}

// deployCommand is `hardstand deploy`.
type deployCommand struct {
	projectFlags
	progressFlags
	intentFlags
	WithIdentity bool `help:"Bring up the project's identity stack first: its roles (an administrator's job)."`
	Remove       bool `help:"Remove what deploy has made: application, stack, archives; with --with-identity the roles too."`
}

// Run deploys and prints the URL, or removes.
func (c deployCommand) Run(ctx context.Context, to *console) error {
	options, settings := c.into(c.options()), c.settings(to.out)
	options.Config, options.WithIdentity = c.Config, c.WithIdentity
	settings.Size = c.size(to.out)
	if c.Remove {
		return deploy.Remove(ctx, options, settings)
	}
	return to.deployed(deploy.Run(ctx, options, settings))
}

// deployed prints the URL of what was deployed.
func (c *console) deployed(r *deploy.Result, err error) error {
	if err == nil && r.URL != "" {
		fmt.Fprintln(c.out, r.URL)
	}
	return err
}

// rollbackCommand is `hardstand rollback`.
type rollbackCommand struct {
	projectFlags
	progressFlags
	To       string `placeholder:"DEPLOYMENT-ID" help:"Deploy the revision of this deployment (the last successful revision before the current one)."`
	Revision string `placeholder:"KEY" help:"Deploy this revision: its key, s3://BUCKET/KEY, or commit."`
	Stop     bool   `help:"Stop the deployment that runs, if one does."`
}

// Run deploys an earlier revision again and prints the URL.
func (c rollbackCommand) Run(ctx context.Context, to *console) error {
	options, settings := c.options(), c.settings(to.out)
	options.Config, settings.Size = c.Config, c.size(to.out)
	return to.deployed(deploy.Rollback(ctx, options, deploy.Back{To: c.To, Revision: c.Revision, Stop: c.Stop}, settings))
}

// statusCommand is `hardstand status`.
type statusCommand struct {
	projectFlags
	JSON bool `name:"json" help:"Print everything as JSON."`
}

// Run prints how a project stands; it fails where that is not well.
func (c statusCommand) Run(ctx context.Context, to *console) error {
	report, err := deploy.Status(ctx, c.options(), c.settings(nil))
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(to.out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(report); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	} else {
		fmt.Fprint(to.out, report.Text())
	}
	return report.Verdict()
}

// terminalSize returns what measures the terminal that f is, or nil. One that does
// not know its size is taken for the smallest that is usual.
func terminalSize(f *os.File) func() (columns, lines int) {
	if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err != nil {
		return nil
	}
	return func() (columns, lines int) {
		w, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
		if err != nil || w.Col == 0 || w.Row == 0 {
			return 80, 24
		}
		return int(w.Col), int(w.Row)
	}
}
