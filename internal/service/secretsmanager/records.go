package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/store"
)

// secret is a row of secretsmanager.secret; the key's ID is the name.
type secret struct {
	// Suffix are the six characters that end the ARN.
	Suffix, Description, KmsKeyID, Policy string
	Tags                                  []tag `json:",omitempty"`
	Created, Changed                      time.Time
	Accessed                              time.Time `json:",omitzero"` // a day
	// Gone is when a deleted secret ends for good; until then it can be restored.
	Gone time.Time `json:",omitzero"`
	// Versions are kept from the oldest to the newest; their values are rows of
	// their own.
	Versions []version `json:",omitempty"`
	// Token made the secret, where a stack did.
	Token string `json:",omitempty"`
}

type tag struct{ Key, Value string }

// version is what is known of a value without opening it.
type version struct {
	ID       string
	Stages   []string `json:",omitempty"` // sorted
	Created  time.Time
	Accessed time.Time `json:",omitzero"`
}

// value is a row of secretsmanager.version: a sealed text, or sealed bytes.
type value struct {
	Sealed []byte
	Binary bool
}

var (
	secrets = &store.Table[secret]{Name: "secretsmanager.secret", Version: 1}
	values  = &store.Table[value]{Name: "secretsmanager.version", Version: 1}
)

const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
	stagePending  = "AWSPENDING"
	// maxVersions are kept; of more, the oldest without a label goes.
	maxVersions = 100
)

func valueKey(k store.Key, versionID string) store.Key {
	k.ID += "\x00" + versionID
	return k
}

func sealedRow(k store.Key) string { return k.Account + "/" + k.Region + "/" + k.ID }

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9/_+=.@!\-]+$`)

func isARN(id string) bool { return strings.HasPrefix(id, "arn:") }

// suffixLength is how many random characters end an ARN, after a hyphen.
const suffixLength = 6

func arnOf(k store.Key, suffix string) string {
	return "arn:aws:secretsmanager:" + k.Region + ":" + k.Account + ":secret:" + k.ID + "-" + suffix
}

// find returns the secret that id names: by its name, its ARN, or its ARN without
// the random end. A secret whose recovery window has passed does not exist.
func find(tx *store.Tx, c aws.Call, id string) (store.Key, *secret, error) {
	k, suffixed := store.Key{Account: c.Account, Region: c.Region, ID: id}, ""
	if isARN(id) {
		parts := strings.SplitN(id, ":", 7)
		if len(parts) < 7 || parts[2] != name || parts[5] != "secret" || parts[3] != c.Region {
			return k, nil, errNotFound()
		}
		k.Account, k.ID = parts[4], parts[6]
		suffixed = k.ID
	}
	if !nameForm.MatchString(k.ID) {
		return k, nil, errName()
	}
	if at := len(suffixed) - suffixLength - 1; at > 0 && suffixed[at] == '-' {
		full := k
		full.ID = suffixed[:at]
		s, err := get(tx, full)
		if err == nil && s.Suffix == suffixed[at+1:] {
			return full, s, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return full, nil, err
		}
	}
	s, err := get(tx, k)
	return k, s, err
}

func get(tx *store.Tx, k store.Key) (*secret, error) {
	s, err := secrets.Get(tx, k)
	if err == nil && !s.Gone.IsZero() && !tx.Now().Before(s.Gone) {
		return nil, fmt.Errorf("secret %s: %w", k.ID, store.ErrNotFound)
	}
	return s, err
}

// need is find for operations: what is not there is AWS's error.
func need(tx *store.Tx, c aws.Call, id *string) (store.Key, *secret, error) {
	k, s, err := find(tx, c, aws.Val(id))
	if errors.Is(err, store.ErrNotFound) {
		err = errNotFound()
	}
	return k, s, err
}

// needLive is need for operations that a deleted secret refuses.
func needLive(tx *store.Tx, c aws.Call, id *string) (store.Key, *secret, error) {
	k, s, err := need(tx, c, id)
	if err == nil && !s.Gone.IsZero() {
		return k, nil, errDeleted()
	}
	return k, s, err
}

// change runs fn on a live secret and stores it.
func (s *Service) change(ctx context.Context, id *string, fn func(tx *store.Tx, k store.Key, sec *secret) error) (arn, secretName *string, err error) {
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, sec, err := needLive(tx, c, id)
		if err != nil {
			return err
		}
		if err := fn(tx, k, sec); err != nil {
			return err
		}
		sec.Changed = tx.Now()
		arn, secretName = aws.Ptr(arnOf(k, sec.Suffix)), &k.ID
		emit(tx, c, k)
		return secrets.Put(tx, k, sec)
	})
	if err != nil {
		return nil, nil, err
	}
	return arn, secretName, nil
}

func emit(tx *store.Tx, c aws.Call, k store.Key) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: name, Resource: k.ID, Kind: "secret", RequestID: c.RequestID})
}

// at finds a version by its id.
func (s *secret) at(id string) *version {
	for i := range s.Versions {
		if s.Versions[i].ID == id {
			return &s.Versions[i]
		}
	}
	return nil
}

// labelled finds the version that has a staging label.
func (s *secret) labelled(stage string) *version {
	for i := range s.Versions {
		if slices.Contains(s.Versions[i].Stages, stage) {
			return &s.Versions[i]
		}
	}
	return nil
}

// stages maps versions to their labels, leaving out those without.
func (s *secret) stages() map[string][]string {
	out := map[string][]string{}
	for _, v := range s.Versions {
		if len(v.Stages) > 0 {
			out[v.ID] = v.Stages
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// day cuts a time to the day, as the API shows when a secret was read.
func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
