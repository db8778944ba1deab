package deploy

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// deploymentFailed tells which instance failed first, at which event and script,
// with its last lines; then it waits for the rollback, if there is one, and says
// what serves now.
func (r *run) deploymentFailed(ctx context.Context, info *types.DeploymentInfo) error {
	f := &Failure{Exit: ExitDeployment, Cause: fmt.Sprintf("the deployment %s ended as %s", r.deployment, info.Status)}
	code := ""
	if e := info.ErrorInformation; e != nil {
		code = string(e.Code)
		f.Evidence = append(f.Evidence, code+": "+aws.ToString(e.Message))
		f.Fix = errorFix(code)
	}
	// Without the targets the deployment's own words have to do.
	targets, err := r.targets(ctx, r.deployment)
	if err == nil && (code == agentIssue || !blame(f, targets)) {
		r.blameSilent(ctx, f, targets)
	}
	back := false
	f.State, back = r.awaitRollback(ctx, info)
	f.See = r.command("status") + " shows what each instance runs"
	if !back {
		f.See += "; " + r.command("rollback") + " deploys the last successful revision before this one, where there is one"
	}
	return f
}

// command is another command for the same project.
func (r *run) command(words string) string {
	text := "hardstand " + words
	if r.Dir != "." {
		text += " " + r.Dir
	}
	return "`" + text + "`"
}

// blame takes cause, evidence and remedy from the first failed lifecycle event; it
// reports whether there is one.
func blame(f *Failure, targets []types.InstanceTarget) bool {
	for _, t := range targets {
		for _, e := range t.LifecycleEvents {
			if e.Status != types.LifecycleEventStatusFailed || e.Diagnostics == nil {
				continue
			}
			d := e.Diagnostics
			code, script := string(d.ErrorCode), aws.ToString(d.ScriptName)
			f.Cause = fmt.Sprintf("%s failed on %s", aws.ToString(e.LifecycleEventName), aws.ToString(t.TargetId))
			if script != "" {
				f.Cause += " in " + script
			}
			f.Evidence = append([]string{code + ": " + aws.ToString(d.Message)}, tail(aws.ToString(d.LogTail), consoleLines)...)
			f.Fix = scriptFix(code, script)
			return true
		}
	}
	return false
}

// agentIssue is CodeDeploy's word for an agent that does not answer.
const agentIssue = "AGENT_ISSUE"

// blameSilent looks for why no script has run: when an instance's agent is silent,
// its console shows what user data did last.
func (r *run) blameSilent(ctx context.Context, f *Failure, targets []types.InstanceTarget) {
	for _, t := range targets {
		if t.Status == types.TargetStatusSucceeded {
			continue
		}
		id := aws.ToString(t.TargetId)
		if lines := r.consoleTail(ctx, id); len(lines) > 0 {
			f.Evidence = append(append(f.Evidence, "the console of "+id+" ends with:"), lines...)
		}
		if f.Fix == "" {
			f.Fix = errorFix(agentIssue)
		}
		return
	}
}

func scriptFix(code, script string) string {
	switch code {
	case "ScriptMissing":
		return "the appspec file names " + script + ", which the archive does not hold: correct one of them"
	case "ScriptNotExecutable":
		return "make " + script + " executable"
	case "ScriptTimedOut":
		return "find out what " + script + " waits for, or give it a longer timeout in the appspec file; a server that it starts must not keep its output open (>/dev/null 2>&1 &)"
	case "ScriptFailed":
		return "correct " + script + " (its last lines are above), then run `hardstand deploy` again"
	}
	return "correct what the message names, then run `hardstand deploy` again"
}

func errorFix(code string) string {
	switch code {
	case "NO_INSTANCES":
		return "no running instance carries the tag: compare --target with the tags in the template"
	case agentIssue:
		return "look whether user data installed the CodeDeploy agent, and whether the instance profile lets it read the archive: `aws ec2 get-console-output`"
	case "IAM_ROLE_MISSING", "IAM_ROLE_PERMISSIONS":
		return "the service role must trust codedeploy.amazonaws.com and carry AWSCodeDeployRole"
	case "REVISION_MISSING":
		return "the instance profile must allow s3:Get* and s3:List* on the bucket of the archive"
	}
	return ""
}

// graceRounds is how many times AWS is asked whether it begins a rollback.
const graceRounds = 3

// awaitRollback follows the rollback that CodeDeploy started, and says what stands
// and whether that is the previous revision.
func (r *run) awaitRollback(ctx context.Context, info *types.DeploymentInfo) (stands string, back bool) {
	id, err := r.rollbackOf(ctx, aws.ToString(info.DeploymentId))
	if err != nil {
		return "whether anything was rolled back is not known: " + plain(err), false
	}
	if id == "" {
		return "nothing was rolled back: there is no earlier successful deployment", false
	}
	r.progress.detail("rolling back: " + id)
	last, err := r.follow(ctx, id)
	if err != nil {
		return "the rollback " + id + " is under way", true
	}
	if last.Status != types.DeploymentStatusSucceeded {
		return "the rollback " + id + " ended as " + string(last.Status), false
	}
	text := "the previous revision is back (" + id + ")"
	if url, err := r.expandURL(); err == nil && url != "" && r.probe(ctx, url) == nil {
		text += " and serves at " + url
	}
	return text, true
}

// rollbackOf returns the deployment with which CodeDeploy rolls another back, "" when
// it does not.
func (r *run) rollbackOf(ctx context.Context, deployment string) (string, error) {
	id, message, rounds := "", "", 0
	err := r.pace.poll(ctx, func() (bool, error) {
		out, err := r.deploy.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &deployment})
		if err != nil {
			return false, err
		}
		rounds++
		if rb := out.DeploymentInfo.RollbackInfo; rb != nil {
			id, message = aws.ToString(rb.RollbackDeploymentId), aws.ToString(rb.RollbackMessage)
		}
		return id != "" || message != "" || rounds == graceRounds, nil
	})
	return id, err
}
