package sns

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// permissions are the actions that AddPermission may give away.
var permissions = []string{"GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
	"ListSubscriptionsByTopic", "Publish", "Receive"}

// AddPermission adds a statement to the topic's policy that lets accounts call actions.
func (s *Service) AddPermission(ctx context.Context, in *api.AddPermissionInput) (*api.AddPermissionOutput, error) {
	err := s.edit(ctx, aws.Val(in.TopicArn), func(k store.Key, doc *policy.Draft) error {
		if doc.Has(*in.Label) {
			return invalid("Statement already exists")
		}
		if len(in.AWSAccountId) == 0 || len(in.ActionName) == 0 {
			return invalid("AWSAccountId and ActionName must not be empty")
		}
		var actions []string
		for _, a := range in.ActionName {
			if !slices.Contains(permissions, a) {
				return invalid("Policy statement action out of service scope!")
			}
			actions = append(actions, "SNS:"+a)
		}
		return doc.Grant(*in.Label, in.AWSAccountId, actions, topicARN(k))
	})
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionOutput{}, nil
}

// RemovePermission removes the statement with the label, if there is one.
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	err := s.edit(ctx, aws.Val(in.TopicArn), func(_ store.Key, doc *policy.Draft) error {
		doc.Remove(*in.Label)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RemovePermissionOutput{}, nil
}

func (s *Service) edit(ctx context.Context, topicName string, fn func(store.Key, *policy.Draft) error) error {
	k, err := openTopic(topicName)
	if err != nil {
		return err
	}
	return s.change(ctx, k, "permissions changed", func(_ *store.Tx, t *topic) error {
		doc, err := policy.OpenDraft(t.policy(k), "")
		if err != nil {
			return err
		}
		if err := fn(k, doc); err != nil {
			return err
		}
		text, err := doc.Text()
		if err != nil {
			return err
		}
		if text == "" {
			return invalid("Policy must have a statement")
		}
		t.Attributes[attrPolicy] = text
		return judgePolicy(text)
	})
}
