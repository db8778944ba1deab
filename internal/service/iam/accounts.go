package iam

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// Key is an access key with its secret, for the shell of the machine's owner.
type Key struct{ ID, Secret string }

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	presetForm  = regexp.MustCompile(`^\w{3,128}$`)
)

// EnsureRoot makes the account where it does not exist and returns its root key.
// A preset key, from the server's environment, replaces the one that there is.
func (s *Service) EnsureRoot(ctx context.Context, account string, preset *Key) (Key, error) {
	if !accountForm.MatchString(account) {
		return Key{}, fmt.Errorf("account %q must have 12 digits", account)
	}
	if preset != nil && (!presetForm.MatchString(preset.ID) || preset.Secret == "") {
		return Key{}, errors.New("root's preset key needs an id of 3 to 128 letters, digits or underscores and a secret")
	}
	row, err := view(ctx, s, func(tx *store.Tx) (*accountRow, error) { return accounts.Get(tx, keyRow(account)) })
	switch {
	case err == nil && preset == nil:
		return s.RootKey(ctx, account)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return Key{}, err
	}
	return s.writeRoot(ctx, account, row, preset)
}

// writeRoot stores root's key, made or preset, in place of the one that row names.
func (s *Service) writeRoot(ctx context.Context, account string, row *accountRow, preset *Key) (Key, error) {
	key := Key{ids.AccessKey("AKIA"), newSecret()}
	if preset != nil {
		key = *preset
	}
	sealed, err := s.seal(key.ID, key.Secret)
	if err != nil {
		return Key{}, err
	}
	now := s.clock.Now().UTC()
	if row == nil {
		row = &accountRow{Created: now}
	}
	defer s.known.forget()
	return key, s.db.Update(ctx, func(tx *store.Tx) error {
		taken, err := keys.Get(tx, keyRow(key.ID))
		switch {
		case err == nil && taken.Owner != account:
			return fmt.Errorf("access key %s belongs to another identity", key.ID)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		}
		if row.RootKey != "" && row.RootKey != key.ID {
			if err := keys.Delete(tx, keyRow(row.RootKey)); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err := forgetUse(tx, row.RootKey); err != nil {
				return err
			}
		}
		next := *row
		next.RootKey = key.ID
		if err := accounts.Put(tx, keyRow(account), &next); err != nil {
			return err
		}
		tx.Emit(store.Event{Account: account, Service: "iam", Resource: "arn:aws:iam::" + account + ":root", Kind: "RootKeyWritten"})
		return keys.Put(tx, keyRow(key.ID), &accessKey{Account: account, Owner: account, Sealed: sealed, Active: true, Created: now})
	})
}

// CreateAccount makes another account and returns its root key. An existing one
// is an error.
func (s *Service) CreateAccount(ctx context.Context, account string) (Key, error) {
	_, err := view(ctx, s, func(tx *store.Tx) (*accountRow, error) { return accounts.Get(tx, keyRow(account)) })
	if err == nil {
		return Key{}, fmt.Errorf("account %s exists already", account)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return Key{}, err
	}
	return s.EnsureRoot(ctx, account, nil)
}

// RootKey returns the root key of an account, as `hardstand env` prints it.
func (s *Service) RootKey(ctx context.Context, account string) (Key, error) {
	return view(ctx, s, func(tx *store.Tx) (Key, error) {
		row, err := accounts.Get(tx, keyRow(account))
		if errors.Is(err, store.ErrNotFound) {
			return Key{}, fmt.Errorf("account %s does not exist", account)
		}
		if err != nil {
			return Key{}, err
		}
		k, err := keys.Get(tx, keyRow(row.RootKey))
		if errors.Is(err, store.ErrNotFound) {
			return Key{}, fmt.Errorf("the root key of account %s has been deleted", account)
		}
		if err != nil {
			return Key{}, err
		}
		secret, err := s.unseal(row.RootKey, k)
		return Key{row.RootKey, secret}, err
	})
}

// Accounts returns the accounts of this server, ordered.
func (s *Service) Accounts(ctx context.Context) ([]string, error) {
	return view(ctx, s, func(tx *store.Tx) ([]string, error) {
		rows, err := accounts.List(tx, store.Scope{}, "", 0)
		out := make([]string, len(rows))
		for i, r := range rows {
			out[i] = r.Key.ID
		}
		return out, err
	})
}

// KeyAccount returns the account of an access key (sts:GetAccessKeyInfo).
func (s *Service) KeyAccount(ctx context.Context, keyID string) (string, error) {
	k, err := view(ctx, s, func(tx *store.Tx) (*accessKey, error) { return keys.Get(tx, keyRow(keyID)) })
	if errors.Is(err, store.ErrNotFound) {
		return "", noSuch("The Access Key with id %s cannot be found.", keyID)
	}
	if err != nil {
		return "", err
	}
	return k.Account, nil
}

func (s *Service) accountCreated(ctx context.Context, account string) (*time.Time, error) {
	row, err := view(ctx, s, func(tx *store.Tx) (*accountRow, error) { return accounts.Get(tx, keyRow(account)) })
	if err != nil {
		return nil, err
	}
	return &row.Created, nil
}

