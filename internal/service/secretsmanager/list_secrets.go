package secretsmanager

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeSecret tells everything of a secret but its value.
func (s *Service) DescribeSecret(ctx context.Context, in *api.DescribeSecretInput) (*api.DescribeSecretOutput, error) {
	var e api.SecretListEntry
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		k, sec, err := need(tx, aws.CallFrom(ctx), in.SecretId)
		if err == nil {
			e = entryOf(k, sec)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DescribeSecretOutput{ARN: e.ARN, Name: e.Name, Description: e.Description, KmsKeyId: e.KmsKeyId, Tags: e.Tags,
		CreatedDate: e.CreatedDate, LastChangedDate: e.LastChangedDate, LastAccessedDate: e.LastAccessedDate, DeletedDate: e.DeletedDate,
		VersionIdsToStages: e.SecretVersionsToStages}, nil
}

func entryOf(k store.Key, sec *secret) api.SecretListEntry {
	e := api.SecretListEntry{ARN: aws.Ptr(arnOf(k, sec.Suffix)), Name: &k.ID, Tags: sec.apiTags(),
		CreatedDate: &sec.Created, LastChangedDate: &sec.Changed, SecretVersionsToStages: sec.stages()}
	if sec.Description != "" {
		e.Description = &sec.Description
	}
	if sec.KmsKeyID != "" {
		e.KmsKeyId = &sec.KmsKeyID
	}
	if !sec.Accessed.IsZero() {
		e.LastAccessedDate = &sec.Accessed
	}
	if !sec.Gone.IsZero() {
		e.DeletedDate = &sec.Gone
	}
	return e
}

// ListSecrets lists secrets without their values.
func (s *Service) ListSecrets(ctx context.Context, in *api.ListSecretsInput) (*api.ListSecretsOutput, error) {
	match, err := matcher(in.Filters)
	if err != nil {
		return nil, err
	}
	rows, err := s.list(ctx, aws.Val(in.IncludePlannedDeletion), match)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, order(in.SortBy, in.SortOrder == "desc"))
	page, next, ok := pages.Cut(rows, in.NextToken, pages.Limit(in.MaxResults, 100))
	if !ok {
		return nil, errPageToken()
	}
	out := &api.ListSecretsOutput{SecretList: []api.SecretListEntry{}, NextToken: next}
	for _, r := range page {
		out.SecretList = append(out.SecretList, entryOf(r.Key, r.Value))
	}
	return out, nil
}

func order(by api.SortByType, desc bool) func(a, b store.Row[secret]) int {
	date := func(r store.Row[secret]) time.Time {
		switch by {
		case "last-accessed-date":
			return r.Value.Accessed
		case "last-changed-date":
			return r.Value.Changed
		}
		return r.Value.Created
	}
	return func(a, b store.Row[secret]) int {
		n := date(a).Compare(date(b))
		if by == "name" {
			n = strings.Compare(a.Key.ID, b.Key.ID)
		}
		if desc {
			return -n
		}
		return n
	}
}

// list returns the secrets of the caller's account and region that match, in the
// order of their names.
func (s *Service) list(ctx context.Context, deleted bool, match func(string, *secret) bool) (rows []store.Row[secret], err error) {
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		all, err := secrets.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		rows = slices.DeleteFunc(all, func(r store.Row[secret]) bool {
			gone := r.Value.Gone
			return !gone.IsZero() && (!deleted || !tx.Now().Before(gone)) || !match(r.Key.ID, r.Value)
		})
		return err
	})
	return rows, err
}

// matcher makes one test of filters: of each, one value must match.
func matcher(filters []api.Filter) (func(string, *secret) bool, error) {
	for _, f := range filters {
		if f.Key == "" {
			return nil, invalidParameter("Invalid filter key")
		}
		if len(f.Values) == 0 {
			return nil, invalidParameter("Invalid filter values for key: %s", f.Key)
		}
	}
	return func(id string, s *secret) bool {
		for _, f := range filters {
			if !slices.ContainsFunc(f.Values, func(v string) bool { return matches(f.Key, v, id, s) }) {
				return false
			}
		}
		return true
	}, nil
}

// matches tests one value; an exclamation mark in front turns it round.
func matches(key api.FilterNameStringType, v, id string, s *secret) bool {
	if rest, not := strings.CutPrefix(v, "!"); not {
		return !matches(key, rest, id, s)
	}
	begins := func(text string) bool { return strings.HasPrefix(text, v) }
	switch key {
	case "name":
		return begins(id)
	case "description":
		return wordsBegin(v, s.Description)
	case "tag-key":
		return slices.ContainsFunc(s.Tags, func(t tag) bool { return begins(t.Key) })
	case "tag-value":
		return slices.ContainsFunc(s.Tags, func(t tag) bool { return begins(t.Value) })
	case "all":
		texts := []string{id, s.Description}
		for _, t := range s.Tags {
			texts = append(texts, t.Key, t.Value)
		}
		return wordsBegin(v, strings.Join(texts, " "))
	}
	return false // no secret has a primary region or an owning service
}

// wordsBegin reports whether each word of v begins a word of text, whatever the
// case.
func wordsBegin(v, text string) bool {
	split := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	have := strings.FieldsFunc(strings.ToLower(text), split)
	want := strings.FieldsFunc(strings.ToLower(v), split)
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return len(want) > 0
}
