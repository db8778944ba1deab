package secretsmanager

import (
	"context"
	"errors"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// The days in which a deleted secret can be restored.
const (
	minWindow     = 7
	maxWindow     = 30
	defaultWindow = 30
)

// DeleteSecret marks a secret for deletion, or removes it at once.
func (s *Service) DeleteSecret(ctx context.Context, in *api.DeleteSecretInput) (*api.DeleteSecretOutput, error) {
	days, force := int64(defaultWindow), aws.Val(in.ForceDeleteWithoutRecovery)
	if in.RecoveryWindowInDays != nil {
		if days = *in.RecoveryWindowInDays; force {
			return nil, invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
		}
	}
	if days < minWindow || days > maxWindow {
		return nil, invalidParameter("The RecoveryWindowInDays value must be between %d and %d days (inclusive).", minWindow, maxWindow)
	}
	c := aws.CallFrom(ctx)
	out := &api.DeleteSecretOutput{}
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, sec, err := find(tx, c, aws.Val(in.SecretId))
		switch {
		case errors.Is(err, store.ErrNotFound) && force && !isARN(aws.Val(in.SecretId)):
			// AWS tells nobody that there was nothing to remove.
			sec, err = &secret{Suffix: ids.Letters(suffixLength)}, nil
		case errors.Is(err, store.ErrNotFound):
			return errNotFound()
		case err != nil:
			return err
		case force:
			err = s.purge(tx, k)
		case !sec.Gone.IsZero():
			return errDeleted()
		default:
			sec.Gone = tx.Now().Add(time.Duration(days) * 24 * time.Hour)
			err = secrets.Put(tx, k, sec)
		}
		emit(tx, c, k)
		out.ARN, out.Name, out.DeletionDate = aws.Ptr(arnOf(k, sec.Suffix)), &k.ID, aws.Ptr(sec.Gone)
		if force {
			out.DeletionDate = aws.Ptr(tx.Now())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// RestoreSecret takes the mark of a deletion away.
func (s *Service) RestoreSecret(ctx context.Context, in *api.RestoreSecretInput) (*api.RestoreSecretOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.RestoreSecretOutput{}
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, sec, err := need(tx, c, in.SecretId)
		if err != nil {
			return err
		}
		sec.Gone = time.Time{}
		out.ARN, out.Name = aws.Ptr(arnOf(k, sec.Suffix)), &k.ID
		emit(tx, c, k)
		return secrets.Put(tx, k, sec)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// purge removes a secret and its values; having none is no error.
func (s *Service) purge(tx *store.Tx, k store.Key) error {
	sec, err := secrets.Get(tx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, v := range sec.Versions {
		if err := values.Delete(tx, valueKey(k, v.ID)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return secrets.Delete(tx, k)
}

// Run removes deleted secrets when their recovery windows have passed, until ctx
// ends.
func (s *Service) Run(ctx context.Context) error {
	return s.cfg.DB.SweepWhenDue(ctx, store.Filter{Service: name}, s.sweep)
}

// sweep removes what is due and returns when the next is.
func (s *Service) sweep(ctx context.Context) (next time.Time, err error) {
	var due []store.Key
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		due, next, err = secrets.Due(tx, func(sec *secret) time.Time { return sec.Gone })
		return err
	})
	if err != nil || len(due) == 0 {
		return next, err
	}
	return next, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, k := range due {
			sec, err := secrets.Get(tx, k)
			if err != nil || sec.Gone.IsZero() || tx.Now().Before(sec.Gone) {
				continue // restored or made anew meanwhile
			}
			if err := s.purge(tx, k); err != nil {
				return err
			}
		}
		return nil
	})
}