// CreateAccountAlias names the account; one alias replaces another.
func (s *Service) CreateAccountAlias(ctx context.Context, in *api.CreateAccountAliasInput) (*api.CreateAccountAliasOutput, error) {
	return &api.CreateAccountAliasOutput{}, s.setAlias(ctx, func(row *accountRow) error {
		row.Alias = *in.AccountAlias
		return nil
	})
}

// DeleteAccountAlias removes the alias.
func (s *Service) DeleteAccountAlias(ctx context.Context, in *api.DeleteAccountAliasInput) (*api.DeleteAccountAliasOutput, error) {
	return &api.DeleteAccountAliasOutput{}, s.setAlias(ctx, func(row *accountRow) error {
		if row.Alias != *in.AccountAlias {
			return noSuch("The account alias %s cannot be found.", *in.AccountAlias)
		}
		row.Alias = ""
		return nil
	})
}

func (s *Service) setAlias(ctx context.Context, edit func(*accountRow) error) error {
	account := accountOf(ctx)
	return s.change(ctx, func(tx *store.Tx) (string, error) {
		row, err := accounts.Get(tx, keyRow(account))
		if err != nil {
			return "", err
		}
		if err := edit(row); err != nil {
			return "", err
		}
		err = accounts.Put(tx, keyRow(account), row)
		if errors.Is(err, store.ErrExists) {
			return "", alreadyExists("The account alias %s already exists.", row.Alias)
		}
		return "arn:aws:iam::" + account + ":root", err
	})
}

// ListAccountAliases lists the account's alias, if any.
func (s *Service) ListAccountAliases(ctx context.Context, _ *api.ListAccountAliasesInput) (*api.ListAccountAliasesOutput, error) {
	row, err := view(ctx, s, func(tx *store.Tx) (*accountRow, error) { return accounts.Get(tx, keyRow(accountOf(ctx))) })
	if err != nil {
		return nil, err
	}
	return &api.ListAccountAliasesOutput{AccountAliases: append([]string{}, nonEmpty(row.Alias)...), IsTruncated: aws.Ptr(false)}, nil
}

// GetAccountSummary counts what the account has beside what it may have.
func (s *Service) GetAccountSummary(ctx context.Context, _ *api.GetAccountSummaryInput) (*api.GetAccountSummaryOutput, error) {
	account := accountOf(ctx)
	m := map[api.SummaryKeyType]int32{
		"UsersQuota": accountQuotas["UsersPerAccount"], "GroupsQuota": accountQuotas["GroupsPerAccount"], "RolesQuota": accountQuotas["RolesPerAccount"],
		"PoliciesQuota": accountQuotas["PoliciesPerAccount"], "InstanceProfilesQuota": accountQuotas["InstanceProfilesPerAccount"],
		"AssumeRolePolicySizeQuota": maxTrustSize, "ServerCertificatesQuota": 20, "SigningCertificatesPerUserQuota": 2,
		"MFADevicesInUse": 0, "AccountSigningCertificatesPresent": 0, "AccountPasswordPresent": 0, "GlobalEndpointTokenVersion": 1,
		"PolicyVersionsInUseQuota": 10000,
		"AccessKeysPerUserQuota":   maxKeysPerUser, "GroupsPerUserQuota": maxGroupsPerUser, "AttachedPoliciesPerUserQuota": maxAttached,
		"AttachedPoliciesPerGroupQuota": maxAttached, "AttachedPoliciesPerRoleQuota": maxAttached, "UserPolicySizeQuota": int32(inlineSize[userKind]),
		"GroupPolicySizeQuota": int32(inlineSize[groupKind]), "RolePolicySizeQuota": int32(inlineSize[roleKind]),
		"PolicySizeQuota": maxPolicySize, "VersionsPerPolicyQuota": maxVersions, "MFADevices": 0, "AccountMFAEnabled": 0,
	}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		for kind, name := range map[string]api.SummaryKeyType{userKind: "Users", groupKind: "Groups", roleKind: "Roles"} {
			list, err := entitiesOf(tx, account, kind)
			if err != nil {
				return err
			}
			m[name] = int32(len(list))
		}
		owned, err := policies.List(tx, store.Scope{Account: account}, "", 0)
		if err != nil {
			return err
		}
		held, err := profiles.List(tx, store.Scope{Account: account}, "", 0)
		if err != nil {
			return err
		}
		versions := 0
		for _, p := range owned {
			versions += len(p.Value.Versions)
		}
		issuers, err := oidcProviders.List(tx, store.Scope{Account: account}, "", 0)
		if err != nil {
			return err
		}
		shown, err := certificates.List(tx, store.Scope{Account: account}, "", 0)
		if err != nil {
			return err
		}
		m["ServerCertificates"] = int32(len(shown))
		m["PolicyVersionsInUse"], m["Providers"] = int32(versions), int32(len(issuers))
		root, err := keys.Lookup(tx, "owner", account)
		m["Policies"], m["InstanceProfiles"], m["AccountAccessKeysPresent"] = int32(len(owned)), int32(len(held)), int32(min(1, len(root)))
		return err
	})
	return &api.GetAccountSummaryOutput{SummaryMap: m}, err
}
