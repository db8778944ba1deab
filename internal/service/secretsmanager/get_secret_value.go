package secretsmanager

import (
	"context"
	"errors"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// GetSecretValue returns a version's value: the current one's, or that of the
// version which an id or a label names.
func (s *Service) GetSecretValue(ctx context.Context, in *api.GetSecretValueInput) (*api.GetSecretValueOutput, error) {
	var k store.Key
	var out *api.GetSecretValueOutput
	read := false
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		var sec *secret
		var err error
		if k, sec, err = needLive(tx, aws.CallFrom(ctx), in.SecretId); err != nil {
			return err
		}
		v, err := sec.pick(in.VersionId, in.VersionStage)
		if err != nil {
			return err
		}
		body, err := s.open(tx, k, v.ID)
		if err != nil {
			return err
		}
		read = sec.Accessed.Equal(day(tx.Now())) && v.Accessed.Equal(day(tx.Now()))
		out = &api.GetSecretValueOutput{ARN: aws.Ptr(arnOf(k, sec.Suffix)), Name: &k.ID, VersionId: &v.ID, VersionStages: v.Stages,
			CreatedDate: &v.Created, SecretString: body.text, SecretBinary: body.bytes}
		return nil
	})
	if err != nil || read {
		return out, err
	}
	return out, s.accessed(ctx, k, *out.VersionId)
}

// accessed notes the day of a reading, once a day.
func (s *Service) accessed(ctx context.Context, k store.Key, id string) error {
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		sec, err := secrets.Get(tx, k)
		if err != nil {
			return err
		}
		sec.Accessed = day(tx.Now())
		if v := sec.at(id); v != nil {
			v.Accessed = sec.Accessed
		}
		return secrets.Put(tx, k, sec)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil // deleted meanwhile
	}
	return err
}

func (s *secret) pick(id, stage *string) (*version, error) {
	if id != nil {
		v := s.at(*id)
		switch {
		case v == nil:
			return nil, errNoValue("VersionId", *id)
		case stage != nil && !slices.Contains(v.Stages, *stage):
			return nil, invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
		}
		return v, nil
	}
	want := stageCurrent
	if stage != nil {
		want = *stage
	}
	if v := s.labelled(want); v != nil {
		return v, nil
	}
	return nil, errNoValue("staging label", want)
}

// defaultBatch is how many values a batch by filters holds.
const defaultBatch = 20

// BatchGetSecretValue returns the values of several secrets, each by its own
// GetSecretValue in the caller's name, and what went wrong with others.
func (s *Service) BatchGetSecretValue(ctx context.Context, in *api.BatchGetSecretValueInput) (*api.BatchGetSecretValueOutput, error) {
	list, next, err := s.batch(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &api.BatchGetSecretValueOutput{SecretValues: []api.SecretValueEntry{}, Errors: []api.APIErrorType{}, NextToken: next}
	for _, id := range list {
		v, err := wire.Call[api.GetSecretValueOutput](ctx, s.cfg.Invoker, name, "GetSecretValue", &api.GetSecretValueInput{SecretId: &id})
		if e := awserr.As(err); e != nil {
			out.Errors = append(out.Errors, api.APIErrorType{SecretId: &id, ErrorCode: &e.Code, Message: &e.Message})
			continue
		}
		if err != nil {
			return nil, err
		}
		out.SecretValues = append(out.SecretValues, api.SecretValueEntry{ARN: v.ARN, Name: v.Name, VersionId: v.VersionId,
			SecretBinary: v.SecretBinary, SecretString: v.SecretString, VersionStages: v.VersionStages, CreatedDate: v.CreatedDate})
	}
	return out, nil
}

// batch names the secrets that a batch is about.
func (s *Service) batch(ctx context.Context, in *api.BatchGetSecretValueInput) ([]string, *string, error) {
	if (len(in.SecretIdList) > 0) == (len(in.Filters) > 0) {
		return nil, nil, invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	}
	if len(in.SecretIdList) > 0 {
		if in.MaxResults != nil {
			return nil, nil, invalidParameter("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.")
		}
		return in.SecretIdList, nil, nil
	}
	match, err := matcher(in.Filters)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.list(ctx, false, match)
	if err != nil {
		return nil, nil, err
	}
	page, next, ok := pages.Cut(rows, in.NextToken, pages.Limit(in.MaxResults, defaultBatch))
	if !ok {
		return nil, nil, errPageToken()
	}
	var ids []string
	for _, r := range page {
		ids = append(ids, arnOf(r.Key, r.Value.Suffix))
	}
	return ids, next, nil
}
