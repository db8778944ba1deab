package deploy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// The bounds that keep a report on one screen; the JSON form has everything.
const (
	shownInstances = 12
	shownFailures  = 2
	shownLines     = 6
)

// page collects the lines of a report, each part with its name at the margin.
type page struct {
	strings.Builder
	name string
}

// line adds a line to the current part.
func (p *page) line(format string, args ...any) {
	fmt.Fprintf(p, "%-12s %s\n", p.name, strings.TrimRight(printable(fmt.Sprintf(format, args...)), " "))
	p.name = ""
}

// part begins a part; one without lines is not seen.
func (p *page) part(name string) { p.name = name }

// Text is the report for a terminal. What went wrong is not repeated at its end: that
// is the Verdict's.
func (r *Report) Text() string {
	p := &page{}
	r.writeStack(p)
	r.writeInstances(p)
	r.writeGroup(p)
	r.writeScaling(p)
	r.writeTargets(p)
	p.part("url")
	p.line("%s", strings.TrimSpace(r.URL.URL+" "+r.URL.Detail))
	p.part("")
	switch r.State {
	case stateWell:
		p.WriteString("all is well" + r.partly() + "\n")
	case stateChanging:
		p.WriteString("somebody is at work on it" + r.partly() + "\n")
	}
	return p.String()
}

// partly limits a good verdict to what could be read.
func (r *Report) partly() string {
	all := []string{r.Stack.Unread, r.Stack.Resources, r.InstancesUnread, r.ScalingUnread, r.Group.Unread, r.Group.DeploymentUnread, r.Group.RunningUnread}
	for _, t := range r.Targets {
		all = append(all, t.Unread)
	}
	for _, d := range []*deploymentReport{r.Group.Last, r.Group.RolledBack, r.Group.Successful} {
		if d != nil {
			all = append(all, d.TargetsUnread)
		}
	}
	if strings.Join(all, "") != "" {
		return ", as far as it may be read"
	}
	return ""
}

func (r *Report) writeStack(p *page) {
	s := &r.Stack
	p.part("stack")
	switch {
	case s.Unread != "":
		p.line("%s may not be read: %s", s.Name, s.Unread)
	case s.Status == "":
		p.line("there is no stack %s", s.Name)
	default:
		p.line("%s %s", s.Name, s.Status)
	}
	for _, l := range s.Reason[:min(len(s.Reason), shownLines+1)] {
		p.line("  %s", l)
	}
	for _, o := range s.URLs {
		p.line("  %s: %s", o.Name, o.Value)
	}
	if s.Resources != "" {
		p.line("  its resources may not be read: %s", s.Resources)
	}
}

func (r *Report) writeInstances(p *page) {
	p.part("instances")
	if r.InstancesUnread != "" {
		p.line("states and addresses may not be read: %s", r.InstancesUnread)
	}
	// The first are those that are looked for: what is not as it should be.
	list := slices.Clone(r.Instances)
	slices.SortStableFunc(list, func(a, b instanceReport) int { return cmp.Compare(a.rank(), b.rank()) })
	for _, m := range list[:min(len(list), shownInstances)] {
		p.line("%s", m.line())
	}
	if more := len(list) - shownInstances; more > 0 {
		p.line("and %d more (--json lists all)", more)
	}
	if len(list) == 0 && r.InstancesUnread == "" {
		p.line("none")
	}
}

// rank puts what failed before what is well.
func (m *instanceReport) rank() int {
	switch {
	case m.DeploymentStatus == string(types.TargetStatusFailed), m.State != "running" && m.State != "":
		return 0
	case m.DeploymentStatus != string(types.TargetStatusSucceeded):
		return 1
	}
	return 2
}

