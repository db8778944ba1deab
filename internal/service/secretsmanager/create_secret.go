package secretsmanager

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// content is a value as a request brings it.
type content struct {
	text  *string
	bytes []byte
}

func (c content) given() bool { return c.text != nil || c.bytes != nil }

func (c content) plain() []byte {
	if c.text != nil {
		return []byte(*c.text)
	}
	return c.bytes
}

func contentOf(text *string, bytes []byte) (content, error) {
	if text != nil && bytes != nil {
		return content{}, invalidParameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	return content{text, bytes}, nil
}

// CreateSecret makes a secret, with a first version when a value is given.
func (s *Service) CreateSecret(ctx context.Context, in *api.CreateSecretInput) (*api.CreateSecretOutput, error) {
	if err := judgeCreate(in); err != nil {
		return nil, err
	}
	body, err := contentOf(in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	k := store.Key{Account: c.Account, Region: c.Region, ID: *in.Name}
	var sec *secret
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		var err error
		if sec, err = get(tx, k); err == nil {
			return s.repeated(tx, c, k, sec, in, body)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := s.purge(tx, k); err != nil {
			return err
		}
		sec = &secret{Suffix: ids.Letters(suffixLength), Description: aws.Val(in.Description), KmsKeyID: aws.Val(in.KmsKeyId),
			Created: tx.Now(), Changed: tx.Now(), Token: c.Token}
		sec.tag(in.Tags)
		if len(sec.Tags) > maxTags {
			return errTooManyTags()
		}
		if body.given() {
			if err := s.add(tx, k, sec, *in.ClientRequestToken, body, []string{stageCurrent}); err != nil {
				return err
			}
		}
		emit(tx, c, k)
		return secrets.Put(tx, k, sec)
	})
	if err != nil {
		return nil, err
	}
	out := &api.CreateSecretOutput{ARN: aws.Ptr(arnOf(k, sec.Suffix)), Name: &k.ID}
	if body.given() {
		out.VersionId = in.ClientRequestToken
		if v := sec.labelled(stageCurrent); v != nil && sec.at(*in.ClientRequestToken) == nil {
			out.VersionId = &v.ID
		}
	}
	return out, nil
}

// repeated judges a creation whose name is taken: the same request again, by its
// token, finds what it made.
func (s *Service) repeated(tx *store.Tx, c aws.Call, k store.Key, sec *secret, in *api.CreateSecretInput, body content) error {
	if !sec.Gone.IsZero() {
		return invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	if c.Token != "" && c.Token == sec.Token {
		return nil
	}
	if body.given() && sec.at(*in.ClientRequestToken) != nil {
		return s.same(tx, k, sec, *in.ClientRequestToken, body)
	}
	return awserr.New("ResourceExistsException", "The operation failed because the secret %s already exists.", k.ID)
}

// same is nil when the version has just this value.
func (s *Service) same(tx *store.Tx, k store.Key, sec *secret, id string, body content) error {
	have, err := s.open(tx, k, id)
	if err != nil {
		return err
	}
	if (have.text != nil) != (body.text != nil) || subtle.ConstantTimeCompare(have.plain(), body.plain()) != 1 {
		return errTokenUsed(id, arnOf(k, sec.Suffix))
	}
	return nil
}

const ownKey = "alias/aws/secretsmanager"

func judgeKey(id *string) error {
	if id == nil || *id == ownKey || strings.HasPrefix(*id, "arn:aws:kms:") && strings.HasSuffix(*id, ":"+ownKey) {
		return nil
	}
	return notImplemented("KMS keys: secrets are sealed with the server's own key, which %s stands for.", ownKey)
}

func judgeCreate(in *api.CreateSecretInput) error {
	switch {
	case !nameForm.MatchString(aws.Val(in.Name)):
		return errName()
	case len(in.AddReplicaRegions) > 0:
		return notImplemented("the replication of secrets.")
	case in.Type != nil:
		return notImplemented("secrets that partners hold (Type).")
	case in.ClientRequestToken == nil:
		return errNoToken()
	}
	return judgeKey(in.KmsKeyId)
}

const maxTags = 50

func errTooManyTags() *awserr.Error {
	return invalidParameter("The number of tags exceeds the limit of %d tags per secret.", maxTags)
}

// tag sets tags, new ones behind those that are there.
func (s *secret) tag(tags []api.Tag) {
	for _, t := range tags {
		i := slices.IndexFunc(s.Tags, func(have tag) bool { return have.Key == aws.Val(t.Key) })
		if i < 0 {
			s.Tags = append(s.Tags, tag{aws.Val(t.Key), aws.Val(t.Value)})
			continue
		}
		s.Tags[i].Value = aws.Val(t.Value)
	}
}

func (s *secret) apiTags() []api.Tag {
	var out []api.Tag
	for _, t := range s.Tags {
		out = append(out, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}
