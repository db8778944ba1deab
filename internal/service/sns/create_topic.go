package sns

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const fifoSuffix = ".fifo"

var nameForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,256}$`)

// CreateTopic makes a topic. One that exists is returned when attributes and tags given
// are those that it has.
func (s *Service) CreateTopic(ctx context.Context, in *api.CreateTopicInput) (*api.CreateTopicOutput, error) {
	k := ownKey(ctx, *in.Name)
	if err := judgeName(k.ID, in.Attributes[attrFIFO]); err != nil {
		return nil, err
	}
	if in.DataProtectionPolicy != nil {
		return nil, errNotImplemented("data protection policies")
	}
	for name, value := range in.Attributes {
		if err := judgeAttribute(k, name, value, true); err != nil {
			return nil, err
		}
	}
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		t, err := topics.Get(tx, k)
		if err == nil {
			return t.same(k, aws.CallFrom(ctx).Token, in.Attributes, tags)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		t = &topic{Serial: ids.Upper(16), Attributes: map[string]string{}, Tags: tags, Token: aws.CallFrom(ctx).Token}
		for name, value := range in.Attributes {
			if value != "" && (name != attrFIFO || value == "true") {
				t.Attributes[name] = value
			}
		}
		emit(ctx, tx, k, "created")
		return topics.Insert(tx, k, t)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateTopicOutput{TopicArn: aws.Ptr(topicARN(k))}, nil
}

func judgeName(name, fifo string) error {
	base, hasSuffix := strings.CutSuffix(name, fifoSuffix)
	switch {
	case fifo == "true" && (!hasSuffix || !nameForm.MatchString(base) || len(name) > 256):
		return invalid("Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.")
	case fifo != "true" && fifo != "" && fifo != "false":
		return invalid("Attributes Reason: FifoTopic: Invalid value [%s]. Must be true or false.", fifo)
	case fifo != "true" && hasSuffix:
		return invalid("Topic names must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.")
	case fifo != "true" && !nameForm.MatchString(name):
		return invalid("Topic Name")
	}
	return nil
}

// same tells whether a topic that exists is the one that is to be made.
func (t *topic) same(k store.Key, token string, given, tags map[string]string) error {
	if token != "" && token == t.Token {
		return nil
	}
	if token != "" {
		return invalid("Attributes Reason: Topic already exists")
	}
	have := t.describe(k, 0, 0)
	for name, value := range given {
		if name == attrFIFO && value == "false" {
			value = ""
		}
		if !sameDocument(have[name], value) {
			return invalid("Attributes Reason: Topic already exists with different attributes")
		}
	}
	if len(tags) > 0 && !maps.Equal(tags, t.Tags) {
		return invalid("Tags Reason: Topic already exists with different tags")
	}
	return nil
}

// DeleteTopic removes a topic with its subscriptions. What is gone already is success.
func (s *Service) DeleteTopic(ctx context.Context, in *api.DeleteTopicInput) (*api.DeleteTopicOutput, error) {
	k, err := openTopic(*in.TopicArn)
	if err != nil {
		return nil, err
	}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		rows, err := subscriptionsOf(tx, k)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := dropSubscription(tx, row.Key); err != nil {
				return err
			}
		}
		err = topics.Delete(tx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		emit(ctx, tx, k, "deleted")
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteTopicOutput{}, nil
}
