package iam

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/sigv4"
)

var _ wire.Credentials = (*Service)(nil)

// Lookup implements wire.Credentials. A long-term key comes from its row, a
// session from its token; either way the identity behind it must still exist.
func (s *Service) Lookup(ctx context.Context, keyID, token string) (wire.Credential, error) {
	id := keyAndToken{keyID, token}
	c, found, generation := s.known.key(id)
	if found && (c.Principal.ExpiresAt.IsZero() || s.clock.Now().Before(c.Principal.ExpiresAt)) {
		return c, nil
	}
	c, err := s.read(ctx, keyID, token)
	if err == nil {
		s.known.keepKey(generation, id, c)
	}
	return c, err
}

// read is Lookup from the rows and the token.
func (s *Service) read(ctx context.Context, keyID, token string) (wire.Credential, error) {
	if token != "" {
		return s.lookupSession(ctx, keyID, token)
	}
	if strings.HasPrefix(keyID, "ASIA") {
		return wire.Credential{}, refused(sigv4.UnknownKey, keyID)
	}
	return view(ctx, s, func(tx *store.Tx) (wire.Credential, error) {
		k, err := keys.Get(tx, keyRow(keyID))
		if errors.Is(err, store.ErrNotFound) || err == nil && !k.Active {
			return wire.Credential{}, refused(sigv4.UnknownKey, keyID)
		}
		if err != nil {
			return wire.Credential{}, err
		}
		p, err := owner(tx, k)
		if err != nil {
			return wire.Credential{}, err
		}
		secret, err := s.unseal(keyID, k)
		p.AccessKeyID = keyID
		return wire.Credential{Secret: secret, Principal: p}, err
	})
}

func refused(kind sigv4.Kind, keyID string) error {
	return &sigv4.Failure{Kind: kind, AccessKeyID: keyID}
}

// owner is the principal behind a long-term key.
func owner(tx *store.Tx, k *accessKey) (aws.Principal, error) {
	if k.Owner == k.Account {
		return Root(k.Account), nil
	}
	e, _, err := entityByID(tx, k.Owner)
	if err != nil {
		return aws.Principal{}, err
	}
	if e == nil {
		return aws.Principal{}, refused(sigv4.UnknownKey, "")
	}
	return aws.Principal{Type: aws.PrincipalUser, Account: k.Account, ARN: e.arn(k.Account), UniqueID: e.ID}, nil
}

// Root is the root user of an account.
func Root(account string) aws.Principal {
	return aws.Principal{Type: aws.PrincipalRoot, Account: account, ARN: "arn:aws:iam::" + account + ":root", UniqueID: account}
}

func (s *Service) lookupSession(ctx context.Context, keyID, token string) (wire.Credential, error) {
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return wire.Credential{}, refused(sigv4.InvalidToken, keyID)
	}
	plain, err := s.sealer.Open(sessionTable, keyID, sealed)
	if err != nil {
		return wire.Credential{}, refused(sigv4.InvalidToken, keyID)
	}
	var session sealedSession
	if err := json.Unmarshal(plain, &session); err != nil {
		return wire.Credential{}, refused(sigv4.InvalidToken, keyID)
	}
	if !s.clock.Now().Before(session.Principal.ExpiresAt) {
		return wire.Credential{}, refused(sigv4.ExpiredToken, keyID)
	}
	p := session.Principal
	p.AccessKeyID = keyID
	if p.Type != aws.PrincipalRoot && identityID(p) != "" {
		e, err := s.identity(ctx, p)
		if err != nil {
			return wire.Credential{}, err
		}
		if e == nil {
			return wire.Credential{}, refused(sigv4.UnknownKey, keyID)
		}
	}
	return wire.Credential{Secret: session.Secret, Principal: p}, nil
}

// identity returns the user or role behind a principal, nil when it is gone. A
// new one of the same name has another unique id.
func (s *Service) identity(ctx context.Context, p aws.Principal) (*entity, error) {
	return view(ctx, s, func(tx *store.Tx) (*entity, error) {
		e, _, err := entityByID(tx, identityID(p))
		return e, err
	})
}
