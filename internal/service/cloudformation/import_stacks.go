package cloudformation

import (
	"context"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// ImportStacksToStackSet makes stacks that exist instances of a set. Their template
// must be the set's.
func (s *Service) ImportStacksToStackSet(ctx context.Context, in *api.ImportStacksToStackSetInput) (*api.ImportStacksToStackSetOutput, error) {
	if err := notBuilt(map[string]bool{"StackIdsUrl": in.StackIdsUrl != nil}); err != nil {
		return nil, err
	}
	if len(in.OrganizationalUnitIds) > 0 {
		return nil, invalid("StackSets with SELF_MANAGED permission model can only have accounts as target")
	}
	if len(in.StackIds) == 0 {
		return nil, invalid("StackIds list cannot be empty")
	}
	r := setRequest{in.StackSetName, in.OperationId, api.StackSetOperationActionCreate, in.OperationPreferences, in.CallAs, in}
	id, err := s.beginOperation(ctx, r, func(tx *store.Tx, set *stackSet, op *setOperation) error {
		op.Import = true
		taken, err := instancesOf(tx, set.ID)
		if err != nil {
			return err
		}
		for _, id := range in.StackIds {
			t, err := importable(tx, id)
			if err != nil {
				return err
			}
			for _, have := range taken {
				if have.target == t {
					return awserr.New("InvalidOperationException", "StackSet %s has an instance in account %s and region %s already", set.Name, t.Account, t.Region)
				}
			}
			i := newInstance(set, t)
			i.StackID = id
			if err := op.pending(tx, set, i); err != nil {
				return err
			}
			taken = append(taken, i)
		}
		return nil
	})
	return &api.ImportStacksToStackSetOutput{OperationId: id}, err
}

// importable is where the stack of an ARN is.
func importable(tx *store.Tx, id string) (target, error) {
	absent := awserr.Status(http.StatusNotFound, "StackNotFoundException", "Stack %s does not exist", id)
	parts := strings.Split(id, ":")
	if len(parts) != 6 {
		return target{}, absent
	}
	t := target{parts[4], parts[3]}
	st, err := lookup(tx, aws.Call{Account: t.Account, Region: t.Region}, id)
	if err != nil || st.Status == stack.DeleteComplete {
		return t, absent
	}
	if st.Parent != "" {
		return t, awserr.New("InvalidOperationException", "Stack %s is a nested stack and cannot be imported", id)
	}
	return t, nil
}

// adopt judges whether a stack may become an instance.
func (w *setWorker) adopt(ctx context.Context, i *stackInstance) error {
	out, err := wire.Call[api.GetTemplateOutput](ctx, w.s.invoker, "cloudformation", "GetTemplate", &api.GetTemplateInput{StackName: &i.StackID})
	if err != nil {
		return err
	}
	theirs, err := template.Read(aws.Val(out.TemplateBody))
	if err != nil {
		return asAWS(err)
	}
	ours, err := template.Read(w.set.Spec.Template)
	if err != nil {
		return asAWS(err)
	}
	if template.JSON(theirs) != template.JSON(ours) {
		return invalid("The template of stack %s does not match the template of stack set %s", i.StackID, w.set.Name)
	}
	return nil
}
