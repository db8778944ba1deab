package app

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// Logs prints the output of a deployment's scripts, whole, event by event: of every
// instance, or of those named.
func (q Questions) Logs(ctx context.Context, w io.Writer, deployment string, instances []string) error {
	var d codedeploy.GetDeploymentOutput
	if err := q.deployments(ctx, codedeploy.Model(), "GetDeployment", &codedeploy.GetDeploymentInput{DeploymentId: &deployment}, &d); err != nil {
		return err
	}
	printDeployment(w, d.DeploymentInfo)
	known, err := q.targetsOf(ctx, d.DeploymentInfo)
	if err != nil {
		return err
	}
	for _, id := range instances {
		if !slices.Contains(known, id) {
			return &Refusal{Cause: fmt.Sprintf("deployment %s has no instance %s", deployment, id), Remedy: "it has: " + strings.Join(known, " ")}
		}
	}
	if len(instances) == 0 {
		instances = known
	}
	for _, id := range instances {
		if err := q.logOf(ctx, w, deployment, id); err != nil {
			return err
		}
	}
	return nil
}

func printDeployment(w io.Writer, d *codedeploy.DeploymentInfo) {
	fmt.Fprintf(w, "%s %s: %s, group %s\n", aws.Val(d.DeploymentId), d.Status, aws.Val(d.ApplicationName), aws.Val(d.DeploymentGroupName))
	if e := d.ErrorInformation; e != nil {
		fmt.Fprintf(w, "%s: %s\n", e.Code, aws.Val(e.Message))
	}
	for _, m := range d.DeploymentStatusMessages {
		fmt.Fprintln(w, m)
	}
}

// targetsOf lists the deployment's instances; one that ended before it began has
// none.
func (q Questions) targetsOf(ctx context.Context, d *codedeploy.DeploymentInfo) ([]string, error) {
	if d.StartTime == nil {
		return nil, nil
	}
	var all []string
	in := &codedeploy.ListDeploymentTargetsInput{DeploymentId: d.DeploymentId}
	for {
		var page codedeploy.ListDeploymentTargetsOutput
		if err := q.deployments(ctx, codedeploy.Model(), "ListDeploymentTargets", in, &page); err != nil {
			return nil, err
		}
		all = append(all, page.TargetIds...)
		if in.NextToken = page.NextToken; aws.Val(in.NextToken) == "" {
			return all, nil
		}
	}
}

// logOf prints one instance's events, each with its output.
func (q Questions) logOf(ctx context.Context, w io.Writer, deployment, id string) error {
	var out codedeploy.GetDeploymentTargetOutput
	err := q.deployments(ctx, codedeploy.Model(), "GetDeploymentTarget", &codedeploy.GetDeploymentTargetInput{DeploymentId: &deployment, TargetId: &id}, &out)
	if err != nil {
		return err
	}
	t := out.DeploymentTarget.InstanceTarget
	fmt.Fprintf(w, "\n%s %s\n", id, t.Status)
	output, err := q.outputOf(ctx, deployment, id)
	if err != nil {
		return err
	}
	for _, e := range t.LifecycleEvents {
		name := aws.Val(e.LifecycleEventName)
		fmt.Fprintf(w, "-- %s %s", name, e.Status)
		text := output[name]
		if d := e.Diagnostics; d != nil && e.Status == codedeploy.LifecycleEventStatusFailed {
			fmt.Fprintf(w, ": %s: %s", d.ErrorCode, strings.TrimSpace(aws.Val(d.Message)))
			if text == "" { // AWS's agents send no more than the last lines
				text = aws.Val(d.LogTail)
			}
		}
		fmt.Fprintln(w)
		if text != "" {
			fmt.Fprintln(w, strings.TrimRight(text, "\n"))
		}
	}
	return nil
}

// outputOf reads all of the output that an instance has sent, by event.
func (q Questions) outputOf(ctx context.Context, deployment, id string) (map[string]string, error) {
	output := map[string]string{}
	in := &codedeploycommands.GetDeploymentLogInput{DeploymentId: &deployment, TargetId: &id}
	for {
		var page codedeploycommands.GetDeploymentLogOutput
		if err := q.deployments(ctx, codedeploycommands.Model(), "GetDeploymentLog", in, &page); err != nil {
			return nil, err
		}
		for _, p := range page.Parts {
			output[aws.Val(p.LifecycleEventName)] += aws.Val(p.Text)
		}
		if in.NextToken = page.NextToken; len(page.Parts) == 0 || in.NextToken == nil {
			return output, nil
		}
	}
}

// deployments calls an operation of CodeDeploy.
func (q Questions) deployments(ctx context.Context, m *model.Service, operation string, in, out any) error {
	c := client.Client{Model: m, Config: q.config}
	err := c.Call(ctx, operation, in, out)
	e := awserr.As(err)
	switch {
	case err == nil:
		return nil
	case e == nil:
		return &Refusal{Cause: "no server answers", Remedy: "start it with `hardstand serve`", Err: err}
	case e.Code == "AccessDeniedException":
		return &Refusal{Cause: e.Message, Remedy: "ask as somebody who may, or as root without AWS_* variables"}
	}
	return &Refusal{Cause: e.Message, Remedy: "`aws deploy list-deployments` lists what there is"}
}
