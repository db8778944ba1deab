package deploy

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// validateTemplate has CloudFormation read the template before anything is made.
func (r *run) validateTemplate(ctx context.Context) error {
	if len(r.template) > maxInlineTemplate {
		return nil // it goes by way of the bucket; CreateStack validates it
	}
	out, err := r.cfn.ValidateTemplate(ctx, &cloudformation.ValidateTemplateInput{TemplateBody: aws.String(string(r.template))})
	if errorCode(err) == "ValidationError" {
		return &Failure{Step: "check", Cause: r.Template + " is not valid", Exit: ExitCheck, Err: err}
	}
	if err != nil {
		return err
	}
	r.declared = map[string]bool{}
	for _, p := range out.Parameters {
		r.declared[aws.ToString(p.ParameterKey)] = p.DefaultValue != nil
	}
	for name := range r.Parameters {
		if _, ok := r.declared[name]; !ok {
			return usage("the template has no parameter %s", name)
		}
	}
	return nil
}

// stackSpec is a stack as it is to be.
type stackSpec struct {
	name       string
	template   []byte
	parameters map[string]string
}

// provision brings the project's stack up to date.
func (r *run) provision(ctx context.Context) error {
	st, err := r.bring(ctx, stackSpec{r.Stack, r.template, r.Parameters})
	if err != nil {
		return err
	}
	r.outputs = outputsOf(st)
	return nil
}

func outputsOf(st *types.Stack) map[string]string {
	out := map[string]string{}
	for _, o := range st.Outputs {
		out[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return out
}

// bring creates a stack or updates it, and follows it until it rests.
func (r *run) bring(ctx context.Context, spec stackSpec) (*types.Stack, error) {
	body, url, err := r.templateRef(ctx, spec)
	if err != nil {
		return nil, err
	}
	st, err := r.currentStack(ctx, spec.name)
	if err != nil {
		return nil, err
	}
	if st != nil && st.StackStatus == types.StackStatusRollbackComplete {
		r.progress.detail("an earlier creation failed and was rolled back; removing what is left of it")
		if err := r.removeStack(ctx, st); err != nil {
			return nil, err
		}
		st = nil
	}
	seen := map[string]bool{}
	if st == nil {
		err = r.createStack(ctx, spec, body, url)
	} else if err = r.earlierEvents(ctx, st, seen); err == nil {
		err = r.updateStack(ctx, st, spec, body, url)
	}
	if err != nil {
		return nil, err
	}
	return r.awaitStack(ctx, spec.name, seen)
}

func (r *run) templateRef(ctx context.Context, spec stackSpec) (body, url *string, err error) {
	if len(spec.template) <= maxInlineTemplate {
		return aws.String(string(spec.template)), nil, nil
	}
	key := r.Application + "/" + spec.name + ".template"
	if _, err := r.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.bucket, Key: &key, Body: bytes.NewReader(spec.template)}); err != nil {
		return nil, nil, err
	}
	return nil, aws.String("https://s3." + r.region + ".amazonaws.com/" + r.bucket + "/" + key), nil
}

// currentStack returns the stack, or nil when there is none.
func (r *run) currentStack(ctx context.Context, name string) (*types.Stack, error) {
	out, err := r.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if errorCode(err) == "ValidationError" && strings.Contains(err.Error(), "does not exist") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &out.Stacks[0], nil
}

func (r *run) removeStack(ctx context.Context, st *types.Stack) error {
	if _, err := r.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: st.StackId}); err != nil {
		return err
	}
	return r.pace.poll(ctx, func() (bool, error) {
		out, err := r.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: st.StackId})
		if err != nil {
			return false, err
		}
		switch out.Stacks[0].StackStatus {
		case types.StackStatusDeleteComplete:
			return true, nil
		case types.StackStatusDeleteFailed:
			return false, &Failure{Step: "stack", Exit: ExitStack, Cause: "what an earlier creation left could not be removed: " + aws.ToString(out.Stacks[0].StackStatusReason)}
		}
		return false, nil
	})
}

var capabilities = []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand}

func (s stackSpec) apiParameters() []types.Parameter {
	var out []types.Parameter
	for _, k := range sortedKeys(s.parameters) {
		out = append(out, types.Parameter{ParameterKey: aws.String(k), ParameterValue: aws.String(s.parameters[k])})
	}
	return out
}

