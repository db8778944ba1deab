package deploy

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Report is how a project stands: what AWS says about each of its parts. A part that
// the caller may not read says so in Unread, in place of what it would say.
type Report struct {
	// State is well, changing while somebody is at work and nothing has failed, or
	// failed.
	State    string    `json:"state"`
	ExitCode int       `json:"exitCode"`
	Problems []problem `json:"problems"`
	Time     time.Time `json:"time"`

	Stack     stackReport      `json:"stack"`
	Instances []instanceReport `json:"instances"`
	// InstancesUnread says why addresses and states are not known.
	InstancesUnread string        `json:"instancesUnread,omitempty"`
	Group           groupReport   `json:"deploymentGroup"`
	Targets         []poolReport  `json:"loadBalancerTargets"`
	Scaling         []scaleReport `json:"autoScalingGroups"`
	ScalingUnread   string        `json:"autoScalingGroupsUnread,omitempty"`
	URL             urlReport     `json:"url"`
}

// problem is something that is not well, with the exit code that it stands for.
type problem struct {
	Text     string `json:"text"`
	ExitCode int    `json:"exitCode"`
}

type stackReport struct {
	Name      string   `json:"name"`
	ID        string   `json:"id,omitempty"`
	Status    string   `json:"status,omitempty"`
	Reason    []string `json:"reason,omitempty"` // of a failure: the resource and what it said
	URLs      []output `json:"urls,omitempty"`
	Unread    string   `json:"unread,omitempty"`
	Resources string   `json:"resourcesUnread,omitempty"`
}

type output struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type urlReport struct {
	URL     string `json:"url,omitempty"`
	Answers bool   `json:"answers"`
	Detail  string `json:"detail,omitempty"`
}

// The states of a report.
const (
	stateWell     = "well"
	stateChanging = "changing"
	stateFailed   = "failed"
)

// Verdict is the error of a project that is not well: it was looked at, and the report
// says what there is.
type Verdict struct {
	Exit int
	Text string
}

func (v *Verdict) Error() string { return v.Text }

// Verdict returns nil where all is well or on its way.
func (r *Report) Verdict() error {
	if r.ExitCode == ExitOK {
		return nil
	}
	texts := make([]string, 0, len(r.Problems))
	for _, p := range r.Problems {
		texts = append(texts, p.Text)
	}
	return &Verdict{Exit: r.ExitCode, Text: "not well: " + strings.Join(texts, "; ")}
}

// Status looks at what was deployed. It changes nothing.
func Status(ctx context.Context, o Options, s Settings) (*Report, error) {
	s = s.complete()
	s.Out = nil // the report is all that is shown
	report := &Report{}
	_, err := walk(ctx, s, func(r *run) []stage {
		return []stage{{"status", func(ctx context.Context) error {
			if err := r.locate(ctx, o, s); err != nil {
				return err
			}
			report.Time = r.clock.Now().UTC().Truncate(time.Second)
			return (&inspection{run: r, report: report}).look(ctx)
		}}}
	})
	if err != nil {
		return nil, err
	}
	return report, nil
}

// locate finds what the project is called and who is asking.
func (r *run) locate(ctx context.Context, o Options, s Settings) (err error) {
	if r.project, err = nameProject(o); err != nil {
		return err
	}
	return r.identifyCaller(ctx, s)
}

// inspection is one look at a project.
type inspection struct {
	*run
	report *Report
	// resources are the physical ids of the stack's resources by type; logical are
	// their names in the template.
	resources map[string][]string
	logical   map[string]string
	group     groupState
	machines  map[string]*instanceReport
	changing  bool
}

func (i *inspection) look(ctx context.Context) error {
	i.resources, i.logical, i.machines = map[string][]string{}, map[string]string{}, map[string]*instanceReport{}
	for _, part := range []func(context.Context) error{
		i.lookAtStack, i.lookAtGroup, i.lookAtScaling, i.lookAtInstances, i.lookAtTargets, i.lookAtURL,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	i.judge()
	return nil
}

// unread returns what stands in a report's place of what AWS refuses to tell. Any
// other error, such as a fault of AWS's own, ends the look.
func unread(err error) (string, error) {
	if err == nil || errorCode(err) == "" || isFault(err) {
		return "", err
	}
	return plain(err), nil
}

// problem notes what is not well.
func (i *inspection) problem(exit int, text string) {
	i.report.Problems = append(i.report.Problems, problem{printable(text), exit})
}

// judge sums up: the first problem decides.
func (i *inspection) judge() {
	rep := i.report
	if rep.Stack.Unread != "" && i.group.unread() != "" {
		i.problem(ExitDenied, "neither the stack nor its deployments may be read")
	}
	rep.State = stateWell
	switch {
	case len(rep.Problems) > 0:
		rep.State, rep.ExitCode = stateFailed, rep.Problems[0].ExitCode
	case i.changing:
		rep.State = stateChanging
	}
	if rep.Problems == nil {
		rep.Problems = []problem{}
	}
}

// lookAtURL asks the application, once. One that nobody has deployed need not answer.
func (i *inspection) lookAtURL(ctx context.Context) error {
	rep := &i.report.URL
	if i.report.Stack.Unread != "" && placeholder.MatchString(i.URL) {
		rep.Detail = "not known: it is made of outputs of the stack, which may not be read"
		return nil
	}
	url, err := i.expandURL()
	if err != nil {
		if f, ok := err.(*Failure); ok { //nolint:errorlint // expandURL's own
			rep.Detail = f.Cause
		}
		// A stack that is not at rest may get the output yet, or is a problem itself.
		if i.group.successful != nil && slices.Contains(goodStack, types.StackStatus(i.report.Stack.Status)) {
			i.problem(ExitURL, rep.Detail)
		}
		return nil
	}
	if url == "" {
		rep.Detail = "none is known"
		return nil
	}
	rep.URL = url
	if err := i.probe(ctx, url); err != nil {
		if ctx.Err() != nil {
			return err
		}
		rep.Detail = "does not answer: " + err.Error()
		if i.group.successful != nil {
			i.problem(ExitURL, url+" does not answer")
		}
		return nil
	}
	rep.Answers, rep.Detail = true, "answers"
	return nil
}
