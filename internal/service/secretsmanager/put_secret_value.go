package secretsmanager

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/store"
)

// PutSecretValue adds a version.
func (s *Service) PutSecretValue(ctx context.Context, in *api.PutSecretValueInput) (*api.PutSecretValueOutput, error) {
	body, err := contentOf(in.SecretString, in.SecretBinary)
	switch {
	case err != nil:
		return nil, err
	case in.RotationToken != nil:
		return nil, notImplemented("the rotation of secrets (RotationToken).")
	case in.ClientRequestToken == nil:
		return nil, errNoToken()
	case !body.given():
		return nil, invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	id, out := *in.ClientRequestToken, &api.PutSecretValueOutput{VersionId: in.ClientRequestToken}
	out.ARN, out.Name, err = s.change(ctx, in.SecretId, func(tx *store.Tx, k store.Key, sec *secret) error {
		if sec.at(id) != nil {
			out.VersionStages = sec.at(id).Stages
			return s.same(tx, k, sec, id, body)
		}
		stages := slices.Clone(in.VersionStages)
		if len(stages) == 0 || len(sec.Versions) == 0 && !slices.Contains(stages, stageCurrent) {
			stages = append(stages, stageCurrent) // a first version is always current
		}
		if err := s.add(tx, k, sec, id, body, stages); err != nil {
			return err
		}
		out.VersionStages = sec.at(id).Stages
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateSecret changes the description, and the value by a new version.
func (s *Service) UpdateSecret(ctx context.Context, in *api.UpdateSecretInput) (*api.UpdateSecretOutput, error) {
	body, err := contentOf(in.SecretString, in.SecretBinary)
	switch {
	case err != nil:
		return nil, err
	case in.Type != nil:
		return nil, notImplemented("secrets that partners hold (Type).")
	case in.ClientRequestToken == nil:
		return nil, errNoToken()
	}
	if err := judgeKey(in.KmsKeyId); err != nil {
		return nil, err
	}
	out := &api.UpdateSecretOutput{}
	out.ARN, out.Name, err = s.change(ctx, in.SecretId, func(tx *store.Tx, k store.Key, sec *secret) error {
		if in.Description != nil {
			sec.Description = *in.Description
		}
		if in.KmsKeyId != nil {
			sec.KmsKeyID = *in.KmsKeyId
		}
		if !body.given() {
			return nil
		}
		out.VersionId = in.ClientRequestToken
		if sec.at(*in.ClientRequestToken) != nil {
			return s.same(tx, k, sec, *in.ClientRequestToken, body)
		}
		return s.add(tx, k, sec, *in.ClientRequestToken, body, []string{stageCurrent})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// add appends a version under the labels given, which it takes from where they are.
func (s *Service) add(tx *store.Tx, k store.Key, sec *secret, id string, body content, stages []string) error {
	vk := valueKey(k, id)
	sealed, err := s.cfg.Sealer.Seal(values.Name, sealedRow(vk), body.plain())
	if err != nil {
		return fmt.Errorf("seal a version of secret %s: %w", k.ID, err)
	}
	if err := values.Put(tx, vk, &value{Sealed: sealed, Binary: body.text == nil}); err != nil {
		return err
	}
	sec.Versions = append(sec.Versions, version{ID: id, Created: tx.Now()})
	for _, stage := range stages {
		sec.move(stage, id)
	}
	return s.forget(tx, k, sec)
}

// forget drops the oldest versions without a label when there are too many.
func (s *Service) forget(tx *store.Tx, k store.Key, sec *secret) error {
	for len(sec.Versions) > maxVersions {
		i := slices.IndexFunc(sec.Versions, func(v version) bool { return len(v.Stages) == 0 })
		if i < 0 {
			return nil
		}
		if err := values.Delete(tx, valueKey(k, sec.Versions[i].ID)); err != nil {
			return err
		}
		sec.Versions = slices.Delete(sec.Versions, i, i+1)
	}
	return nil
}

// open reads a version's value.
func (s *Service) open(tx *store.Tx, k store.Key, id string) (content, error) {
	vk := valueKey(k, id)
	v, err := values.Get(tx, vk)
	if err != nil {
		return content{}, err
	}
	plain, err := s.cfg.Sealer.Open(values.Name, sealedRow(vk), v.Sealed)
	if err != nil {
		return content{}, fmt.Errorf("open a version of secret %s: %w", k.ID, err)
	}
	if v.Binary {
		return content{bytes: plain}, nil
	}
	return content{text: aws.Ptr(string(plain))}, nil
}
