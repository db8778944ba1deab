package deploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// The marks of what becomes of a resource.
const (
	markAdd     = "+"
	markModify  = "~"
	markReplace = "!"
	markRemove  = "-"
)

// resourceChange is what becomes of a resource, with a line for each property.
type resourceChange struct {
	mark, name, kind, note string
	details                []string
}

// planStack has CloudFormation compare the template with the stack.
func (p *planning) planStack(ctx context.Context) error {
	p.outlook.StackName = p.Stack
	st, err := p.currentStack(ctx, p.Stack)
	if err != nil {
		return err
	}
	kind := types.ChangeSetTypeCreate
	if st != nil {
		kind = types.ChangeSetTypeUpdate
		if inProgress(st.StackStatus) {
			return &Failure{Exit: ExitStack, Cause: "somebody is changing the stack " + p.Stack + ": it is " + string(st.StackStatus), Fix: "wait for the end of that: " + p.command("status")}
		}
		switch st.StackStatus {
		case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed:
			p.outlook.Stack = "is " + string(st.StackStatus) + ": what is left of it is removed, and everything in the template made"
			return nil
		}
		if fix := stuckFixes[st.StackStatus]; fix != "" {
			return &Failure{Exit: ExitStack, Cause: "the stack " + p.Stack + " is " + string(st.StackStatus) + " and cannot be updated",
				Evidence: reasons(st), Fix: strings.ReplaceAll(fix, "NAME", p.Stack)}
		}
	}
	if err := p.compare(ctx, kind); err != nil {
		return err
	}
	p.progress.detail(p.Stack)
	return nil
}

// cleanupPatience bounds the removal of a change set, also when the run was stopped.
const cleanupPatience = 30 * time.Second

// compare makes a change set, reads it and takes it away again.
func (p *planning) compare(ctx context.Context, kind types.ChangeSetType) (err error) {
	spec := stackSpec{p.Stack, p.template, p.Parameters}
	body := string(spec.template)
	made, err := p.cfn.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: &p.Stack, ChangeSetName: aws.String(fmt.Sprintf("hardstand-plan-%d", p.clock.Now().UnixMilli())), ChangeSetType: kind,
		TemplateBody: &body, Capabilities: capabilities, Parameters: spec.apiParameters(), Description: aws.String("hardstand plan: safe to delete"),
	})
	if err != nil {
		return &Failure{Cause: "the change set could not be made", Exit: ExitStack, Err: err}
	}
	defer func() {
		if gone := p.withdraw(ctx, made, kind); err == nil {
			err = gone
		}
	}()
	var last *cloudformation.DescribeChangeSetOutput
	err = p.pace.poll(ctx, func() (bool, error) {
		last, err = p.cfn.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: made.Id, IncludePropertyValues: aws.Bool(true)})
		return err == nil && (last.Status == types.ChangeSetStatusCreateComplete || last.Status == types.ChangeSetStatusFailed), err
	})
	if err != nil {
		return err
	}
	if last.Status == types.ChangeSetStatusFailed {
		return p.withoutChanges(aws.ToString(last.StatusReason))
	}
	return p.readChanges(ctx, last)
}

// withdraw deletes the change set, and of a stack that is not there yet the shell.
func (p *planning) withdraw(ctx context.Context, made *cloudformation.CreateChangeSetOutput, kind types.ChangeSetType) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
	defer cancel()
	if _, err := p.cfn.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: made.Id}); err != nil {
		return &Failure{Cause: "the change set could not be deleted", Exit: ExitStack, Err: err,
			Fix: "`aws cloudformation delete-change-set --change-set-name " + aws.ToString(made.Id) + "`"}
	}
	if kind != types.ChangeSetTypeCreate {
		return nil
	}
	st, err := p.currentStack(ctx, aws.ToString(made.StackId))
	if err != nil {
		return err
	}
	if st != nil && st.StackStatus != types.StackStatusReviewInProgress {
		return &Failure{Exit: ExitStack, Cause: "somebody has made the stack " + p.Stack + " during the plan: it is " + string(st.StackStatus),
			Fix: "wait for the end of that: " + p.command("status") + ", then plan again"}
	}
	if _, err := p.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: made.StackId}); err != nil {
		return &Failure{Cause: "the stack under review could not be deleted", Exit: ExitStack, Err: err,
			Fix: "`aws cloudformation delete-stack --stack-name " + p.Stack + "`"}
	}
	return p.pace.poll(ctx, func() (bool, error) {
		st, err := p.currentStack(ctx, aws.ToString(made.StackId))
		return err == nil && (st == nil || st.StackStatus == types.StackStatusDeleteComplete), err
	})
}

