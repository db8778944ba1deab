package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// maxInlineTemplate is the size in bytes up to which a template goes in the
// request; a larger one goes by way of the bucket.
const maxInlineTemplate = 51200

// validateTemplate has CloudFormation read the template before anything is made,
// but for the bucket that a large template needs.
func (r *run) validateTemplate(ctx context.Context) error {
	ref, err := r.templateRef(ctx, r.template)
	if err != nil {
		return err
	}
	out, err := r.cfn.ValidateTemplate(ctx, &cloudformation.ValidateTemplateInput{TemplateBody: ref.body, TemplateURL: ref.url})
	if errorCode(err) == "ValidationError" {
		return &Failure{Cause: r.Template + " is not valid", Exit: ExitCheck, Err: err}
	}
	if err != nil {
		return err
	}
	r.declared = map[string]bool{}
	for _, p := range out.Parameters {
		r.declared[aws.ToString(p.ParameterKey)] = p.DefaultValue != nil
	}
	for _, name := range sortedKeys(r.Parameters) {
		if _, ok := r.declared[name]; !ok {
			return usage("the template has no parameter %s", name)
		}
	}
	return nil
}

// templateRef is a template as requests carry it: itself, or where it lies.
type templateRef struct{ body, url *string }

func (r *run) templateRef(ctx context.Context, text []byte) (templateRef, error) {
	if len(text) <= maxInlineTemplate {
		return templateRef{body: aws.String(string(text))}, nil
	}
	sum := sha256.Sum256(text)
	key := r.Application + "/" + hex.EncodeToString(sum[:8]) + ".template"
	ref := templateRef{url: aws.String(r.objectURL(key))}
	if r.stored[key] {
		return ref, nil
	}
	if _, err := r.put(ctx, key, text); err != nil {
		return templateRef{}, err
	}
	r.stored[key] = true
	return ref, nil
}

// objectURL is where CloudFormation finds an object of the bucket.
func (r *run) objectURL(key string) string {
	base := strings.TrimRight(r.endpoint, "/")
	if base == "" {
		base = "https://s3." + r.region + ".amazonaws.com"
		if strings.HasPrefix(r.region, "cn-") {
			base += ".cn"
		}
	}
	return base + (&url.URL{Path: "/" + r.bucket + "/" + key}).EscapedPath()
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

// bring creates the stack or updates it, and waits until it rests.
func (r *run) bring(ctx context.Context, spec stackSpec) (*types.Stack, error) {
	ref, err := r.templateRef(ctx, spec.template)
	if err != nil {
		return nil, err
	}
	st, err := r.settled(ctx, spec.name)
	if err != nil {
		return nil, err
	}
	var earlier eventSet
	if st == nil {
		err = r.createStack(ctx, spec, ref)
	} else {
		r.stackID = aws.ToString(st.StackId)
		if earlier, err = r.earlierEvents(ctx); err == nil {
			err = r.updateStack(ctx, spec, ref)
		}
	}
	if isNoUpdate(err) {
		r.progress.detail(spec.name + " " + string(st.StackStatus) + ", nothing to change")
		return st, nil
	}
	if err != nil {
		return nil, err
	}
	return r.awaitStack(ctx, spec.name, earlier)
}

var capabilities = []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand}

func (s stackSpec) apiParameters() []types.Parameter {
	var out []types.Parameter
	for _, k := range sortedKeys(s.parameters) {
		out = append(out, types.Parameter{ParameterKey: aws.String(k), ParameterValue: aws.String(s.parameters[k])})
	}
	return out
}

func (r *run) createStack(ctx context.Context, spec stackSpec, ref templateRef) error {
	out, err := r.cfn.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &spec.name, TemplateBody: ref.body, TemplateURL: ref.url, Capabilities: capabilities, Parameters: spec.apiParameters(),
	})
	if err != nil {
		return &Failure{Cause: "the stack " + spec.name + " could not be created", Exit: ExitStack, Err: err}
	}
	r.stackID = aws.ToString(out.StackId)
	return nil
}

func (r *run) updateStack(ctx context.Context, spec stackSpec, ref templateRef) error {
	_, err := r.cfn.UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: &spec.name, TemplateBody: ref.body, TemplateURL: ref.url, Capabilities: capabilities, Parameters: spec.apiParameters(),
	})
	if err != nil {
		return &Failure{Cause: "the stack " + spec.name + " could not be updated", Exit: ExitStack, Err: err}
	}
	return nil
}

func isNoUpdate(err error) bool {
	return errorCode(err) == "ValidationError" && strings.Contains(err.Error(), "No updates are to be performed")
}

var goodStack = []types.StackStatus{types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete}

// awaitStack follows the stack until it rests.
func (r *run) awaitStack(ctx context.Context, name string, earlier eventSet) (*types.Stack, error) {
	shown := earlier.clone()
	last, err := r.atRest(ctx, r.stackID, func() error { return r.showEvents(ctx, shown) })
	if err != nil {
		return nil, err
	}
	if !slices.Contains(goodStack, last.StackStatus) {
		return nil, r.stackFailed(ctx, name, last, earlier)
	}
	r.progress.detail(name + " " + string(last.StackStatus))
	return last, nil
}
