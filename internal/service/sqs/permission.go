package sqs

import (
	"context"
	"regexp"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

var labelForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,80}$`)

// permissions are the actions that AddPermission may give away.
var permissions = []string{"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
	"GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"}

// AddPermission adds a statement to the queue's policy that lets accounts call actions.
func (s *Service) AddPermission(ctx context.Context, in *api.AddPermissionInput) (*api.AddPermissionOutput, error) {
	if !labelForm.MatchString(aws.Val(in.Label)) {
		return nil, errParameter(aws.Val(in.Label), "Label", "Must be alphanumeric, hyphens or underscores, at most 80 characters.")
	}
	_, err := s.change(ctx, aws.Val(in.QueueUrl), "permission added", func(tx *store.Tx, k store.Key, q *queue) error {
		actions, err := lent(in)
		if err != nil {
			return err
		}
		doc, err := policy.OpenDraft(q.Attributes[attrPolicy], queueARN(k)+"/SQSDefaultPolicy")
		if err != nil {
			return err
		}
		if doc.Has(*in.Label) {
			return errParameter(*in.Label, "Label", "Already exists.")
		}
		if err := doc.Grant(*in.Label, in.AWSAccountIds, actions, queueARN(k)); err != nil {
			return err
		}
		return q.setPolicy(doc, tx)
	})
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionOutput{}, nil
}

// lent are the actions of the input, in the form of policies.
func lent(in *api.AddPermissionInput) ([]string, error) {
	if len(in.AWSAccountIds) == 0 || len(in.Actions) == 0 {
		return nil, errMissing("ActionName")
	}
	for _, a := range in.AWSAccountIds {
		if !accountForm.MatchString(a) {
			return nil, errParameter("["+a+"]", "PrincipalId", "Unable to verify.")
		}
	}
	var actions []string
	for _, a := range in.Actions {
		if !slices.Contains(permissions, a) {
			return nil, errParameter("SQS:"+a, "ActionName", "Only the queue owner is allowed to invoke this action.")
		}
		actions = append(actions, "SQS:"+a)
	}
	return actions, nil
}

// setPolicy stores a policy, removes one without statements.
func (q *queue) setPolicy(doc *policy.Draft, tx *store.Tx) error {
	q.Modified = tx.Now()
	text, err := doc.Text()
	if err != nil {
		return err
	}
	if err := judgePolicy(text); err != nil {
		return err
	}
	q.set(map[string]string{attrPolicy: text})
	return nil
}

// RemovePermission removes the statement with the label.
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	_, err := s.change(ctx, aws.Val(in.QueueUrl), "permission removed", func(tx *store.Tx, _ store.Key, q *queue) error {
		doc, err := policy.OpenDraft(q.Attributes[attrPolicy], "")
		if err != nil {
			return err
		}
		if !doc.Remove(*in.Label) {
			return errParameter(*in.Label, "Label", "can't find label.")
		}
		return q.setPolicy(doc, tx)
	})
	if err != nil {
		return nil, err
	}
	return &api.RemovePermissionOutput{}, nil
}
