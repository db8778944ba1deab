package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// getEntity returns the entity, or AWS's NoSuchEntity.
func getEntity(tx *store.Tx, account, kind, name string) (*entity, error) {
	e, err := entities.Get(tx, entityKey(account, kind, name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, noEntity(kind, name)
	}
	return e, err
}

// entityByID finds an entity by its unique id; nil when it is gone.
func entityByID(tx *store.Tx, id string) (*entity, store.Key, error) {
	rows, err := entities.Lookup(tx, "id", id)
	if err != nil || len(rows) == 0 {
		return nil, store.Key{}, err
	}
	return rows[0].Value, rows[0].Key, nil
}

// editEntity changes one entity in a transaction.
func (s *Service) editEntity(ctx context.Context, kind, name string, edit func(tx *store.Tx, e *entity) error) error {
	account := accountOf(ctx)
	return s.change(ctx, func(tx *store.Tx) (string, error) {
		e, err := getEntity(tx, account, kind, name)
		if err != nil {
			return "", err
		}
		if err := edit(tx, e); err != nil {
			return "", err
		}
		return e.arn(account), entities.Put(tx, entityKey(account, kind, name), e)
	})
}

// viewEntity reads one entity.
func (s *Service) viewEntity(ctx context.Context, kind, name string) (*entity, error) {
	return view(ctx, s, func(tx *store.Tx) (*entity, error) { return getEntity(tx, accountOf(ctx), kind, name) })
}

var idPrefixes = map[string]string{userKind: "AIDA", groupKind: "AGPA", roleKind: "AROA"}

// createEntity inserts e and completes it. A repeated create with the same token
// returns the first row.
func (s *Service) createEntity(ctx context.Context, e *entity) (*entity, error) {
	account := accountOf(ctx)
	e.ID, e.Created, e.Token = ids.IAM(idPrefixes[e.Kind]), s.clock.Now().UTC(), aws.CallFrom(ctx).Token
	made := e
	err := s.change(ctx, func(tx *store.Tx) (string, error) {
		if e.Token != "" {
			rows, err := entities.Lookup(tx, "token", joined(account, e.Token))
			if err != nil {
				return "", err
			}
			if len(rows) > 0 && rows[0].Value.Kind == e.Kind {
				made = rows[0].Value
				return "", nil
			}
		}
		if err := checkBoundary(tx, account, e.Boundary); err != nil {
			return "", err
		}
		if e.Kind == roleKind {
			if err := bindTrust(tx, e); err != nil {
				return "", err
			}
		}
		if err := withinQuota(tx, account, title(e.Kind)+"sPerAccount"); err != nil {
			return "", err
		}
		err := entities.Insert(tx, entityKey(account, e.Kind, e.Name), e)
		if errors.Is(err, store.ErrExists) {
			return "", alreadyExists("%s with name %s already exists.", title(e.Kind), e.Name)
		}
		return e.arn(account), err
	})
	return made, err
}

// deleteEntity removes an entity that nothing hangs on any more.
func (s *Service) deleteEntity(ctx context.Context, kind, name string, free func(tx *store.Tx, account string, e *entity) error) error {
	account := accountOf(ctx)
	return s.change(ctx, func(tx *store.Tx) (string, error) {
		e, err := getEntity(tx, account, kind, name)
		if err != nil {
			return "", err
		}
		if err := ownRole(e); err != nil {
			return "", err
		}
		switch {
		case len(e.Attached) > 0:
			return "", conflict("Cannot delete entity, must detach all policies first.")
		case len(e.Inline) > 0:
			return "", conflict("Cannot delete entity, must delete policies first.")
		}
		if err := free(tx, account, e); err != nil {
			return "", err
		}
		return e.arn(account), entities.Delete(tx, entityKey(account, kind, name))
	})
}

// listEntities returns a page of one kind below a path, ordered by name.
func (s *Service) listEntities(ctx context.Context, kind string, prefix, marker *string, limit *int32) (page[*entity], error) {
	account := accountOf(ctx)
	all, err := view(ctx, s, func(tx *store.Tx) ([]*entity, error) { return entitiesOf(tx, account, kind) })
	if err != nil {
		return page[*entity]{}, err
	}
	kept := all[:0]
	for _, e := range all {
		if strings.HasPrefix(e.Path, pathOr(prefix)) {
			kept = append(kept, e)
		}
	}
	return paginate(kept, func(e *entity) string { return strings.ToLower(e.Name) }, marker, limit)
}

// entitiesOf returns every entity of a kind, ordered by name.
func entitiesOf(tx *store.Tx, account, kind string) ([]*entity, error) {
	from := joined(account, kind, "")
	rows, err := entities.Range(tx, "name", from, from+"\xff", 0, false)
	out := make([]*entity, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	return out, err
}

// rename moves an entity to another name or path.
func (s *Service) rename(ctx context.Context, kind, name string, newName, newPath *string) error {
	account := accountOf(ctx)
	return s.change(ctx, func(tx *store.Tx) (string, error) {
		e, err := getEntity(tx, account, kind, name)
		if err != nil {
			return "", err
		}
		if newPath != nil {
			e.Path = *newPath
		}
		if newName == nil {
			return e.arn(account), entities.Put(tx, entityKey(account, kind, name), e)
		}
		e.Name = *newName
		if err := entities.Delete(tx, entityKey(account, kind, name)); err != nil {
			return "", err
		}
		err = entities.Insert(tx, entityKey(account, kind, e.Name), e)
		if errors.Is(err, store.ErrExists) {
			return "", alreadyExists("%s with name %s already exists.", title(kind), e.Name)
		}
		return e.arn(account), err
	})
}
