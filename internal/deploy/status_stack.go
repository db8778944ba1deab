package deploy

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// The types of resources that a look follows.
const (
	typeInstance     = "AWS::EC2::Instance"
	typeScalingGroup = "AWS::AutoScaling::AutoScalingGroup"
	typeTargetGroup  = "AWS::ElasticLoadBalancingV2::TargetGroup"
	typeBalancer     = "AWS::ElasticLoadBalancing::LoadBalancer"
)

func (i *inspection) lookAtStack(ctx context.Context) error {
	rep := &i.report.Stack
	rep.Name = i.Stack
	st, err := i.currentStack(ctx, i.Stack)
	if err != nil {
		rep.Unread, err = unread(err)
		return err
	}
	if st == nil {
		i.problem(ExitStack, "there is no stack "+i.Stack+": nothing was deployed yet")
		return nil
	}
	i.stackID, i.outputs = aws.ToString(st.StackId), outputsOf(st)
	rep.ID, rep.Status = i.stackID, string(st.StackStatus)
	for _, k := range sortedKeys(i.outputs) {
		if isURL(i.outputs[k]) {
			rep.URLs = append(rep.URLs, output{k, i.outputs[k]})
		}
	}
	if err := i.judgeStack(ctx, st); err != nil {
		return err
	}
	rep.Resources, err = unread(i.listResources(ctx))
	return err
}

func isURL(v string) bool { return strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://") }

// judgeStack tells a stack that somebody is changing from one whose last change did
// not succeed, and says why it did not.
func (i *inspection) judgeStack(ctx context.Context, st *types.Stack) error {
	if inProgress(st.StackStatus) && !strings.Contains(string(st.StackStatus), "ROLLBACK") {
		i.changing = true
		return nil
	}
	if slices.Contains(goodStack, st.StackStatus) {
		return nil
	}
	i.problem(ExitStack, "the stack "+i.Stack+" is "+string(st.StackStatus))
	rep := &i.report.Stack
	rep.Reason = reasons(st)
	events, err := i.lastOperation(ctx)
	if err != nil {
		text, err := unread(err)
		rep.Reason = append(rep.Reason, "its events may not be read: "+text)
		return err
	}
	var f Failure
	if i.blameResource(ctx, &f, events); f.Cause != "" {
		rep.Reason = append([]string{f.Cause}, f.Evidence...)
	}
	return nil
}

// lastOperation returns the events of what was last done to the stack, oldest first:
// it begins with an event of the stack's own.
func (r *run) lastOperation(ctx context.Context) ([]types.StackEvent, error) {
	var found []types.StackEvent
	pages := cloudformation.NewDescribeStackEventsPaginator(r.cfn, &cloudformation.DescribeStackEventsInput{StackName: &r.stackID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.StackEvents {
			found = append(found, e)
			if aws.ToString(e.PhysicalResourceId) == r.stackID && slices.Contains(beginnings, e.ResourceStatus) {
				slices.Reverse(found)
				return found, nil
			}
		}
	}
	slices.Reverse(found)
	return found, nil
}

var beginnings = []types.ResourceStatus{
	types.ResourceStatusCreateInProgress, types.ResourceStatusUpdateInProgress, types.ResourceStatusDeleteInProgress, types.ResourceStatusImportInProgress,
}

// listResources notes what the stack has of what a look follows.
func (i *inspection) listResources(ctx context.Context) error {
	pages := cloudformation.NewListStackResourcesPaginator(i.cfn, &cloudformation.ListStackResourcesInput{StackName: &i.stackID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, res := range page.StackResourceSummaries {
			id, kind := aws.ToString(res.PhysicalResourceId), aws.ToString(res.ResourceType)
			if id == "" || res.ResourceStatus == types.ResourceStatusDeleteComplete {
				continue
			}
			i.resources[kind] = append(i.resources[kind], id)
			i.logical[id] = aws.ToString(res.LogicalResourceId)
		}
	}
	return nil
}
