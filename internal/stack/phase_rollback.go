package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// rollbackUpdate is the phase UPDATE_ROLLBACK_IN_PROGRESS: what was changed is
// set back.
func (r *run) rollbackUpdate() error {
	graph, err := r.plan(&r.stack.Spec)
	if err != nil {
		return r.rest(UpdateRollbackFailed, err.Error(), nil)
	}
	failed := schedule(r.ctx, graph, true, r.restoreMember)
	if err := r.ended(failed); err != nil {
		return err
	}
	if len(failed) > 0 {
		ids := strings.Join(slices.Sorted(maps.Keys(failed)), ", ")
		return r.rest(UpdateRollbackFailed, fmt.Sprintf("The following resource(s) failed to update: [%s]. ", ids), nil)
	}
	return r.rest(UpdateRollbackCleanup, "", nil)
}

// restoreMember sets a member back to what it was before the update.
func (r *run) restoreMember(ctx context.Context, id string) error {
	m, current := r.member(id)
	switch {
	case m == nil || m.Other == nil:
		return nil
	case m.Replaced:
		return r.exchange(ctx, m)
	case slices.Contains(r.stack.Skip, id):
		return r.restored(m, nil)
	}
	before, err := r.e.open(m, m.Other.Sealed)
	if err != nil {
		return err
	}
	if !m.Restoring || m.Status != UpdateInProgress {
		if err := r.record(m, func() { m.Restoring = true }, UpdateInProgress, ""); err != nil {
			return err
		}
	}
	out, err := r.undo(ctx, m, before, current)
	if stop := r.stopped(); stop != nil {
		return stop
	}
	if err != nil {
		return errors.Join(r.record(m, func() {}, UpdateFailed, Reason(m.Type, err)), err)
	}
	before.Ref, before.Attributes = out.Ref, out.Attributes
	return r.restored(m, before)
}

// restored records that a member is as it was; c, where given, is what it holds
// now.
func (r *run) restored(m *Member, c *content) error {
	shape := *m.Other
	var err error
	if c == nil {
		c, err = r.e.open(m, shape.Sealed)
	} else {
		shape.Sealed, err = r.e.seal(m, c)
	}
	if err != nil {
		return err
	}
	return r.record(m, func() {
		r.content[m.LogicalID], m.Shape = c, shape
		m.forget()
	}, UpdateComplete, "")
}

// undo calls the type's Update with what the member was before, unless the type
// was never told of the change.
func (r *run) undo(ctx context.Context, m *Member, before, current *content) (Result, error) {
	req, res, err := r.request(m)
	if err != nil {
		return Result{}, err
	}
	req.Properties, req.OldProperties = before.Properties, current.Properties
	req.Tags, req.OldTags = m.Other.Tags, m.Tags
	req.Undo, req.Door = true, door{r, m}
	if req.UpdatePolicy, err = r.updatePolicy(m); err != nil {
		return Result{}, err
	}
	if !r.nested(m) && equal(req.Properties, req.OldProperties) && maps.Equal(req.Tags, req.OldTags) {
		return Result{PhysicalID: m.PhysicalID, Ref: before.Ref, Attributes: before.Attributes}, nil
	}
	return res.Update(aws.WithCall(ctx, callFor(r.stack, m.token())), req)
}

// cleanUpRollback is the phase UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: what
// the update made is deleted.
func (r *run) cleanUpRollback() error {
	failures := r.deleteWithRetries(func(m *Member) bool { return m.Created > r.stack.Base })
	if err := r.ended(failures); err != nil {
		return err
	}
	reason := ""
	if len(failures) > 0 {
		reason = "Rollback successful. One or more resources could not be deleted."
	}
	return r.rest(UpdateRollbackComplete, reason, func(tx *store.Tx, s *Stack) error {
		s.Next = nil
		return forgetOthers(tx, s)
	})
}
