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

// The statuses of imports, of stacks and of resources.
const (
	ImportInProgress         = "IMPORT_IN_PROGRESS"
	ImportComplete           = "IMPORT_COMPLETE"
	ImportFailed             = "IMPORT_FAILED"
	ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS"
	ImportRollbackComplete   = "IMPORT_ROLLBACK_COMPLETE"
	ImportRollbackFailed     = "IMPORT_ROLLBACK_FAILED"
)

// Import commits IMPORT_IN_PROGRESS: the resources of b.Imports become the stack's.
func (e *Engine) Import(ctx context.Context, key store.Key, b Begin) (*Stack, error) {
	return e.change(ctx, key, func(tx *store.Tx, s *Stack) error {
		if s.Status != ReviewInProgress && !settled(s.Status) {
			return ErrBusy
		}
		review := s.Status == ReviewInProgress
		s.begin(&b)
		if s.Next = b.Spec; !review {
			s.Updated = tx.Now()
		}
		if err := b.with(tx, s); err != nil {
			return err
		}
		return setStatus(tx, s, ImportInProgress, userInitiated)
	})
}

// Exists reads a resource that is no stack's yet, as the caller in ctx; ErrNotFound
// when there is none.
func (e *Engine) Exists(ctx context.Context, s *Stack, resourceType, logicalID, physicalID string) error {
	res, ok := e.types.Of(resourceType)
	if !ok {
		return propertyErrorf("Unrecognized resource type %s", resourceType)
	}
	_, err := res.Read(ctx, Request{StackID: s.ID, StackName: s.Name, LogicalID: logicalID, Type: resourceType, PhysicalID: physicalID,
		Region: s.Region, Account: s.Account})
	return err
}

// importAll is the phase IMPORT_IN_PROGRESS.
func (r *run) importAll() error {
	graph, err := r.plan(r.stack.Next)
	if err != nil {
		return r.rest(ImportRollbackInProgress, err.Error(), nil)
	}
	wanted := template.Graph{}
	for id := range r.stack.Imports {
		wanted[id] = graph[id]
	}
	failed := schedule(r.ctx, wanted, false, r.importMember)
	if err := r.ended(failed); err != nil {
		return err
	}
	if len(failed) > 0 {
		ids := strings.Join(slices.Sorted(maps.Keys(failed)), ", ")
		return r.rest(ImportRollbackInProgress, fmt.Sprintf("The following resource(s) failed to import: [%s]. ", ids), nil)
	}
	return r.rest(ImportComplete, "", func(tx *store.Tx, s *Stack) error {
		s.Spec, s.Next, s.Imports = *s.Next, nil, nil
		return r.noteImports(tx, s)
	})
}

// importMember makes a resource that exists a member, and gives it the stack's
// tags. Its configuration is not compared with the template's.
func (r *run) importMember(ctx context.Context, id string) error {
	m, _ := r.member(id)
	if m == nil || m.Operation != r.stack.Operation {
		var err error
		if m, err = r.beginImport(id); err != nil || m.Status == ImportFailed {
			return errors.Join(err, failure(m))
		}
	}
	switch m.Status {
	case ImportInProgress:
		if err := r.takeOver(ctx, m); err != nil {
			return err
		}
		fallthrough
	case ImportComplete:
		if err := r.record(m, func() {}, UpdateInProgress, "Apply stack-level tags to imported resource if applicable."); err != nil {
			return err
		}
	}
	if m.Status != UpdateInProgress {
		return failureUnless(m, UpdateComplete)
	}
	_, c := r.member(id)
	err := r.retag(ctx, m, nil, m.Tags)
	return r.finish(ctx, m, Result{PhysicalID: m.PhysicalID, Ref: c.Ref, Attributes: c.Attributes}, err, UpdateComplete, UpdateFailed, updateCancelled)
}

