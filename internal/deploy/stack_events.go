package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// eventSet holds the ids of stack events.
type eventSet map[string]bool

func (s eventSet) clone() eventSet {
	if s == nil {
		return eventSet{}
	}
	return maps.Clone(s)
}

// earlierEvents returns what the stack had seen before this run: at least its last
// event, behind which nobody looks.
func (r *run) earlierEvents(ctx context.Context) (eventSet, error) {
	out, err := r.cfn.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &r.stackID})
	if err != nil {
		return nil, err
	}
	earlier := eventSet{}
	for _, e := range out.StackEvents {
		earlier[aws.ToString(e.EventId)] = true
	}
	return earlier, nil
}

// newEvents returns the events that are not known, oldest first. AWS lists the
// newest first, so that the first known one ends the search.
func (r *run) newEvents(ctx context.Context, known eventSet) ([]types.StackEvent, error) {
	var found []types.StackEvent
	pages := cloudformation.NewDescribeStackEventsPaginator(r.cfn, &cloudformation.DescribeStackEventsInput{StackName: &r.stackID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.StackEvents {
			if known[aws.ToString(e.EventId)] {
				slices.Reverse(found)
				return found, nil
			}
			found = append(found, e)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// showEvents puts what is new about resources into the progress.
func (r *run) showEvents(ctx context.Context, shown eventSet) error {
	events, err := r.newEvents(ctx, shown)
	if err != nil {
		return err
	}
	for _, e := range events {
		shown[aws.ToString(e.EventId)] = true
		if aws.ToString(e.PhysicalResourceId) == r.stackID {
			continue
		}
		status := string(e.ResourceStatus)
		r.progress.item(aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType)+" "+status, itemState(status))
	}
	return nil
}

func itemState(status string) state {
	switch {
	case strings.HasSuffix(status, "_FAILED"):
		return failed
	case strings.HasSuffix(status, "_IN_PROGRESS"):
		return running
	}
	return done
}

// stackFailed finds the first resource that failed in this run, and why.
func (r *run) stackFailed(ctx context.Context, name string, st *types.Stack, earlier eventSet) error {
	f := &Failure{Exit: ExitStack, State: "the stack " + name + " is " + string(st.StackStatus),
		Cause: fmt.Sprintf("the stack %s went to %s", name, st.StackStatus), Evidence: reasons(st), See: r.command("status") + " shows what serves now"}
	events, err := r.newEvents(ctx, earlier)
	if err != nil {
		return f // what is known is worth more than why no more is
	}
	r.blameResource(ctx, f, events)
	return f
}

// blameResource takes cause, evidence and remedy from the first resource that failed
// in events, which begin with the oldest.
func (r *run) blameResource(ctx context.Context, f *Failure, events []types.StackEvent) {
	i := slices.IndexFunc(events, func(e types.StackEvent) bool {
		return strings.HasSuffix(string(e.ResourceStatus), "_FAILED") && aws.ToString(e.PhysicalResourceId) != r.stackID &&
			!strings.Contains(aws.ToString(e.ResourceStatusReason), "cancelled")
	})
	if i < 0 {
		return
	}
	e := events[i]
	reason := aws.ToString(e.ResourceStatusReason)
	f.Cause = fmt.Sprintf("%s (%s) is %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), e.ResourceStatus)
	f.Evidence = []string{reason}
	f.Fix = stackFix(reason)
	if aws.ToString(e.ResourceType) != "AWS::EC2::Instance" {
		return
	}
	if lines := r.consoleTail(ctx, aws.ToString(e.PhysicalResourceId)); len(lines) > 0 {
		f.Evidence = append(f.Evidence, lines...)
		if f.Fix == "" {
			f.Fix = "the lines above are the end of the instance's console: what its user data did last"
		}
	}
}

func stackFix(reason string) string {
	switch {
	case strings.Contains(reason, "not authorized"):
		return "grant the caller the action that the message names: a stack acts with the permissions of who creates it"
	case strings.Contains(reason, "already exists"):
		return "remove or rename the resource that has the name, or leave the name to CloudFormation"
	}
	return ""
}
