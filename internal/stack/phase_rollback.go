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
	if m == nil || m.Prior == nil || m.Operation != r.stack.Operation {
		return nil
	}
	before, err := r.e.open(m, m.Prior)
	if err != nil {
		return err
	}
	if !m.Restoring {
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
	sealed, err := r.e.seal(m, before)
	if err != nil {
		return err
	}
	tags := m.PriorTags
	return r.record(m, func() {
		r.content[id] = before
		m.Sealed, m.Tags, m.Prior, m.PriorTags, m.Restoring = sealed, tags, nil, nil, false
	}, UpdateComplete, "")
}

// undo calls the type's Update with what the member was before, unless the type
// was never told of the change.
func (r *run) undo(ctx context.Context, m *Member, before, current *content) (Result, error) {
	req, res, err := r.request(m)
	if err != nil {
		return Result{}, err
	}
	req.Properties, req.OldProperties = before.Properties, req.Properties
	req.Tags, req.OldTags = m.PriorTags, m.Tags
	untouched := equal(req.Properties, req.OldProperties) && maps.Equal(req.Tags, req.OldTags)
	if untouched || r.replacement(m, before, current) != nil {
		return Result{PhysicalID: m.PhysicalID, Ref: before.Ref, Attributes: before.Attributes}, nil
	}
	return res.Update(aws.WithCall(ctx, callFor(r.stack, m.token())), req)
}

// cleanUpRollback is the phase UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: what
// the update made is deleted.
func (r *run) cleanUpRollback() error {
	failures := r.deleteWithRetries(func(m *Member) bool { return m.Created == r.stack.Operation })
	if err := r.ended(failures); err != nil {
		return err
	}
	reason := ""
	if len(failures) > 0 {
		reason = "Rollback successful. One or more resources could not be deleted."
	}
	return r.rest(UpdateRollbackComplete, reason, func(_ *store.Tx, s *Stack) error {
		s.Next = nil
		return nil
	})
}
