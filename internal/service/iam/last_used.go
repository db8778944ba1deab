package iam

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// use is when and where an access key or a role was used last. The row's id is the
// key's, or the unique id of the role.
type use struct {
	At      time.Time `json:"at"`
	Service string    `json:"service"`
	Region  string    `json:"region"`
}

var uses = store.Table[use]{Name: "iam.use", Version: 1}

// usePeriod is how long uses are gathered in memory before one transaction writes
// them all. What a crash loses is at most this.
const usePeriod = time.Minute

// useLog gathers uses between two writes.
type useLog struct {
	mu     sync.Mutex
	latest map[string]use
	woken  chan struct{}
}

// usedID is what a principal's use is remembered under, "" for nothing: sessions
// of users have no key of their own.
func usedID(p aws.Principal) string {
	switch {
	case p.Type == aws.PrincipalAssumedRole:
		id, _, _ := strings.Cut(p.UniqueID, ":")
		return id
	case p.ExpiresAt.IsZero():
		return p.AccessKeyID
	}
	return ""
}

// Used notes that a request was signed by the call's principal. wire tells it of
// each one.
func (s *Service) Used(call aws.Call) {
	id := usedID(call.Principal)
	if id == "" {
		return
	}
	s.uses.mu.Lock()
	defer s.uses.mu.Unlock()
	if s.uses.latest == nil {
		s.uses.latest = map[string]use{}
	}
	s.uses.latest[id] = use{At: s.clock.Now().UTC().Truncate(time.Second), Service: call.Service, Region: call.Region}
	select {
	case s.uses.woken <- struct{}{}:
	default: // the writer knows already
	}
}

// Run writes what was used, at most once a period, until ctx ends; then a last
// time.
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return s.writeUses(context.WithoutCancel(ctx))
		case <-s.uses.woken:
		}
		if err := clock.Sleep(ctx, s.clock, usePeriod); err == nil {
			if err := s.writeUses(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// writeUses writes what is gathered. A use leaves the memory when it is written and
// no later one has taken its place.
func (s *Service) writeUses(ctx context.Context) error {
	s.uses.mu.Lock()
	written := maps.Clone(s.uses.latest)
	s.uses.mu.Unlock()
	if len(written) == 0 {
		return nil
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		for id, u := range written {
			held, err := isHeld(tx, id)
			if err == nil && held {
				err = uses.Put(tx, keyRow(id), &u)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.uses.mu.Lock()
	defer s.uses.mu.Unlock()
	maps.DeleteFunc(s.uses.latest, func(id string, u use) bool { return written[id] == u })
	return nil
}

// isHeld reports whether the key or role that was used is still there: nothing would
// ever drop the row of one that was deleted since.
func isHeld(tx *store.Tx, id string) (bool, error) {
	if _, err := keys.Get(tx, keyRow(id)); !errors.Is(err, store.ErrNotFound) {
		return err == nil, err
	}
	e, _, err := entityByID(tx, id)
	return e != nil, err
}

// lastUse returns the last use of a key or role, nil when there was none.
func (s *Service) lastUse(tx *store.Tx, id string) (*use, error) {
	s.uses.mu.Lock()
	u, found := s.uses.latest[id]
	s.uses.mu.Unlock()
	if found {
		return &u, nil
	}
	row, err := uses.Get(tx, keyRow(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return row, err
}

// roleLastUsed is a role's last use as GetRole tells it: empty for none.
func (s *Service) roleLastUsed(tx *store.Tx, roleID string) (*api.RoleLastUsed, error) {
	u, err := s.lastUse(tx, roleID)
	if err != nil || u == nil {
		return &api.RoleLastUsed{}, err
	}
	return &api.RoleLastUsed{LastUsedDate: aws.Ptr(u.At), Region: aws.Ptr(u.Region)}, nil
}

// forgetUse drops the row of what is deleted.
func forgetUse(tx *store.Tx, id string) error {
	if err := uses.Delete(tx, keyRow(id)); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// GetAccessKeyLastUsed tells when, where and for which service a key signed last.
func (s *Service) GetAccessKeyLastUsed(ctx context.Context, in *api.GetAccessKeyLastUsedInput) (*api.GetAccessKeyLastUsedOutput, error) {
	out := &api.GetAccessKeyLastUsedOutput{AccessKeyLastUsed: &api.AccessKeyLastUsed{ServiceName: aws.Ptr("N/A"), Region: aws.Ptr("N/A")}}
	return out, s.db.View(ctx, func(tx *store.Tx) error {
		k, err := keys.Get(tx, keyRow(*in.AccessKeyId))
		if errors.Is(err, store.ErrNotFound) || err == nil && k.Account != accountOf(ctx) {
			return awserr.Status(http.StatusForbidden, "AccessDenied", "User: %s is not authorized to perform iam:GetAccessKeyLastUsed on resource: access key %s",
				aws.CallFrom(ctx).Principal.ARN, *in.AccessKeyId)
		}
		if err != nil {
			return err
		}
		e, _, err := entityByID(tx, k.Owner)
		if err != nil {
			return err
		}
		out.UserName = aws.Ptr("root")
		if e != nil {
			out.UserName = aws.Ptr(e.Name)
		}
		u, err := s.lastUse(tx, *in.AccessKeyId)
		if u != nil {
			out.AccessKeyLastUsed = &api.AccessKeyLastUsed{LastUsedDate: aws.Ptr(u.At), ServiceName: aws.Ptr(u.Service), Region: aws.Ptr(u.Region)}
		}
		return err
	})
}

// onKeyOwner is the user that holds an access key.
func (s *Service) onKeyOwner(ctx context.Context, in any) (aws.Check, error) {
	return view(ctx, s, func(tx *store.Tx) (aws.Check, error) {
		k, err := keys.Get(tx, keyRow(member(in, "AccessKeyId")))
		if errors.Is(err, store.ErrNotFound) || err == nil && k.Account != accountOf(ctx) {
			return aws.Check{Resource: iamARN(accountOf(ctx), userKind, "/", "*")}, nil
		}
		if err != nil {
			return aws.Check{}, err
		}
		p, err := owner(tx, k)
		if err != nil {
			return aws.Check{}, err
		}
		c := aws.Check{Resource: p.ARN}
		e, err := entities.Get(tx, entityKey(k.Account, userKind, arn.Name(p.ARN)))
		if errors.Is(err, store.ErrNotFound) { // root's key
			return c, nil
		}
		if err == nil {
			e.describe(&c)
		}
		return c, err
	})
}
