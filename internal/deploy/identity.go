package deploy

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// roleOutput is the output of the identity stack that names CodeDeploy's role.
const roleOutput = "ServiceRole"

// identify finds the roles that the project needs: it brings the identity stack up
// where the command line asks for that, and takes what it says where it exists.
// Afterwards every parameter and the service role have a value.
func (r *run) identify(ctx context.Context) error {
	if r.identity != nil {
		if err := r.adoptIdentity(ctx); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(r.declared) {
		if _, given := r.Parameters[name]; !given && !r.declared[name] {
			f := usage("the template's parameter %s has no value", name)
			f.Fix = "give it with --parameter " + name + "=VALUE, or under parameters in hardstand.yaml" + r.identityHint()
			return f
		}
	}
	if r.ServiceRole == "" {
		f := usage("no service role is named")
		f.Fix = "name the role that CodeDeploy may assume with --service-role, or as serviceRole in hardstand.yaml" + r.identityHint()
		return f
	}
	return nil
}

func (r *run) identityStack() string { return r.Stack + "-identity" }

// identityHint is the other way to what is missing, where the project has one.
func (r *run) identityHint() string {
	if r.identity == nil {
		return ""
	}
	return "; or have an administrator make the stack " + r.identityStack() + ": `hardstand deploy --with-identity`"
}

func (r *run) adoptIdentity(ctx context.Context) error {
	name := r.identityStack()
	st, err := r.currentStack(ctx, name)
	if err != nil {
		return err
	}
	if r.WithIdentity {
		before := st
		st, err = r.bring(ctx, stackSpec{name, r.identity, map[string]string{"Bucket": r.bucket}})
		if err != nil {
			return err
		}
		r.newRoles = before == nil
	}
	if st != nil {
		r.takeOutputs(st)
		r.progress.detail(name + " " + string(st.StackStatus))
	}
	r.stackID = "" // the project's stack is not begun
	return nil
}

// takeOutputs gives the parameters and the service role that nobody has named what
// the identity stack says.
func (r *run) takeOutputs(st *types.Stack) {
	if r.Parameters == nil {
		r.Parameters = map[string]string{}
	}
	for k, v := range outputsOf(st) {
		_, declared := r.declared[k]
		if _, given := r.Parameters[k]; declared && !given {
			r.Parameters[k] = v
		}
		if k == roleOutput && r.ServiceRole == "" {
			r.ServiceRole = v
		}
	}
}
