package stack

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/store"
)

// forgetBatch is how many events of a stack one transaction removes.
const forgetBatch = 500

// Forget removes a stack that was deleted long ago, with its resources and events. more
// removes what else belongs to it, in the last transaction.
func (e *Engine) Forget(ctx context.Context, s *Stack, more func(*store.Tx) error) error {
	for left := true; left; {
		err := e.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
			left, err = tx.DeleteEvents(EventFilter(s), forgetBatch)
			return err
		})
		if err != nil {
			return err
		}
	}
	return e.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		members, err := Members.Lookup(tx, stackIndex, s.ID)
		for i := 0; i < len(members) && err == nil; i++ {
			err = Members.Delete(tx, members[i].Key)
		}
		if err == nil {
			err = forgetSignals(tx, stackIndex, s.ID)
		}
		if err == nil {
			err = more(tx)
		}
		if err != nil {
			return err
		}
		if err := pulses.Delete(tx, s.Key()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return Stacks.Delete(tx, s.Key())
	})
}
