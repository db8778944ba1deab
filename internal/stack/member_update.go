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
	var err error
	if next.Sealed, err = r.e.seal(&next, c); err != nil {
		return nil, err
	}
	if bad == nil && same(old, c) && (maps.Equal(m.Tags, next.Tags) || !r.taggable(m.Type)) {
		r.keep(&next, c)
		return nil, r.commit(func(tx *store.Tx) error {
			return Members.Put(tx, r.stack.memberKey(m.LogicalID), &next)
		})
	}
	if bad == nil {
		bad = r.permitted(m, old, c)
	}
	next.Operation, next.Prior, next.PriorTags, next.Restoring = r.stack.Operation, m.Sealed, m.Tags, false
	err = r.commit(func(tx *store.Tx) error {
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