// beginImport evaluates what the template says and writes the row.
func (r *run) beginImport(id string) (*Member, error) {
	def := r.scope.Template.Resources[id]
	m := &Member{StackID: r.key.ID, LogicalID: id, Type: def.Type, Operation: r.stack.Operation, Imported: r.stack.Operation,
		Shape: Shape{Started: r.e.cfg.Clock.Now(), Created: r.stack.Operation, PhysicalID: r.stack.Imports[id]}}
	return r.begin(m, ImportInProgress, "Resource import started.", ImportFailed)
}

// takeOver reads the resource, which must exist.
func (r *run) takeOver(ctx context.Context, m *Member) error {
	req, res, err := r.request(m)
	if err != nil {
		return err
	}
	out, err := res.Read(aws.WithCall(ctx, callFor(r.stack, m.token())), req)
	if stop := r.stopped(); stop != nil {
		return stop
	}
	if errors.Is(err, ErrNotFound) {
		err = propertyErrorf("Resource of type '%s' with identifier '%s' was not found.", m.Type, m.PhysicalID)
	}
	if err != nil {
		return errors.Join(r.record(m, func() {}, ImportFailed, Reason(m.Type, err)), err)
	}
	_, known := r.member(m.LogicalID)
	c := *known
	c.Ref, c.Attributes = out.Ref, out.Attributes
	sealed, err := r.e.seal(m, &c)
	if err != nil {
		return err
	}
	return r.record(m, func() { m.Sealed, r.content[m.LogicalID] = sealed, &c }, ImportComplete, "Resource import completed.")
}

// retag changes the stack's tags on a resource, and nothing else of it.
func (r *run) retag(ctx context.Context, m *Member, before, after map[string]string) error {
	if !r.taggable(m.Type) {
		return nil
	}
	req, res, err := r.request(m)
	if err != nil {
		return err
	}
	req.OldProperties, req.OldTags, req.Tags = req.Properties, before, after
	_, err = res.Update(aws.WithCall(ctx, callFor(r.stack, m.token())), req)
	return err
}

// rollbackImport is the phase IMPORT_ROLLBACK_IN_PROGRESS: what was taken over is
// let go again, without the stack's tags.
func (r *run) rollbackImport() error {
	if err := r.prepare(&r.stack.Spec); err != nil && r.stack.Spec.Template != "" {
		return err
	}
	g := template.Graph{}
	for id, m := range r.members {
		if m.Imported > r.stack.Base {
			g[id] = nil
		}
	}
	failed := schedule(r.ctx, g, true, r.letGo)
	if err := r.ended(failed); err != nil {
		return err
	}
	if len(failed) > 0 {
		ids := strings.Join(slices.Sorted(maps.Keys(failed)), ", ")
		return r.rest(ImportRollbackFailed, fmt.Sprintf("The following resource(s) failed to roll back: [%s]. ", ids), nil)
	}
	return r.rest(ImportRollbackComplete, "", func(_ *store.Tx, s *Stack) error {
		s.Next, s.Imports = nil, nil
		return nil
	})
}

// letGo takes an imported resource out of the stack.
func (r *run) letGo(ctx context.Context, id string) error {
	m, _ := r.member(id)
	tagged := m.Status == UpdateComplete || m.Status == ImportRollbackInProgress
	if m.Status != ImportRollbackInProgress {
		if err := r.record(m, func() {}, ImportRollbackInProgress, ""); err != nil {
			return err
		}
	}
	if tagged {
		if err := r.retag(ctx, m, m.Tags, nil); err != nil && !errors.Is(err, ErrNotFound) {
			return errors.Join(r.record(m, func() {}, ImportRollbackFailed, Reason(m.Type, err)), err)
		}
	}
	return r.commit(func(tx *store.Tx) error {
		if err := setMember(tx, r.stack, m, ImportRollbackComplete, ""); err != nil {
			return err
		}
		return Members.Delete(tx, r.stack.memberKey(id))
	})
}
