package ec2

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hardstand/hardstand/internal/store"
)

// User data often holds passwords, so its bytes are in the database sealed, for the
// row of the instance that they belong to.

func (s *Service) sealUserData(id string, plain []byte) ([]byte, error) {
	if len(plain) == 0 {
		return nil, nil
	}
	sealed, err := s.sealer.Seal(instances.Name, id, plain)
	if err != nil {
		return nil, fmt.Errorf("seal user data of %s: %w", id, err)
	}
	return sealed, nil
}

// userData returns the user data of r as it was given.
func (s *Service) userData(r *instance) ([]byte, error) {
	if len(r.PlainUserData) > 0 {
		return r.PlainUserData, nil
	}
	if len(r.UserData) == 0 {
		return nil, nil
	}
	plain, err := s.sealer.Open(instances.Name, r.ID, r.UserData)
	if err != nil {
		return nil, fmt.Errorf("open user data of %s: %w", r.ID, err)
	}
	return plain, nil
}

// upgradeInstance tells the user data of the first version, which was not sealed,
// from what is.
func upgradeInstance(_ int, doc []byte) ([]byte, error) {
	var r instance
	if err := json.Unmarshal(doc, &r); err != nil {
		return nil, err
	}
	r.PlainUserData, r.UserData = r.UserData, nil
	return json.Marshal(&r)
}

// sealFirstVersion seals the user data that an earlier version has left as it was.
func (s *Service) sealFirstVersion(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err := instances.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		for _, row := range rows {
			r := row.Value
			if len(r.PlainUserData) == 0 {
				continue
			}
			if r.UserData, err = s.sealUserData(r.ID, r.PlainUserData); err != nil {
				return err
			}
			r.PlainUserData = nil
			if err := instances.Put(tx, row.Key, r); err != nil {
				return err
			}
		}
		return nil
	})
}
