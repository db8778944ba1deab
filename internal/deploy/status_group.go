package deploy

import (
	"context"
	"regexp"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

type groupReport struct {
	Application string `json:"application"`
	Name        string `json:"name"`
	// Last is what somebody wanted last; RolledBack what CodeDeploy deployed because
	// that failed; Successful what ended well last.
	Last       *deploymentReport `json:"lastAttempted,omitempty"`
	RolledBack *deploymentReport `json:"rollback,omitempty"`
	Successful *deploymentReport `json:"lastSuccessful,omitempty"`
	Unread     string            `json:"unread,omitempty"`
	// DeploymentUnread and RunningUnread say why a deployment, or whether one runs, is
	// not known.
	DeploymentUnread string `json:"deploymentUnread,omitempty"`
	RunningUnread    string `json:"runningUnread,omitempty"`
}

type deploymentReport struct {
	ID            string          `json:"id"`
	Status        string          `json:"status"`
	Revision      string          `json:"revision"`
	Created       *time.Time      `json:"created,omitempty"`
	Ended         *time.Time      `json:"ended,omitempty"`
	Creator       string          `json:"creator,omitempty"` // CodeDeploy's word: user, autoscaling, codeDeployRollback
	Description   string          `json:"description,omitempty"`
	Error         string          `json:"error,omitempty"`
	Failures      []targetFailure `json:"failures,omitempty"`
	TargetsUnread string          `json:"targetsUnread,omitempty"`
}

// targetFailure is why a deployment did not succeed on an instance.
type targetFailure struct {
	Instance string   `json:"instance"`
	Event    string   `json:"event,omitempty"`
	Script   string   `json:"script,omitempty"`
	Code     string   `json:"code,omitempty"`
	Message  string   `json:"message,omitempty"`
	ExitCode *int     `json:"scriptExitCode,omitempty"`
	Log      []string `json:"log,omitempty"`
	// LastHeard is when the agent last began or ended an event, when it is silent.
	LastHeard *time.Time `json:"lastHeard,omitempty"`
	Silent    bool       `json:"silent,omitempty"`
	Console   []string   `json:"console,omitempty"`
}

// lookAtGroup reads the group and its deployments.
func (i *inspection) lookAtGroup(ctx context.Context) error {
	if err := i.readGroup(ctx); err != nil {
		return err
	}
	g, rep := &i.group, &i.report.Group
	rep.Application, rep.Name = i.Application, i.Group
	rep.Unread, rep.DeploymentUnread, rep.RunningUnread = g.groupUnread, g.deploymentUnread, g.runningUnread
	earlier := g.successful
	if sameDeployment(earlier, g.attempted) || sameDeployment(earlier, g.rollback) {
		earlier = nil // its targets are read once
	}
	// The oldest first: what an instance took last is what it runs.
	for _, d := range []struct {
		info *types.DeploymentInfo
		to   **deploymentReport
	}{{earlier, &rep.Successful}, {g.attempted, &rep.Last}, {g.rollback, &rep.RolledBack}} {
		if d.info == nil {
			continue
		}
		r, err := i.reportDeployment(ctx, d.info)
		if err != nil {
			return err
		}
		if *d.to = r; sameDeployment(d.info, g.successful) {
			rep.Successful = r
		}
	}
	i.judgeGroup()
	return nil
}

func sameDeployment(a, b *types.DeploymentInfo) bool {
	return a != nil && b != nil && aws.ToString(a.DeploymentId) == aws.ToString(b.DeploymentId)
}

func (i *inspection) readGroup(ctx context.Context) (err error) {
	g := &i.group
	if g.info, err = i.deploymentGroup(ctx); err != nil {
		g.groupUnread, err = unread(err)
		return err
	}
	if g.info == nil {
		return nil
	}
	running, err := i.runningDeployment(ctx)
	if g.runningUnread, err = unread(err); err != nil {
		return err
	}
	if last := g.info.LastAttemptedDeployment; running == nil && last != nil {
		running, err = i.deploymentInfo(ctx, last.DeploymentId)
	}
	if err == nil && running != nil {
		err = g.lastAttempt(ctx, i.run, running)
	}
	if good := g.info.LastSuccessfulDeployment; err == nil && good != nil {
		g.successful, err = i.deploymentInfo(ctx, good.DeploymentId)
	}
	g.deploymentUnread, err = unread(err)
	return err
}

func (i *inspection) judgeGroup() {
	g := &i.group
	if g.unread() != "" {
		return
	}
	switch d := g.attempted; {
	case d == nil:
		i.problem(ExitDeployment, "nothing was deployed to "+i.Application+" / "+i.Group+" yet")
	case g.wentBackAsAsked():
	case d.Status == types.DeploymentStatusFailed || d.Status == types.DeploymentStatusStopped:
		text := "the last deployment " + aws.ToString(d.DeploymentId) + " ended as " + string(d.Status)
		if g.rollback != nil {
			text += ", rolled back by " + aws.ToString(g.rollback.DeploymentId) + " (" + string(g.rollback.Status) + ")"
		}
		i.problem(ExitDeployment, text)
	case d.Status != types.DeploymentStatusSucceeded:
		i.changing = true
	}
}

// wentBackAsAsked reports whether somebody has stopped the last deployment and the
// rollback that this asked for succeeded: nobody has to do anything about that.
func (g *groupState) wentBackAsAsked() bool {
	e := g.attempted.ErrorInformation
	return g.attempted.Status == types.DeploymentStatusStopped && e != nil && e.Code == types.ErrorCodeManualStop &&
		g.rollback != nil && g.rollback.Status == types.DeploymentStatusSucceeded
}

// reportDeployment says how a deployment went, and notes at each instance what it
// made of it.
func (i *inspection) reportDeployment(ctx context.Context, d *types.DeploymentInfo) (*deploymentReport, error) {
	rep := &deploymentReport{
		ID: aws.ToString(d.DeploymentId), Status: string(d.Status), Revision: revisionName(d.Revision), Created: d.CreateTime, Ended: d.CompleteTime,
		Creator: string(d.Creator), Description: aws.ToString(d.Description),
	}
	silent := false
	if e := d.ErrorInformation; e != nil {
		silent = string(e.Code) == agentIssue
		rep.Error = string(e.Code) + ": " + aws.ToString(e.Message)
	}
	targets, err := i.targets(ctx, rep.ID)
	if err != nil {
		rep.TargetsUnread, err = unread(err)
		return rep, err
	}
	for _, t := range targets {
		i.noteTarget(rep, t)
		if t.Status != types.TargetStatusFailed && t.Status != types.TargetStatusUnknown {
			continue
		}
		f := failureOf(t)
		if f.Silent = f.Script == "" && (silent || f.Code == string(types.LifecycleErrorCodeUnknownError)); f.Silent && len(rep.Failures) < maxConsoles {
			f.Console = i.consoleTail(ctx, f.Instance)
		}
		if !f.Silent {
			f.LastHeard = nil
		}
		rep.Failures = append(rep.Failures, f)
	}
	return rep, nil
}

// maxConsoles is of how many silent instances the consoles are read.
const maxConsoles = 2

// exitCodeOf finds a script's exit code in the agent's message.
var exitCodeOf = regexp.MustCompile(`exit code (\d+)`)

func failureOf(t types.InstanceTarget) targetFailure {
	f := targetFailure{Instance: aws.ToString(t.TargetId)}
	for _, e := range t.LifecycleEvents {
		for _, at := range []*time.Time{e.StartTime, e.EndTime} {
			if at != nil && e.Status != types.LifecycleEventStatusFailed && (f.LastHeard == nil || at.After(*f.LastHeard)) {
				f.LastHeard = at
			}
		}
		if e.Status != types.LifecycleEventStatusFailed || f.Event != "" {
			continue
		}
		f.Event = aws.ToString(e.LifecycleEventName)
		if d := e.Diagnostics; d != nil {
			f.Script, f.Code, f.Message = aws.ToString(d.ScriptName), string(d.ErrorCode), aws.ToString(d.Message)
			f.Log = tail(aws.ToString(d.LogTail), consoleLines)
		}
		if m := exitCodeOf.FindStringSubmatch(f.Message); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil {
				f.ExitCode = &n
			}
		}
	}
	return f
}

// noteTarget notes at an instance how far the deployment has come there, and what it
// runs since: deployments come oldest first.
func (i *inspection) noteTarget(d *deploymentReport, t types.InstanceTarget) {
	m := i.machine(aws.ToString(t.TargetId))
	m.Deployment, m.DeploymentStatus, m.LastEvent = d.ID, string(t.Status), ""
	for _, e := range t.LifecycleEvents {
		if e.Status != types.LifecycleEventStatusPending && e.Status != types.LifecycleEventStatusSkipped {
			m.LastEvent = aws.ToString(e.LifecycleEventName) + " " + string(e.Status)
		}
	}
	if t.Status == types.TargetStatusSucceeded {
		m.Runs = d.Revision
	}
}
