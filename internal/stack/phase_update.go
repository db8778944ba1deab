package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// cleanUpTries is how often a deletion after an update is tried.
const cleanUpTries = 3

// update is the phase UPDATE_IN_PROGRESS: creates and changes, no deletions.
func (r *run) update() error {
	graph, err := r.plan(r.stack.Next)
	if err == nil {
		err = r.mayRemove(graph)
	}
	if err != nil {
		return r.failUpdate(err)
	}
	work := r.updateMember
	if r.hasFailed() {
		graph, work = r.unsettled(), r.settle
	}
	failed := schedule(r.ctx, graph, false, work)
	if err := r.stopped(); err != nil {
		return err
	}
	if len(failed) > 0 || r.hasFailed() {
		return r.failUpdate(nil)
	}
	outputs, err := r.outputs()
	if err != nil {
		return r.failUpdate(err)
	}
	err = r.rest(UpdateCleanup, "", func(tx *store.Tx, s *Stack) error {
		before := s.Spec
		s.Previous, s.Spec, s.Next, s.Outputs = &before, *s.Next, nil, outputs
		return r.publish(tx, s)
	})
	if _, forUser := userMessage(err); forUser {
		return r.failUpdate(err)
	}
	return err
}

// failUpdate ends the phase with the error given, or with the members that
// failed.
func (r *run) failUpdate(cause error) error {
	if err := r.stopped(); err != nil {
		return err
	}
	reason := ""
	if cause != nil {
		text, ok := userMessage(cause)
		if !ok {
			r.e.cfg.Log.Error("stack update", "stack", r.key.ID, "error", cause)
			text = cause.Error()
		}
		reason = strings.TrimSuffix(text, ".") + ". "
	} else {
		made, changed := r.failures(CreateFailed, createCancelled), r.failures(UpdateFailed, updateCancelled)
		if len(made) > 0 {
			reason = fmt.Sprintf("The following resource(s) failed to create: [%s]. ", strings.Join(made, ", "))
		}
		if len(changed) > 0 {
			reason += fmt.Sprintf("The following resource(s) failed to update: [%s]. ", strings.Join(changed, ", "))
		}
	}
	status := UpdateRollbackInProgress
	if r.stack.DisableRollback || r.stack.OnFailure == "DO_NOTHING" {
		status = UpdateFailed
	}
	return r.rest(status, reason, nil)
}

// updateMember brings one resource to what the new template says.
func (r *run) updateMember(ctx context.Context, id string) error {
	m, old := r.member(id)
	if m == nil || !m.exists() || m.Created == r.stack.Operation {
		return r.createMember(ctx, id)
	}
	if m.Operation == r.stack.Operation {
		if m.Status != UpdateInProgress {
			return failureUnless(m, UpdateComplete)
		}
		var err error
		if old, err = r.e.open(m, m.Prior); err != nil {
			return err
		}
	} else {
		var err error
		if m, err = r.beginUpdate(m, old); err != nil || m == nil {
			return err
		}
	}
	if m.Status == UpdateFailed {
		return failure(m)
	}
	res, err := r.callUpdate(ctx, m, old)
	return r.finish(ctx, m, res, err, UpdateComplete, UpdateFailed, updateCancelled)
}

func failureUnless(m *Member, status string) error {
	if m.Status == status {
		return nil
	}
	return failure(m)
}

// beginUpdate compares a member with the template and, where they differ, writes
// the row, UPDATE_IN_PROGRESS, and returns it; nil when nothing differs. A
// difference that needs another resource fails it.
func (r *run) beginUpdate(m *Member, old *content) (*Member, error) {
	next := *m
	c, bad := r.evaluate(&next)
	if bad != nil {
		if _, forUser := userMessage(bad); !forUser {
			return nil, bad
		}
		c = &content{Properties: old.Properties, Metadata: old.Metadata}
	}
	c.Ref, c.Attributes = old.Ref, old.Attributes
	sealed, err := r.e.seal(&next, c)
	if err != nil {
		return nil, err
	}
	if bad == nil && same(old, c) && (maps.Equal(m.Tags, next.Tags) || !r.taggable(m.Type)) {
		return nil, r.e.write(func(tx *store.Tx) error {
			next.Sealed = sealed
			r.keep(&next, c)
			return Members.Put(tx, r.stack.memberKey(m.LogicalID), &next)
		})
	}
	if bad == nil {
		bad = r.permitted(m, old, c)
	}
	next.Operation, next.Prior, next.PriorTags, next.Sealed = r.stack.Operation, m.Sealed, m.Tags, sealed
	next.Restoring = false
	err = r.e.write(func(tx *store.Tx) error {
		s, err := r.fence(tx)
		if err != nil {
			return err
		}
		if err := setMember(tx, s, &next, UpdateInProgress, ""); err != nil || bad == nil {
			return err
		}
		return setMember(tx, s, &next, UpdateFailed, Reason(m.Type, bad))
	})
	if err != nil {
		return nil, err
	}
	r.keep(&next, c)
	return &next, nil
}

