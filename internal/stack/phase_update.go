package stack

import (
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/stack/template"
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
	work, keepGoing := r.updateMember, r.keepsGoing()
	if r.hasFailed() && !keepGoing {
		graph, work = r.unsettled(), r.settle
	}
	ctx, unwatch, err := r.watch(r.ctx, r.stack.Next)
	if err != nil {
		return r.failUpdate(err)
	}
	defer unwatch()
	failed := schedule(ctx, graph, keepGoing, work)
	if err := r.ended(failed); err != nil {
		return err
	}
	if err := alarmed(ctx); err != nil {
		return r.failUpdate(err)
	}
	if len(failed) > 0 || r.hasFailed() {
		return r.failUpdate(nil)
	}
	outputs, err := r.outputs()
	if err == nil {
		err = r.monitor(ctx, r.stack.Next)
	}
	if err != nil {
		if stop := r.stopped(); stop != nil {
			return stop
		}
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
		if taken := r.failures(ImportFailed, ""); len(taken) > 0 {
			reason = fmt.Sprintf("The following resource(s) failed to import: [%s]. ", strings.Join(taken, ", "))
		}
		if len(made) > 0 {
			reason += fmt.Sprintf("The following resource(s) failed to create: [%s]. ", strings.Join(made, ", "))
		}
		if len(changed) > 0 {
			reason += fmt.Sprintf("The following resource(s) failed to update: [%s]. ", strings.Join(changed, ", "))
		}
	}
	status := r.stack.undoing()
	if r.keepsGoing() {
		status = UpdateFailed
	}
	return r.rest(status, reason, nil)
}

// cleanUp is the phase UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: what the new template
// no longer has, and what has been replaced, is deleted. The update stands even
// when a deletion fails.
func (r *run) cleanUp() error {
	if err := r.prepare(&r.stack.Spec); err != nil {
		return err
	}
	active := activeIn(r.scope)
	failures := r.deleteWithRetries(func(m *Member) bool { return !active[m.LogicalID] })
	if err := r.ended(failures); err != nil {
		return err
	}
	reason := ""
	if len(failures) > 0 {
		reason = "Update successful. One or more resources could not be deleted."
	}
	return r.rest(UpdateComplete, reason, func(tx *store.Tx, s *Stack) error {
		s.Previous = nil
		return forgetOthers(tx, s)
	})
}

// forgetOthers drops what a rollback would have needed.
func forgetOthers(tx *store.Tx, s *Stack) error {
	list, err := MembersOf(tx, s.ID)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Other == nil && m.Before == nil {
			continue
		}
		m.forget()
		if err := Members.Put(tx, s.memberKey(m.LogicalID), m); err != nil {
			return err
		}
	}
	return nil
}

// deleteWithRetries deletes the selected members and all that was replaced.
func (r *run) deleteWithRetries(selected func(*Member) bool) (failures map[string]error) {
	for range cleanUpTries {
		failures = schedule(r.ctx, reverse(r.others(r.leaving(template.Graph{}, selected))), true, r.deleteNode)
		if len(failures) == 0 || r.ctx.Err() != nil {
			break
		}
	}
	return failures
}
