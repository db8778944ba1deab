package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// Back says what to go back to; nothing means the last successful revision before the
// current one.
type Back struct {
	// To is a deployment whose revision it is to be, Revision a revision: its key,
	// s3://BUCKET/KEY or commit.
	To, Revision string
	// Stop stops the deployment that runs, in place of refusing because it does.
	Stop bool
}

// Rollback deploys an earlier revision again, follows it and verifies the URL.
func Rollback(ctx context.Context, o Options, back Back, s Settings) (*Result, error) {
	s = s.complete()
	r, err := walk(ctx, s, func(r *run) []stage {
		b := &backing{run: r, Back: back}
		stages := []stage{{"check", func(ctx context.Context) error { return b.check(ctx, o, s) }}}
		if back.Stop {
			stages = append(stages, stage{"stop", b.stop})
		}
		return append(stages, stage{"revision", b.choose}, stage{"deployment", b.redeploy}, stage{"url", r.verify})
	})
	if err != nil {
		return nil, err
	}
	return &Result{StackID: r.stackID, DeploymentID: r.deployment, URL: r.URL, Outputs: r.outputs}, nil
}

// backing is one way back.
type backing struct {
	*run
	Back
	chosen *types.DeploymentInfo // whose revision it is to be
	done   bool                  // CodeDeploy's own rollback has led there
}

// check finds the names, the caller and, for the URL, what the stack says.
func (b *backing) check(ctx context.Context, o Options, s Settings) error {
	if b.To != "" && b.Revision != "" {
		return usage("a deployment and a revision to go back to are two answers to one question: give --to or --revision")
	}
	if err := b.locate(ctx, o, s); err != nil {
		return err
	}
	st, err := b.currentStack(ctx, b.Stack)
	if errorCode(err) != "" { // whatever keeps CloudFormation from answering, the way back is open
		if placeholder.MatchString(b.URL) {
			b.URL = "" // it cannot be known
		}
		b.progress.item(b.Stack, "the outputs may not be read: "+plain(err), done)
		return nil
	}
	if err != nil {
		return err
	}
	if st != nil {
		b.stackID, b.outputs = aws.ToString(st.StackId), outputsOf(st)
	}
	return nil
}

// stop stops the deployment that runs. Where nothing else was asked for CodeDeploy
// itself goes back then, to the last successful revision.
func (b *backing) stop(ctx context.Context) error {
	running, err := b.runningDeployment(ctx)
	if isNoGroup(err) {
		return b.nothingDeployed()
	}
	if err != nil {
		return err
	}
	if running == nil {
		b.progress.detail("no deployment runs")
		return nil
	}
	id, itself := aws.ToString(running.DeploymentId), b.To == "" && b.Revision == ""
	if running.Creator == types.DeploymentCreatorCodeDeployRollback && itself {
		return &Failure{Exit: ExitDeployment, Cause: "the deployment that runs, " + id + ", is itself a rollback",
			Fix: "wait for its end (" + b.command("status") + "), or say with --to what to go back to", State: "nothing was changed"}
	}
	_, err = b.deploy.StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: &id, AutoRollbackEnabled: &itself})
	if errorCode(err) == "DeploymentAlreadyCompletedException" {
		b.progress.detail(id + " has just ended")
		return nil
	}
	if err != nil {
		return &Failure{Exit: ExitDeployment, Cause: "the deployment " + id + " could not be stopped", Err: err}
	}
	b.deployment = id
	b.progress.detail("stopping " + id)
	return b.awaitStop(ctx, id, itself)
}

// awaitStop follows the stopped deployment to its end, and the rollback that
// CodeDeploy starts then.
func (b *backing) awaitStop(ctx context.Context, id string, itself bool) error {
	info, err := b.follow(ctx, id)
	if err != nil {
		return err
	}
	b.progress.detail(id + " " + string(info.Status))
	b.deployment = ""
	if !itself || info.Status == types.DeploymentStatusSucceeded {
		return nil // what there is to go back to is another question
	}
	rollback, err := b.rollbackOf(ctx, id)
	if err != nil {
		return err
	}
	if rollback == "" {
		return &Failure{Exit: ExitDeployment, Cause: "the deployment " + id + " ended as " + string(info.Status) + ", and there is nothing to go back to",
			Fix: "correct the application, then run " + b.command("deploy"), State: "the instances have what the deployment has left"}
	}
	b.deployment = rollback
	b.progress.detail(id + " " + string(info.Status) + ", rolling back: " + rollback)
	back, err := b.follow(ctx, rollback)
	if err != nil {
		return err
	}
	if back.Status != types.DeploymentStatusSucceeded {
		return b.deploymentFailed(ctx, back)
	}
	b.done = true
	b.progress.detail(id + " " + string(info.Status) + ", " + rollback + " " + string(back.Status) + ": " + revisionName(back.Revision))
	return nil
}

func (b *backing) nothingDeployed() error {
	return &Failure{Exit: ExitDeployment, Cause: "nothing was deployed to " + b.Application + " / " + b.Group + " yet: there is nothing to go back to",
		Fix: "run " + b.command("deploy") + ", or name another group with --application and --group"}
}

// redeploy deploys the chosen revision.
func (b *backing) redeploy(ctx context.Context) error {
	if b.done {
		b.progress.detail(b.deployment)
		return nil
	}
	spec := deploymentSpec{revision: b.chosen.Revision, description: rollbackWords + aws.ToString(b.chosen.DeploymentId)}
	if b.Config != "" {
		spec.config = &b.Config
	}
	return b.releaseRevision(ctx, spec)
}

// rollbackWords begin the description of a deployment that goes back: the next
// rollback knows it by them.
const rollbackWords = "hardstand rollback to "

func goesBack(d *types.DeploymentInfo) bool {
	return strings.HasPrefix(aws.ToString(d.Description), rollbackWords)
}

// refuseRunning says what to do about a deployment that runs.
func (b *backing) refuseRunning(d *types.DeploymentInfo) error {
	f := &Failure{Exit: ExitDeployment, State: "nothing was changed",
		Cause: fmt.Sprintf("the deployment %s of %s is %s", aws.ToString(d.DeploymentId), revisionName(d.Revision), d.Status),
		Fix:   b.command("rollback --stop") + " stops it and goes back; " + b.command("status") + " shows how far it is"}
	if d.Creator == types.DeploymentCreatorCodeDeployRollback {
		f.Cause += ", and is itself a rollback"
		f.Fix = "wait for its end: " + b.command("status")
	}
	return f
}
