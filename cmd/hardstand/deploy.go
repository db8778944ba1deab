package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/deploy"
)

// deployCommand is `hardstand deploy`.
type deployCommand struct {
	Dir          string            `arg:"" optional:"" default:"." help:"Directory with the template and the application."`
	Stack        string            `help:"Name of the stack (the directory's)."`
	App          string            `help:"Directory of the application (the one with an appspec.yml)."`
	Application  string            `help:"Name of the CodeDeploy application (that of its directory)."`
	Group        string            `help:"Name of the deployment group (APPLICATION-group)."`
	Template     string            `help:"The template's file."`
	Parameter    map[string]string `short:"p" mapsep:"none" help:"Template parameter, NAME=VALUE."`
	Bucket       string            `help:"Bucket for the archive (hardstand-deploy-ACCOUNT-REGION)."`
	ServiceRole  string            `help:"Role that CodeDeploy assumes, name or ARN."`
	Target       string            `help:"Tag, KEY=VALUE, by which CodeDeploy finds the instances."`
	Config       string            `name:"deployment-config" help:"Deployment configuration (CodeDeployDefault.OneAtATime)."`
	URL          string            `name:"url" help:"What must answer afterwards; {Output} stands for an output of the stack."`
	EndpointURL  string            `name:"endpoint-url" help:"Another place than AWS; AWS_ENDPOINT_URL does the same."`
	Region       string            `help:"AWS region."`
	Profile      string            `help:"Profile of AWS's configuration."`
	WithIdentity bool              `help:"Bring up the project's identity stack first: its roles (an administrator's job)."`
	Remove       bool              `help:"Remove what deploy has made: application, stack, archives; with --with-identity the roles too."`
	Timeout      time.Duration     `default:"30m" help:"How long the whole run may take."`
	Plain        bool              `help:"Lines instead of a live tree."`
}

// Run deploys and prints the URL, or removes.
func (c deployCommand) Run(ctx context.Context, to *console) error {
	var size func() (columns, lines int)
	if f, ok := to.out.(*os.File); ok && !c.Plain {
		size = terminalSize(f)
	}
	options := deploy.Options{
		Dir: c.Dir, Stack: c.Stack, AppDir: c.App, Application: c.Application, Group: c.Group, Template: c.Template,
		Parameters: c.Parameter, Bucket: c.Bucket, ServiceRole: c.ServiceRole, Target: c.Target, Config: c.Config, URL: c.URL, WithIdentity: c.WithIdentity,
	}
	settings := deploy.Settings{Endpoint: c.EndpointURL, Region: c.Region, Profile: c.Profile, Timeout: c.Timeout, Out: to.out, Size: size}
	if c.Remove {
		return deploy.Remove(ctx, options, settings)
	}
	r, err := deploy.Run(ctx, options, settings)
	if err != nil {
		return err
	}
	if r.URL != "" {
		fmt.Fprintln(to.out, r.URL)
	}
	return nil
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