// withoutChanges tells a change set that has nothing to change from one that failed.
func (p *planning) withoutChanges(reason string) error {
	if strings.Contains(reason, "didn't contain changes") || strings.Contains(reason, "No updates are to be performed") {
		p.outlook.Stack = "stays as it is"
		return nil
	}
	return &Failure{Cause: "CloudFormation cannot make these changes", Exit: ExitStack, Evidence: []string{reason}, Fix: stackFix(reason)}
}

func (p *planning) readChanges(ctx context.Context, page *cloudformation.DescribeChangeSetOutput) error {
	for {
		for _, c := range page.Changes {
			if c.ResourceChange != nil {
				p.outlook.Changes = append(p.outlook.Changes, changeOf(c.ResourceChange))
			}
		}
		if page.NextToken == nil {
			return nil
		}
		var err error
		page, err = p.cfn.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: page.ChangeSetId, IncludePropertyValues: aws.Bool(true), NextToken: page.NextToken})
		if err != nil {
			return err
		}
	}
}

func changeOf(c *types.ResourceChange) resourceChange {
	out := resourceChange{mark: markModify, name: aws.ToString(c.LogicalResourceId), kind: aws.ToString(c.ResourceType)}
	switch c.Action {
	case types.ChangeActionAdd:
		out.mark = markAdd
		return out
	case types.ChangeActionRemove:
		if out.mark = markRemove; c.PolicyAction == types.PolicyActionRetain {
			out.note = " leaves the stack and stays"
		}
		return out
	case types.ChangeActionModify:
	default: // Import, Dynamic
		out.note = " " + string(c.Action)
	}
	switch c.Replacement {
	case types.ReplacementTrue:
		out.mark, out.note = markReplace, " is replaced"
	case types.ReplacementConditional:
		out.note += " may be replaced"
	}
	for _, d := range c.Details {
		out.details = appendNew(out.details, detailOf(d))
	}
	return out
}

// appendNew leaves out what is there: one property may change for several reasons.
func appendNew(list []string, line string) []string {
	for _, l := range list {
		if l == line {
			return list
		}
	}
	return append(list, line)
}

// detailOf is a property with its values before and after, as far as they are known.
func detailOf(d types.ResourceChangeDetail) string {
	t := d.Target
	if t == nil {
		return "for a reason that is not said"
	}
	name := string(t.Attribute)
	if t.Attribute == types.ResourceAttributeProperties {
		name = aws.ToString(t.Name)
		if path := strings.ReplaceAll(strings.TrimPrefix(aws.ToString(t.Path), "/Properties/"), "/", "."); path != "" && path != aws.ToString(t.Path) {
			name = path
		}
	}
	text := name
	if t.BeforeValue != nil || t.AfterValue != nil {
		before, after := differing(t.BeforeValue, t.AfterValue)
		text += ": " + before + " -> " + after
	}
	switch t.RequiresRecreation {
	case types.RequiresRecreationAlways:
		text += " (replaces)"
	case types.RequiresRecreationConditionally:
		text += " (may replace)"
	}
	return text
}

// maxShown is how much of a value is shown, and lead how much of that before the
// first difference.
const (
	maxShown = 120
	lead     = 20
)

// differing returns two values as a line has room for them: long ones from shortly
// before where they begin to differ.
func differing(before, after *string) (was, becomes string) {
	a, b := []rune(aws.ToString(before)), []rune(aws.ToString(after))
	start := 0
	if before != nil && after != nil && max(len(a), len(b)) > maxShown {
		for start < min(len(a), len(b)) && a[start] == b[start] {
			start++
		}
		start = max(0, start-lead)
	}
	return excerpt(before, a, start), excerpt(after, b, start)
}

func excerpt(v *string, text []rune, start int) string {
	if v == nil {
		return "nothing"
	}
	out := string(text[start:min(len(text), start+maxShown)])
	if start > 0 {
		out = "…" + out
	}
	if start+maxShown < len(text) {
		out += "…"
	}
	return out
}