func (m *instanceReport) line() string {
	parts := []string{m.ID}
	if m.Resource != "" {
		parts = append(parts, "("+m.Resource+")")
	}
	parts = append(parts, m.State, cmp.Or(m.Public, m.Private))
	switch {
	case m.Runs != "":
		parts = append(parts, "runs "+m.Runs)
	case m.Deployment == "":
		parts = append(parts, "has had no deployment of these")
	default:
		parts = append(parts, "runs none of these revisions")
	}
	if m.Deployment != "" {
		parts = append(parts, "("+strings.TrimSpace(m.Deployment+" "+cmp.Or(m.LastEvent, m.DeploymentStatus))+")")
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

func (r *Report) writeGroup(p *page) {
	g := &r.Group
	p.part("deployment")
	name := g.Application + " / " + g.Name
	if g.Unread != "" {
		p.line("%s may not be read: %s", name, g.Unread)
		return
	}
	p.line("%s", name)
	if g.RunningUnread != "" {
		p.line("whether one runs may not be read: %s", g.RunningUnread)
	}
	if g.DeploymentUnread != "" {
		p.line("the deployments may not be read: %s", g.DeploymentUnread)
	}
	if g.Last == nil && g.DeploymentUnread == "" {
		p.line("nothing was deployed yet: `hardstand deploy`")
	}
	r.writeDeployment(p, "last:", g.Last)
	r.writeDeployment(p, "rollback of it:", g.RolledBack)
	if g.Last == nil || g.Successful == nil || g.Successful.ID != g.Last.ID {
		if g.RolledBack == nil || g.Successful == nil || g.Successful.ID != g.RolledBack.ID {
			r.writeDeployment(p, "last successful:", g.Successful)
		}
		if g.Successful == nil && g.Last != nil && g.DeploymentUnread == "" {
			p.line("none has ever succeeded")
		}
	}
}

func (r *Report) writeDeployment(p *page, label string, d *deploymentReport) {
	if d == nil {
		return
	}
	by := "by " + d.Creator
	if d.Description != "" {
		by += " (" + d.Description + ")"
	}
	p.line("%s %s %s, %s, %s, %s", label, d.ID, d.Status, d.Revision, r.when(d), by)
	if d.Error != "" {
		p.line("  %s", d.Error)
	}
	if d.TargetsUnread != "" {
		p.line("  its instances may not be read: %s", d.TargetsUnread)
	}
	for _, f := range d.Failures[:min(len(d.Failures), shownFailures)] {
		r.writeFailure(p, f)
	}
	if more := len(d.Failures) - shownFailures; more > 0 {
		p.line("  it failed on %d more (--json lists all)", more)
	}
}

// when is the time of a deployment's end, or of its beginning while it runs.
func (r *Report) when(d *deploymentReport) string {
	if d.Ended != nil {
		return r.ago(*d.Ended)
	}
	if d.Created != nil {
		return "begun " + r.ago(*d.Created)
	}
	return "at a time that is not known"
}

func (r *Report) ago(at time.Time) string {
	text := at.UTC().Format("2006-01-02 15:04:05 UTC")
	if d := r.Time.Sub(at).Truncate(time.Second); d >= time.Second {
		text += " (" + span(d) + " ago)"
	}
	return text
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func (r *Report) writeFailure(p *page, f targetFailure) {
	text := "  " + marks[failed] + " " + f.Instance
	if f.Event != "" {
		text += ": " + f.Event + " failed"
	}
	if f.Script != "" {
		text += " in " + f.Script
	}
	if f.Code != "" || f.Message != "" {
		text += ": " + strings.Trim(f.Code+": "+f.Message, ": ")
	}
	p.line("%s", text)
	for _, l := range f.Log[max(0, len(f.Log)-shownLines):] {
		p.line("      | %s", l)
	}
	if !f.Silent {
		return
	}
	if f.LastHeard == nil {
		p.line("      its agent has never taken a command of this deployment")
	} else {
		p.line("      its agent is silent since %s", r.ago(*f.LastHeard))
	}
	for _, l := range f.Console[max(0, len(f.Console)-shownLines):] {
		p.line("      | %s", l)
	}
}

func (r *Report) writeScaling(p *page) {
	p.part("scaling")
	if r.ScalingUnread != "" {
		p.line("may not be read: %s", r.ScalingUnread)
	}
	for _, g := range r.Scaling {
		p.line("%s: %d wanted (%d to %d), %d there", g.Name, g.Desired, g.Min, g.Max, len(g.Instances))
		writeTargets(p, g.Instances)
	}
}

func (r *Report) writeTargets(p *page) {
	p.part("targets")
	for _, pool := range r.Targets {
		if pool.Unread != "" {
			p.line("%s may not be read: %s", pool.Name, pool.Unread)
			continue
		}
		p.line("%s: %d targets", pool.Name, len(pool.Targets))
		writeTargets(p, pool.Targets)
	}
}

// writeTargets lists targets, those that are not well first.
func writeTargets(p *page, list []targetReport) {
	list = slices.Clone(list)
	rank := func(t targetReport) int {
		if t.State == "healthy" || t.State == "InService" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b targetReport) int { return cmp.Compare(rank(a), rank(b)) })
	for _, t := range list[:min(len(list), shownInstances)] {
		p.line("  %s %s %s", t.ID, t.State, t.Reason)
	}
	if more := len(list) - shownInstances; more > 0 {
		p.line("  and %d more (--json lists all)", more)
	}
}
