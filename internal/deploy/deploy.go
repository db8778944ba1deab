// Package deploy is the build server's side: from a directory with a template and
// an application to instances that serve it, and to a plain account of what went
// wrong when they do not.
//
// It uses AWS's public API only (SDK v2; EC2 by internal/wire/client), so that with
// AWS's credentials and no endpoint it runs against AWS. It imports agent/appspec
// for the grammar of appspec files. The flow enters at Run and goes through the
// steps in order: check (project.go, connect.go), identity (identity.go), package
// and upload (bundle.go, upload.go), stack (stack.go), application and group
// (application.go), deployment (deployment.go), url (url.go). Each step waits on
// what AWS reports, never on time alone. It leaves as a Result, or as a *Failure
// with cause, evidence and remedy.
//
// Three more commands stand beside it. Plan (plan*.go) says what Run would do. Status
// (status*.go) makes a Report of what was deployed and changes nothing; Rollback
// (rollback*.go) deploys an earlier revision again by the same steps. They read the
// group by group_state.go.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hardstand/hardstand/internal/clock"
)

// Settings say where and how to run.
type Settings struct {
	// Endpoint replaces AWS's own; empty leaves it to AWS_ENDPOINT_URL and AWS.
	Endpoint, Region, Profile string
	// Timeout bounds the whole run; zero means 30 minutes.
	Timeout time.Duration
	// Out receives the progress. Where Size is given, Out is a terminal of that
	// many columns and lines, and the progress is redrawn in place.
	Out  io.Writer
	Size func() (columns, lines int)
	// Clock is what waiting goes by; nil means the machine's.
	Clock clock.Clock
}

// Result is what a successful run leaves.
type Result struct {
	StackID, DeploymentID string
	// URL answered; empty when none is known.
	URL     string
	Outputs map[string]string
}

const defaultTimeout = 30 * time.Minute

// run is one run of the pipeline.
type run struct {
	*project
	clients
	account  string
	progress *progress

	archive           []byte
	bucket, key, etag string
	stored            map[string]bool // keys of templates that lie in the bucket
	declared          map[string]bool // the template's parameters; true: it has a default
	outputs           map[string]string
	stackID           string
	// newRoles: this run has made or changed the roles, which AWS takes a moment to
	// know everywhere.
	newRoles   bool
	deployment string
}

// Run checks, packages, uploads, provisions, deploys and verifies.
func Run(ctx context.Context, o Options, s Settings) (*Result, error) {
	s = s.complete()
	r, err := walk(ctx, s, func(r *run) []stage {
		return []stage{
			{"check", func(ctx context.Context) error { return r.check(ctx, o, s) }},
			{"identity", r.identify},
			{"package", r.pack},
			{"upload", r.upload},
			{"stack", r.provision},
			{"application", r.register},
			{"deployment", r.release},
			{"url", r.verify},
		}
	})
	if err != nil {
		return nil, err
	}
	return &Result{StackID: r.stackID, DeploymentID: r.deployment, URL: r.URL, Outputs: r.outputs}, nil
}

// complete fills in defaults.
func (s Settings) complete() Settings {
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.Clock == nil {
		s.Clock = clock.System{}
	}
	return s
}

// stage is one step of a run, with the name that progress and failures give it.
type stage struct {
	name string
	do   func(context.Context) error
}

// walk takes the stages in order until one fails.
func walk(ctx context.Context, s Settings, stages func(*run) []stage) (*run, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout, errTimeout)
	defer cancel()
	r := &run{progress: newProgress(s.Out, s.Size, s.Clock), stored: map[string]bool{}}
	for _, st := range stages(r) {
		r.progress.begin(st.name)
		err := st.do(ctx)
		r.progress.end(err == nil)
		if err != nil {
			return nil, r.explain(ctx, st.name, err)
		}
	}
	return r, nil
}

var errTimeout = errors.New("the time given with --timeout is over")

// check looks at the project, finds out who is calling and has CloudFormation read
// the template.
func (r *run) check(ctx context.Context, o Options, s Settings) error {
	var err error
	if r.project, err = openProject(o); err != nil {
		return err
	}
	if err := r.identifyCaller(ctx, s); err != nil {
		return err
	}
	r.bucket = r.Bucket
	if r.bucket == "" {
		r.bucket = "hardstand-deploy-" + r.account + "-" + r.region
	}
	return r.validateTemplate(ctx)
}

// identifyCaller finds keys, region and server, and whose keys they are.
func (r *run) identifyCaller(ctx context.Context, s Settings) (err error) {
	if r.clients, err = connect(ctx, s); err != nil {
		return err
	}
	id, err := r.sts.GetCallerIdentity(ctx, nil)
	if err != nil {
		return &Failure{Cause: "the caller is not known", Exit: ExitDenied, Err: err, Fix: fixKeys}
	}
	r.account = aws.ToString(id.Account)
	r.progress.detail(fmt.Sprintf("%s in %s as %s", r.Stack, r.region, aws.ToString(id.Arn)))
	return nil
}

// explain makes a Failure of the error that ended a step, and sees to those that can
// end any: the time-out, Ctrl-C, a denial, no server.
func (r *run) explain(ctx context.Context, step string, err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Cause: "it could not be finished", Exit: ExitUnexpected, Err: err}
	}
	f.Step = step
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		*f = Failure{Step: step, Cause: errTimeout.Error(), Exit: ExitTimeout, State: r.goesOn(), See: r.onward()}
	case ctx.Err() != nil:
		*f = Failure{Step: step, Cause: "it was interrupted", Exit: ExitInterrupted, State: r.goesOn(), See: r.onward()}
	default:
		f.recognise(r.endpoint)
	}
	return f
}

// goesOn says what AWS is still at when this command ends early.
func (r *run) goesOn() string {
	switch {
	case r.deployment != "":
		return "the deployment " + r.deployment + " goes on without this command"
	case r.stackID != "":
		return "the stack goes on without this command: " + r.stackID
	}
	return ""
}

// onward names what follows and ends a deployment that goes on.
func (r *run) onward() string {
	if r.deployment == "" {
		return ""
	}
	return r.command("status") + " shows how it goes on; " + r.command("rollback --stop") + " stops it and goes back"
}
