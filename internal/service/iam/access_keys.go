package iam

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// newSecret returns a secret of 40 characters, as AWS's are.
func newSecret() string {
	var b [30]byte
	_, _ = rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

func (s *Service) seal(keyID, secret string) ([]byte, error) {
	return s.sealer.Seal(keys.Name, keyID, []byte(secret))
}

func (s *Service) unseal(keyID string, k *accessKey) (string, error) {
	secret, err := s.sealer.Open(keys.Name, keyID, k.Sealed)
	return string(secret), err
}

// keyOwner is whom an access-key operation is about.
type keyOwner struct {
	id   string  // unique id of the user, or the account of root
	name *string // nil for root
}

// keyOwner finds the owner: the user named, or the caller itself.
func (s *Service) keyOwner(ctx context.Context, tx *store.Tx, named *string) (keyOwner, error) {
	caller := aws.CallFrom(ctx).Principal
	if aws.Val(named) == "" && caller.Type == aws.PrincipalRoot {
		return keyOwner{id: caller.Account}, nil
	}
	if aws.Val(named) != "" {
		e, err := getEntity(tx, accountOf(ctx), userKind, *named)
		if err != nil {
			return keyOwner{}, err
		}
		return keyOwner{e.ID, aws.Ptr(e.Name)}, nil
	}
	if caller.Type != aws.PrincipalUser {
		return keyOwner{}, validation("Must specify userName when calling with non-User credentials")
	}
	e, _, err := entityByID(tx, caller.UniqueID)
	if err != nil {
		return keyOwner{}, err
	}
	if e == nil {
		return keyOwner{}, noEntity(userKind, arn.Name(caller.ARN))
	}
	return keyOwner{e.ID, aws.Ptr(e.Name)}, nil
}

// CreateAccessKey makes a key; this is the only answer that shows its secret.
func (s *Service) CreateAccessKey(ctx context.Context, in *api.CreateAccessKeyInput) (*api.CreateAccessKeyOutput, error) {
	account, token := accountOf(ctx), aws.CallFrom(ctx).Token
	id, secret := ids.AccessKey("AKIA"), newSecret()
	sealed, err := s.seal(id, secret)
	if err != nil {
		return nil, err
	}
	k := &accessKey{Account: account, Sealed: sealed, Active: true, Created: s.clock.Now().UTC(), Token: token}
	var owner keyOwner
	err = s.change(ctx, func(tx *store.Tx) (string, error) {
		if owner, err = s.keyOwner(ctx, tx, in.UserName); err != nil {
			return "", err
		}
		if token != "" {
			rows, err := keys.Lookup(tx, "token", joined(account, token))
			if err != nil {
				return "", err
			}
			if len(rows) > 0 {
				id, k = rows[0].Key.ID, rows[0].Value
				return "", nil
			}
		}
		k.Owner = owner.id
		return id, insertKey(tx, id, k)
	})
	if err != nil {
		return nil, err
	}
	if secret, err = s.unseal(id, k); err != nil {
		return nil, err
	}
	return &api.CreateAccessKeyOutput{AccessKey: &api.AccessKey{UserName: shownOwner(owner), AccessKeyId: aws.Ptr(id), Status: keyStatus(k),
		SecretAccessKey: aws.Ptr(secret), CreateDate: aws.Ptr(k.Created)}}, nil
}

func insertKey(tx *store.Tx, id string, k *accessKey) error {
	owned, err := keys.Lookup(tx, "owner", k.Owner)
	if err != nil {
		return err
	}
	if len(owned) >= maxKeysPerUser {
		return quota("Cannot exceed quota for AccessKeysPerUser: %d", maxKeysPerUser)
	}
	return keys.Insert(tx, keyRow(id), k)
}

// shownOwner writes root's missing name as "root", since clients require one.
func shownOwner(o keyOwner) *string {
	if o.name == nil {
		return aws.Ptr("root")
	}
	return o.name
}

func keyStatus(k *accessKey) api.StatusType {
	if k.Active {
		return "Active"
	}
	return "Inactive"
}

// ListAccessKeys lists a user's keys without secrets.
func (s *Service) ListAccessKeys(ctx context.Context, in *api.ListAccessKeysInput) (*api.ListAccessKeysOutput, error) {
	list, err := view(ctx, s, func(tx *store.Tx) ([]api.AccessKeyMetadata, error) {
		owner, err := s.keyOwner(ctx, tx, in.UserName)
		if err != nil {
			return nil, err
		}
		rows, err := keys.Lookup(tx, "owner", owner.id)
		out := []api.AccessKeyMetadata{}
		for _, r := range rows {
			out = append(out, api.AccessKeyMetadata{UserName: shownOwner(owner), AccessKeyId: aws.Ptr(r.Key.ID), Status: keyStatus(r.Value), CreateDate: aws.Ptr(r.Value.Created)})
		}
		slices.SortFunc(out, func(a, b api.AccessKeyMetadata) int { return strings.Compare(*a.AccessKeyId, *b.AccessKeyId) })
		return out, err
	})
	if err != nil {
		return nil, err
	}
	p, err := paginate(list, func(k api.AccessKeyMetadata) string { return *k.AccessKeyId }, in.Marker, in.MaxItems)
	return &api.ListAccessKeysOutput{AccessKeyMetadata: p.items, IsTruncated: p.truncated, Marker: p.marker}, err
}

// ownedKey returns a key of the owner that the operation is about.
func (s *Service) ownedKey(ctx context.Context, tx *store.Tx, named *string, keyID string) (*accessKey, error) {
	owner, err := s.keyOwner(ctx, tx, named)
	if err != nil {
		return nil, err
	}
	k, err := keys.Get(tx, keyRow(keyID))
	if errors.Is(err, store.ErrNotFound) || err == nil && k.Owner != owner.id {
		return nil, noSuch("The Access Key with id %s cannot be found.", keyID)
	}
	return k, err
}

// UpdateAccessKey activates or deactivates a key, at once.
func (s *Service) UpdateAccessKey(ctx context.Context, in *api.UpdateAccessKeyInput) (*api.UpdateAccessKeyOutput, error) {
	return &api.UpdateAccessKeyOutput{}, s.change(ctx, func(tx *store.Tx) (string, error) {
		k, err := s.ownedKey(ctx, tx, in.UserName, *in.AccessKeyId)
		if err != nil {
			return "", err
		}
		if in.Status != "Active" && in.Status != "Inactive" {
			return "", validation("Status must be Active or Inactive.")
		}
		k.Active = in.Status == "Active"
		return *in.AccessKeyId, keys.Put(tx, keyRow(*in.AccessKeyId), k)
	})
}

// DeleteAccessKey deletes a key, at once.
func (s *Service) DeleteAccessKey(ctx context.Context, in *api.DeleteAccessKeyInput) (*api.DeleteAccessKeyOutput, error) {
	return &api.DeleteAccessKeyOutput{}, s.change(ctx, func(tx *store.Tx) (string, error) {
		if _, err := s.ownedKey(ctx, tx, in.UserName, *in.AccessKeyId); err != nil {
			return "", err
		}
		if err := forgetUse(tx, *in.AccessKeyId); err != nil {
			return "", err
		}
		return *in.AccessKeyId, keys.Delete(tx, keyRow(*in.AccessKeyId))
	})
}
