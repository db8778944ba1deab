package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// rollbackCreate is the phase ROLLBACK_IN_PROGRESS of a creation.
func (r *run) rollbackCreate() error {
	return r.removeAll(RollbackComplete, RollbackFailed)
}

// remove is the phase DELETE_IN_PROGRESS.
func (r *run) remove() error {
	err := r.e.cfg.DB.View(r.ctx, func(tx *store.Tx) error { return r.exportsFree(tx) })
	if text, forUser := userMessage(err); forUser {
		return r.rest(DeleteFailed, text, nil)
	}
	if err != nil {
		return err
	}
	return r.removeAll(DeleteComplete, DeleteFailed)
}

// exportsFree refuses the deletion of a stack whose exports are in use.
func (r *run) exportsFree(tx *store.Tx) error {
	rows, err := Exports.Lookup(tx, stackIndex, r.key.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		users, err := ImportersOf(tx, r.key.Account, r.key.Region, row.Value.Name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return propertyErrorf("Export %s cannot be deleted as it is in use by %s", row.Value.Name, users[0])
		}
	}
	return nil
}

// removeAll deletes every member, dependents first, and ends in one of two
// statuses.
func (r *run) removeAll(complete, failed string) error {
	// What was replaced goes first; what a member still uses of it, last.
	_ = schedule(r.ctx, reverse(r.others(template.Graph{})), true, r.deleteNode)
	failures := schedule(r.ctx, reverse(r.leaving(template.Graph{}, func(*Member) bool { return true })), true, r.deleteNode)
	maps.Copy(failures, schedule(r.ctx, reverse(r.others(template.Graph{})), true, r.deleteNode))
	if err := r.ended(failures); err != nil {
		return err
	}
	if len(failures) > 0 {
		return r.rest(failed, failedToDelete(failures), nil)
	}
	return r.rest(complete, "", func(tx *store.Tx, s *Stack) error {
		if err := forgetImports(tx, s); err != nil {
			return err
		}
		if complete != DeleteComplete {
			return nil
		}
		s.Deleted, s.Spec.Secrets, s.Next, s.Previous = tx.Now(), nil, nil, nil
		return errors.Join(withdraw(tx, s, nil), forgetSignals(tx, stackIndex, s.ID))
	})
}

func failedToDelete(failures map[string]error) string {
	var ids []string
	for node := range failures {
		ids = append(ids, strings.TrimSuffix(node, otherSuffix))
	}
	slices.Sort(ids)
	return fmt.Sprintf("The following resource(s) failed to delete: [%s]. ", strings.Join(slices.Compact(ids), ", "))
}

// rest writes the status in which a phase ends.
func (r *run) rest(status, reason string, change func(*store.Tx, *Stack) error) error {
	return r.e.write(func(tx *store.Tx) error {
		s, err := r.fence(tx)
		if err != nil {
			return err
		}
		if change != nil {
			if err := change(tx, s); err != nil {
				return err
			}
		}
		return setStatus(tx, s, status, reason)
	})
}

// leaving adds the selected members to g, each with what it depends on.
func (r *run) leaving(g template.Graph, selected func(*Member) bool) template.Graph {
	for id, m := range r.members {
		if m.exists() && selected(m) {
			g[id] = withOthers(m.DependsOn)
		}
	}
	return g
}

// others adds what is left over of replacements to g.
func (r *run) others(g template.Graph) template.Graph {
	for id, m := range r.members {
		if m.Replaced && m.Other != nil {
			g[id+otherSuffix] = withOthers(m.Other.DependsOn)
		}
	}
	return g
}

func withOthers(ids []string) []string {
	out := slices.Clone(ids)
	for _, id := range ids {
		out = append(out, id+otherSuffix)
	}
	return out
}

// deleteMember removes one resource, or keeps it where its policy says so.
func (r *run) deleteMember(ctx context.Context, id string) error {
	m, _ := r.member(id)
	if m.PhysicalID == "" && (m.Status == CreateInProgress || m.Status == UpdateInProgress) {
		if err := r.settle(ctx, id); err != nil {
			return err
		}
	}
	switch {
	case m.PhysicalID == "":
		return r.gone(m, DeleteComplete)
	case r.retained(m):
		return r.gone(m, DeleteSkipped)
	}
	if m.Status != DeleteInProgress {
		if err := r.record(m, func() {}, DeleteInProgress, ""); err != nil {
			return err
		}
	}
	req, res, err := r.request(m)
	if err == nil {
		err = res.Delete(aws.WithCall(ctx, callFor(r.stack, m.token())), req)
	}
	if stop := r.stopped(); stop != nil {
		return stop
	}
	if err != nil && r.stack.Force {
		return r.record(m, m.unseal, DeleteSkipped, Reason(m.Type, err))
	}
	if err != nil {
		return errors.Join(r.record(m, func() {}, DeleteFailed, Reason(m.Type, err)), err)
	}
	return r.gone(m, DeleteComplete)
}

// gone records that a member is no longer the stack's; what was sealed goes too.
func (r *run) gone(m *Member, status string) error {
	reason := ""
	if status == DeleteComplete {
		reason = r.stack.completion()
	}
	return r.record(m, m.unseal, status, reason)
}

// unseal drops the secrets of a member that is no longer the stack's; a resource
// that was replaced and is still there keeps its own.
func (m *Member) unseal() {
	m.Sealed, m.Before = nil, nil
	if !m.Replaced {
		m.Other = nil
	}
}

// retained tells whether a deletion leaves the resource alone.
func (r *run) retained(m *Member) bool {
	s := r.stack
	if s.Status == DeleteInProgress && slices.Contains(s.RetainResources, m.LogicalID) {
		return true
	}
	undoing := s.Status == RollbackInProgress || s.Status == UpdateRollbackCleanup
	if undoing && m.Imported > s.Base {
		return true // it was there before
	}
	switch m.DeletionPolicy {
	case "Retain":
		return !(undoing && s.RetainExceptOnCreate)
	case "RetainExceptOnCreate":
		return !undoing
	}
	return false
}
