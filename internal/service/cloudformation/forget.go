package cloudformation

import (
	"context"

	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// Aging returns what removes stacks, resources and stack sets that were deleted long ago,
// operations of stack sets that ended then, and detections of drift. Each runs until its
// ctx ends.
func (s *Service) Aging() []func(context.Context) error {
	return []func(context.Context) error{
		func(ctx context.Context) error {
			return stack.Stacks.Expire(ctx, s.db, stack.DeletedIndex, remembered, s.forgetStack)
		},
		func(ctx context.Context) error {
			return stack.Members.Expire(ctx, s.db, stack.GoneIndex, remembered, nil)
		},
		func(ctx context.Context) error { return stackSets.Expire(ctx, s.db, "deleted", remembered, nil) },
		func(ctx context.Context) error { return setOperations.Expire(ctx, s.db, "ended", remembered, nil) },
		func(ctx context.Context) error { return detections.Expire(ctx, s.db, "time", remembered, nil) },
	}
}

// forgetStack removes a stack with its change sets and detections.
func (s *Service) forgetStack(ctx context.Context, r store.Row[stack.Stack]) error {
	return s.engine.Forget(ctx, r.Value, func(tx *store.Tx) error {
		sets, err := changeSets.Lookup(tx, "stack", r.Value.ID)
		for i := 0; i < len(sets) && err == nil; i++ {
			err = changeSets.Delete(tx, sets[i].Key)
		}
		if err != nil {
			return err
		}
		found, err := detections.Lookup(tx, "stack", r.Value.ID)
		for i := 0; i < len(found) && err == nil; i++ {
			err = detections.Delete(tx, found[i].Key)
		}
		return err
	})
}
