package stack

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

const replacing = "Requested update requires the creation of a new physical resource; hence creating one."

// forget drops the shapes that a rollback or clean-up would have needed.
func (m *Member) forget() {
	m.Other, m.Before, m.Replaced, m.Leaving, m.Restoring = nil, nil, false, "", false
}

// needsReplacement reports whether a create-only property differs.
func (r *run) needsReplacement(m *Member, old, c *content) bool {
	for _, path := range r.e.Schema(m.Type).CreateOnly {
		if !reflect.DeepEqual(at(old.Properties, path), at(c.Properties, path)) {
			return true
		}
	}
	return r.policyReplaces(m, old, c)
}

// policyReplaces reports whether the UpdatePolicy of the template asks for another
// resource.
func (r *run) policyReplaces(m *Member, old, c *content) bool {
	res, _ := r.e.types.Of(m.Type)
	t, ok := res.(Replacing)
	if !ok {
		return false
	}
	policy, err := r.updatePolicy(m)
	return err == nil && policy != nil && t.Replaces(policy, old.Properties, c.Properties)
}

// updatePolicy is the UpdatePolicy of a member in the template that the phase works
// towards.
func (r *run) updatePolicy(m *Member) (map[string]any, error) {
	def, ok := r.scope.Template.Resources[m.LogicalID]
	if !ok || def.UpdatePolicy == nil {
		return nil, nil
	}
	return r.scope.EvalMap(def.UpdatePolicy, "/Resources/"+m.LogicalID+"/UpdatePolicy")
}

// replaceable refuses replacements that cannot be: a name that the new resource
// would share with the old one, and where no rollback would bring the old one back.
func (r *run) replaceable(m *Member, old, c *content) error {
	if r.keepsGoing() {
		return propertyErrorf("Replacement type updates not supported on stack with disable-rollback.")
	}
	name := r.e.Schema(m.Type).NameProperty
	if given := c.Properties[name]; given != nil && reflect.DeepEqual(given, old.Properties[name]) {
		return propertyErrorf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %v and update the stack again.", given)
	}
	return nil
}

// beginReplace writes the row of a member whose next physical resource is to be
// made; the present one becomes Other. The event still names the old one.
func (r *run) beginReplace(next *Member, c *content) error {
	c.Ref, c.Attributes = "", nil
	next.Replaced = true
	next.PhysicalID, next.Started, next.Created = "", r.e.cfg.Clock.Now(), r.stack.Operation
	var err error
	if next.Sealed, err = r.e.seal(next, c); err != nil {
		return err
	}
	return r.commit(func(tx *store.Tx) error {
		if err := r.holds(tx); err != nil {
			return err
		}
		return setMember(tx, r.stack, next, UpdateInProgress, replacing)
	})
}

// replaceMember makes the new resource of a member, or goes on making it.
func (r *run) replaceMember(ctx context.Context, m *Member) error {
	res, err := r.callCreate(ctx, m, func() {})
	if err == nil {
		err = r.awaitPolicy(ctx, m)
	}
	return r.finish(ctx, m, res, err, UpdateComplete, UpdateFailed, updateCancelled)
}

// exchange undoes a replacement: the member is the old resource again, the new one
// is left to the clean-up.
func (r *run) exchange(ctx context.Context, m *Member) error {
	if m.Created > r.stack.Base {
		if m.Status == UpdateInProgress {
			if err := r.learnID(ctx, m); err != nil {
				return err
			}
		}
		before, err := r.e.open(m, m.Other.Sealed)
		if err != nil {
			return err
		}
		err = r.record(m, func() {
			made := m.Shape
			m.Shape, m.Other, r.content[m.LogicalID] = *m.Other, &made, before
		}, UpdateInProgress, "")
		if err != nil {
			return err
		}
	}
	if m.Status != UpdateInProgress {
		return nil // exchanged before the server was stopped
	}
	return r.record(m, func() {
		if m.Other.PhysicalID == "" {
			m.forget()
		}
	}, UpdateComplete, "")
}

// otherSuffix marks the node of a graph of deletions that stands for a member's
// other resource. Logical ids have no slash.
const otherSuffix = "/other"

// deleteNode deletes what a node of the graph of deletions stands for.
func (r *run) deleteNode(ctx context.Context, node string) error {
	if id, other := strings.CutSuffix(node, otherSuffix); other {
		return r.deleteOther(ctx, id)
	}
	return r.deleteMember(ctx, node)
}

// deleteOther deletes the resource that a replacement has left over.
func (r *run) deleteOther(ctx context.Context, id string) error {
	m, _ := r.member(id)
	if m.Other.PhysicalID == "" {
		return r.recordOther(m, DeleteComplete, "")
	}
	if r.stack.Status == UpdateCleanup && m.UpdateReplacePolicy == "Retain" {
		return r.recordOther(m, DeleteSkipped, "")
	}
	if m.Leaving != DeleteInProgress {
		if err := r.recordOther(m, DeleteInProgress, ""); err != nil {
			return err
		}
	}
	left := *m
	left.Shape = *m.Other
	c, err := r.e.open(m, left.Sealed)
	if err != nil {
		return err
	}
	req, res, err := r.requestFor(&left, c)
	if err == nil {
		err = res.Delete(aws.WithCall(ctx, callFor(r.stack, left.token())), req)
	}
	if stop := r.stopped(); stop != nil {
		return stop
	}
	if err != nil && r.stack.Force {
		return r.recordOther(m, DeleteSkipped, Reason(m.Type, err))
	}
	if err != nil {
		return errors.Join(r.recordOther(m, DeleteFailed, Reason(m.Type, err)), err)
	}
	return r.recordOther(m, DeleteComplete, "")
}

// recordOther writes how far the deletion of a member's other resource is. The
// member's own status stays.
func (r *run) recordOther(m *Member, status, reason string) error {
	return r.commit(func(tx *store.Tx) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		left := *m.Other
		m.Leaving = status
		if status == DeleteComplete || status == DeleteSkipped {
			m.forget()
		}
		if err := Members.Put(tx, r.stack.memberKey(m.LogicalID), m); err != nil || left.PhysicalID == "" {
			return err
		}
		return emitMember(tx, r.stack, m, &left, status, reason)
	})
}