func same(a, b *content) bool {
	return equal(a.Properties, b.Properties) && equal(a.Metadata, b.Metadata)
}

// equal compares properties; none and no properties are the same.
func equal(a, b map[string]any) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

func (r *run) taggable(resourceType string) bool {
	res, ok := r.e.types[resourceType]
	return ok && res.Schema().Taggable
}

// permitted is the error of a change that the stack policy or the engine refuses.
func (r *run) permitted(m *Member, old, c *content) error {
	p, err := r.policy()
	if err != nil {
		return err
	}
	action, replacement := "Update:Modify", r.replacement(m, old, c)
	if replacement != nil {
		action = "Update:Replace"
	}
	if err := p.Check(action, m.LogicalID, m.Type); err != nil {
		return err
	}
	return replacement
}

// replacement is the error of a change that only another resource could have.
func (r *run) replacement(m *Member, old, c *content) error {
	res, ok := r.e.types[m.Type]
	if !ok {
		return nil
	}
	for _, name := range res.Schema().CreateOnly {
		if !reflect.DeepEqual(old.Properties[name], c.Properties[name]) {
			return propertyErrorf("Requested update requires the creation of a new physical resource, because property %s has changed; hardstand does not replace resources.", name)
		}
	}
	return nil
}

// callUpdate calls the type's Update, unless nothing but metadata has changed.
func (r *run) callUpdate(ctx context.Context, m *Member, old *content) (Result, error) {
	req, res, err := r.request(m)
	if err != nil {
		return Result{}, err
	}
	req.OldProperties, req.OldTags = old.Properties, m.PriorTags
	if equal(req.OldProperties, req.Properties) && maps.Equal(req.OldTags, req.Tags) {
		return Result{PhysicalID: m.PhysicalID, Ref: old.Ref, Attributes: old.Attributes}, nil
	}
	return res.Update(aws.WithCall(ctx, callFor(r.stack, m.token())), req)
}

// cleanUp is the phase UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: what the new template
// no longer has is deleted. The update stands even when a deletion fails.
func (r *run) cleanUp() error {
	if err := r.prepare(&r.stack.Spec); err != nil {
		return err
	}
	active := activeIn(r.scope)
	failures := r.deleteWithRetries(func(m *Member) bool { return !active[m.LogicalID] })
	if err := r.stopped(); err != nil {
		return err
	}
	reason := ""
	if len(failures) > 0 {
		reason = "Update successful. One or more resources could not be deleted."
	}
	return r.rest(UpdateComplete, reason, func(tx *store.Tx, s *Stack) error {
		s.Previous = nil
		return forgetPrior(tx, s)
	})
}

// forgetPrior drops what a rollback would have needed.
func forgetPrior(tx *store.Tx, s *Stack) error {
	list, err := MembersOf(tx, s.ID)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Prior == nil {
			continue
		}
		m.Prior, m.PriorTags, m.Restoring = nil, nil, false
		if err := Members.Put(tx, s.memberKey(m.LogicalID), m); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) deleteWithRetries(selected func(*Member) bool) (failures map[string]error) {
	for range cleanUpTries {
		failures = schedule(r.ctx, r.deletions(selected), true, r.deleteMember)
		if len(failures) == 0 || r.ctx.Err() != nil {
			break
		}
	}
	return failures
}

// rollbackUpdate is the phase UPDATE_ROLLBACK_IN_PROGRESS: what was changed is
// set back.
func (r *run) rollbackUpdate() error {
	graph, err := r.plan(&r.stack.Spec)
	if err != nil {
		return r.rest(UpdateRollbackFailed, err.Error(), nil)
	}
	failed := schedule(r.ctx, graph, true, r.restoreMember)
	if err := r.stopped(); err != nil {
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
	req, res, err := r.request(m)
	if err != nil {
		return err
	}
	now := req
	req.Properties, req.OldProperties, req.Tags, req.OldTags = before.Properties, now.Properties, m.PriorTags, m.Tags
	out := Result{PhysicalID: m.PhysicalID, Ref: before.Ref, Attributes: before.Attributes}
	if r.replacement(m, before, current) == nil && !(equal(req.Properties, req.OldProperties) && maps.Equal(req.Tags, req.OldTags)) {
		out, err = res.Update(aws.WithCall(ctx, callFor(r.stack, m.token())), req)
	}
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

// cleanUpRollback is the phase UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: what
// the update made is deleted.
func (r *run) cleanUpRollback() error {
	failures := r.deleteWithRetries(func(m *Member) bool { return m.Created == r.stack.Operation })
	if err := r.stopped(); err != nil {
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