func (r *run) createStack(ctx context.Context, spec stackSpec, body, url *string) error {
	out, err := r.cfn.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &spec.name, TemplateBody: body, TemplateURL: url, Capabilities: capabilities, Parameters: spec.apiParameters(),
	})
	if err != nil {
		return &Failure{Step: "stack", Cause: "the stack could not be created", Exit: ExitStack, Err: err}
	}
	r.stackID = aws.ToString(out.StackId)
	return nil
}

func (r *run) updateStack(ctx context.Context, st *types.Stack, spec stackSpec, body, url *string) error {
	r.stackID = aws.ToString(st.StackId)
	_, err := r.cfn.UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: &spec.name, TemplateBody: body, TemplateURL: url, Capabilities: capabilities, Parameters: spec.apiParameters(),
	})
	if errorCode(err) == "ValidationError" && strings.Contains(err.Error(), "No updates are to be performed") {
		r.progress.detail("nothing to change")
		return nil
	}
	if err != nil {
		return &Failure{Step: "stack", Cause: "the stack could not be updated", Exit: ExitStack, Err: err}
	}
	return nil
}

var goodStack = []types.StackStatus{types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete}

// awaitStack follows the stack until it rests.
func (r *run) awaitStack(ctx context.Context, name string, seen map[string]bool) (*types.Stack, error) {
	var last types.Stack
	err := r.pace.poll(ctx, func() (bool, error) {
		out, err := r.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &r.stackID})
		if err != nil {
			return false, err
		}
		last = out.Stacks[0]
		if err := r.showEvents(ctx, seen); err != nil {
			return false, err
		}
		return !strings.HasSuffix(string(last.StackStatus), "_IN_PROGRESS"), nil
	})
	if err != nil {
		return nil, err
	}
	if !slices.Contains(goodStack, last.StackStatus) {
		return nil, r.stackFailed(ctx, name, last)
	}
	r.progress.detail(name + " " + string(last.StackStatus))
	return &last, nil
}

// earlierEvents notes the events that the stack had before this run.
func (r *run) earlierEvents(ctx context.Context, st *types.Stack, seen map[string]bool) error {
	out, err := r.cfn.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: st.StackId})
	if err != nil {
		return err
	}
	for _, e := range out.StackEvents {
		seen[aws.ToString(e.EventId)] = true
	}
	return nil
}

// showEvents puts new resource events into the progress, oldest first.
func (r *run) showEvents(ctx context.Context, seen map[string]bool) error {
	out, err := r.cfn.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &r.stackID})
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(out.StackEvents) {
		id := aws.ToString(e.EventId)
		if seen[id] || aws.ToString(e.PhysicalResourceId) == r.stackID {
			continue
		}
		seen[id] = true
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

// stackFailed finds the first resource that failed and why.
func (r *run) stackFailed(ctx context.Context, name string, st types.Stack) error {
	f := &Failure{Step: "stack", Exit: ExitStack, State: "the stack " + name + " is " + string(st.StackStatus),
		Cause: fmt.Sprintf("the stack %s went to %s", name, st.StackStatus)}
	if reason := aws.ToString(st.StackStatusReason); reason != "" {
		f.Evidence = append(f.Evidence, reason)
	}
	out, err := r.cfn.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &r.stackID})
	if err != nil {
		return f
	}
	for _, e := range slices.Backward(out.StackEvents) {
		reason := aws.ToString(e.ResourceStatusReason)
		if !strings.HasSuffix(string(e.ResourceStatus), "_FAILED") || strings.Contains(reason, "cancelled") {
			continue
		}
		f.Cause = fmt.Sprintf("%s (%s) is %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), e.ResourceStatus)
		f.Evidence = []string{reason}
		f.Fix = stackFix(reason)
		if aws.ToString(e.ResourceType) == "AWS::EC2::Instance" {
			console := r.consoleTail(ctx, aws.ToString(e.PhysicalResourceId))
			f.Evidence = append(f.Evidence, console...)
			if f.Fix == "" && len(console) > 0 {
				f.Fix = "the lines above are the end of the instance's console: what its user data did last"
			}
		}
		return f
	}
	return f
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
