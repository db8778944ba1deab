package stack

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/store"
)

// undoing is the status in which a stack returns to its last complete operation;
// without one there is nothing to return to, and all goes.
func (s *Stack) undoing() string {
	if s.Base == 0 {
		return RollbackInProgress
	}
	return UpdateRollbackInProgress
}

// CancelUpdate rolls an update back that is in progress.
func (e *Engine) CancelUpdate(ctx context.Context, key store.Key, token string) (*Stack, error) {
	return e.change(ctx, key, func(tx *store.Tx, s *Stack) error {
		if s.Status != UpdateInProgress {
			return ErrBusy
		}
		s.RequestToken = token
		return setStatus(tx, s, s.undoing(), userInitiated)
	})
}

// Rollback returns a stack that failed, and was told not to roll back, to its last
// complete operation.
func (e *Engine) Rollback(ctx context.Context, key store.Key, b Begin) (*Stack, error) {
	return e.change(ctx, key, func(tx *store.Tx, s *Stack) error {
		if s.Status != CreateFailed && s.Status != UpdateFailed {
			return ErrBusy
		}
		s.begin(&b)
		return setStatus(tx, s, s.undoing(), userInitiated)
	})
}

// ContinueRollback goes on with a rollback that failed. Of b.Skip, which must be
// resources that could not be set back, nothing more is tried; names with a dot are
// for nested stacks, whose resource type sees to them.
func (e *Engine) ContinueRollback(ctx context.Context, key store.Key, b Begin) (*Stack, error) {
	return e.change(ctx, key, func(tx *store.Tx, s *Stack) error {
		if s.Status != UpdateRollbackFailed {
			return ErrBusy
		}
		list, err := MembersOf(tx, s.ID)
		if err != nil {
			return err
		}
		for _, id := range b.Skip {
			failed := func(m *Member) bool { return m.LogicalID == id && m.Status == UpdateFailed }
			if nested := strings.Contains(id, "."); !nested && !slices.ContainsFunc(list, failed) {
				return propertyErrorf("Resource [%s] is not in the state UPDATE_FAILED and can not be skipped.", id)
			}
		}
		s.begin(&b)
		return setStatus(tx, s, UpdateRollbackInProgress, userInitiated)
	})
}
