package secretsmanager

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
)

// move puts a label on a version, off the one that has it. The version that stops
// to be current becomes the previous one and is pending no longer.
func (s *secret) move(stage, id string) {
	from := s.labelled(stage)
	if from != nil && from.ID == id {
		return
	}
	s.drop(stage)
	to := s.at(id)
	to.Stages = append(to.Stages, stage)
	slices.Sort(to.Stages)
	if stage == stageCurrent && from != nil {
		s.move(stagePrevious, from.ID)
		from.Stages = slices.DeleteFunc(from.Stages, func(x string) bool { return x == stagePending })
	}
}

func (s *secret) drop(stage string) {
	if v := s.labelled(stage); v != nil {
		v.Stages = slices.DeleteFunc(v.Stages, func(x string) bool { return x == stage })
	}
}

// UpdateSecretVersionStage moves a label to another version, or takes it off.
func (s *Service) UpdateSecretVersionStage(ctx context.Context, in *api.UpdateSecretVersionStageInput) (*api.UpdateSecretVersionStageOutput, error) {
	out := &api.UpdateSecretVersionStageOutput{}
	var err error
	out.ARN, out.Name, err = s.change(ctx, in.SecretId, func(_ *store.Tx, _ store.Key, sec *secret) error {
		stage, from, to := *in.VersionStage, aws.Val(in.RemoveFromVersionId), aws.Val(in.MoveToVersionId)
		if err := sec.mayMove(stage, from, to); err != nil {
			return err
		}
		if to == "" {
			sec.drop(stage)
			return nil
		}
		sec.move(stage, to)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *secret) mayMove(stage, from, to string) error {
	for _, id := range []string{from, to} {
		if id != "" && s.at(id) == nil {
			return invalidParameter("Not a valid version: %s", id)
		}
	}
	if from == "" && to == "" {
		return invalidParameter("You must provide RemoveFromVersionId, MoveToVersionId, or both.")
	}
	has := s.labelled(stage)
	switch {
	case from != "" && (has == nil || has.ID != from):
		return invalidParameter("Version stage %s not found in version %s", stage, from)
	case from == "" && has != nil && has.ID != to:
		return invalidParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", stage, has.ID)
	case stage == stageCurrent && to == "":
		return invalidParameter("You can only move staging label %s to a different secret version. It can’t be completely removed.", stage)
	}
	return nil
}

// ListSecretVersionIds lists the versions that have labels, or all.
func (s *Service) ListSecretVersionIds(ctx context.Context, in *api.ListSecretVersionIdsInput) (*api.ListSecretVersionIdsOutput, error) {
	var k store.Key
	var sec *secret
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		k, sec, err = need(tx, aws.CallFrom(ctx), in.SecretId)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(sec.Versions, func(v version) bool { return len(v.Stages) == 0 && !aws.Val(in.IncludeDeprecated) })
	page, next, ok := pages.Cut(list, in.NextToken, pages.Limit(in.MaxResults, 100))
	if !ok {
		return nil, errPageToken()
	}
	out := &api.ListSecretVersionIdsOutput{ARN: aws.Ptr(arnOf(k, sec.Suffix)), Name: &k.ID, NextToken: next, Versions: []api.SecretVersionsListEntry{}}
	for _, v := range page {
		e := api.SecretVersionsListEntry{VersionId: &v.ID, VersionStages: v.Stages, CreatedDate: &v.Created, KmsKeyIds: []string{"DefaultEncryptionKey"}}
		if !v.Accessed.IsZero() {
			e.LastAccessedDate = &v.Accessed
		}
		out.Versions = append(out.Versions, e)
	}
	return out, nil
}
