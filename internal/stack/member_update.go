package stack

import (
	"context"
	"maps"
	"reflect"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// updateMember brings one resource to what the new template says.
func (r *run) updateMember(ctx context.Context, id string) error {
	m, old := r.member(id)
	switch {
	case r.stack.Imports[id] != "":
		return r.importMember(ctx, id)
	case m == nil || !m.exists() || m.Operation == r.stack.Operation && m.Created == m.Operation && !m.Replaced:
		return r.createMember(ctx, id)
	case m.Status == CreateFailed || m.Status == DeleteInProgress:
		// Left by an operation that failed and was not rolled back.
		if err := r.deleteMember(ctx, id); err != nil {
			return err
		}
		return r.createMember(ctx, id)
	}
	var err error
	if m.Operation == r.stack.Operation {
		if m.Status != UpdateInProgress {
			return failureUnless(m, UpdateComplete)
		}
		old, err = r.e.open(m, m.former().Sealed)
	} else {
		m, err = r.beginUpdate(m, old)
	}
	switch {
	case err != nil || m == nil:
		return err
	case m.Status == UpdateFailed:
		return failure(m)
	case m.Replaced:
		return r.replaceMember(ctx, m)
	}
	res, err := r.callUpdate(ctx, m, old)
	return r.finish(ctx, m, res, err, UpdateComplete, UpdateFailed, updateCancelled)
}

// former is the shape that the operation in progress has changed.
func (m *Member) former() *Shape {
	if m.Before != nil {
		return m.Before
	}
	return m.Other
}

func failureUnless(m *Member, status string) error {
	if m.Status == status {
		return nil
	}
	return failure(m)
}

// beginUpdate compares a member with the template and, where they differ, writes
// the row, UPDATE_IN_PROGRESS, and returns it; nil when nothing differs. A
// difference that is refused fails it and leaves its shape as it was.
func (r *run) beginUpdate(m *Member, old *content) (*Member, error) {
	next := *m
	c, bad := r.evaluate(&next)
	if _, forUser := userMessage(bad); bad != nil && !forUser {
		return nil, bad
	}
	if bad == nil {
		if r.unchanged(m, &next, old, c) {
			return nil, r.refresh(m, &next, old, c)
		}
		bad = r.permitted(m, old, c)
	}
	next.Operation, next.Restoring = r.stack.Operation, false
	if next.Before = nil; next.Other == nil {
		shape := m.Shape
		next.Other = &shape
	} else {
		shape := m.Shape
		next.Before = &shape
	}
	var err error
	switch {
	case bad != nil:
		c = old
		err = r.refuse(m, &next, bad)
	case r.needsReplacement(m, old, c):
		err = r.beginReplace(&next, c)
	default:
		err = r.beginChange(&next, old, c)
	}
	if err != nil {
		return nil, err
	}
	r.keep(&next, c)
	return &next, nil
}

// unchanged tells whether a member is what the template says. One whose last
// update failed never is: nobody knows how far it came.
func (r *run) unchanged(m, next *Member, old, c *content) bool {
	return !r.nested(m) && m.Status != UpdateFailed && same(old, c) && (maps.Equal(m.Tags, next.Tags) || !r.taggable(m.Type))
}

// nested reports whether a member is a stack.
func (r *run) nested(m *Member) bool {
	return r.e.Schema(m.Type).Nested
}

// refresh writes what an update changes of a member without touching the
// resource: policies, dependencies.
func (r *run) refresh(m, next *Member, old, c *content) error {
	c.Ref, c.Attributes = old.Ref, old.Attributes
	if reflect.DeepEqual(m, next) {
		return nil
	}
	err := r.commit(func(tx *store.Tx) error {
		return Members.Put(tx, r.stack.memberKey(m.LogicalID), next)
	})
	if err == nil {
		r.keep(next, c)
	}
	return err
}

// beginChange writes the row of a member that is updated in place.
func (r *run) beginChange(next *Member, old, c *content) error {
	c.Ref, c.Attributes = old.Ref, old.Attributes
	var err error
	if next.Sealed, err = r.e.seal(next, c); err != nil {
		return err
	}
	return r.commit(func(tx *store.Tx) error {
		if err := r.holds(tx); err != nil {
			return err
		}
		return setMember(tx, r.stack, next, UpdateInProgress, "")
	})
}

// refuse fails a member before anything is done to its resource.
func (r *run) refuse(m, next *Member, bad error) error {
	return r.commit(func(tx *store.Tx) error {
		if err := r.holds(tx); err != nil {
			return err
		}
		if err := setMember(tx, r.stack, next, UpdateInProgress, ""); err != nil {
			return err
		}
		next.Shape = m.Shape
		return setMember(tx, r.stack, next, UpdateFailed, Reason(m.Type, bad))
	})
}

func same(a, b *content) bool {
	return equal(a.Properties, b.Properties) && equal(a.Metadata, b.Metadata)
}

// equal compares properties; none and no properties are the same.
func equal(a, b map[string]any) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

func (r *run) taggable(resourceType string) bool {
	return r.e.Schema(resourceType).Taggable
}

// permitted is the error of a change that the stack policy or the engine refuses.
func (r *run) permitted(m *Member, old, c *content) error {
	p, err := r.policy()
	if err != nil {
		return err
	}
	if !r.needsReplacement(m, old, c) {
		return p.Check("Update:Modify", m.LogicalID, m.Type)
	}
	if err := p.Check("Update:Replace", m.LogicalID, m.Type); err != nil {
		return err
	}
	return r.replaceable(m, old, c)
}

// callUpdate calls the type's Update, unless nothing but metadata has changed.
func (r *run) callUpdate(ctx context.Context, m *Member, old *content) (Result, error) {
	req, res, err := r.request(m)
	if err != nil {
		return Result{}, err
	}
	req.OldProperties, req.OldTags, req.Door = old.Properties, m.former().Tags, door{r, m}
	if req.UpdatePolicy, err = r.updatePolicy(m); err != nil {
		return Result{}, err
	}
	again := m.Before != nil || r.nested(m) // after a failed update nobody knows how far it came
	if !again && equal(req.OldProperties, req.Properties) && maps.Equal(req.OldTags, req.Tags) {
		return Result{PhysicalID: m.PhysicalID, Ref: old.Ref, Attributes: old.Attributes}, nil
	}
	return res.Update(aws.WithCall(ctx, callFor(r.stack, m.token())), req)
}
