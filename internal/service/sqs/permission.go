package sqs

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/store"
)

var labelForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,80}$`)

// permissions are the actions that AddPermission may give away.
var permissions = []string{"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
	"GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"}

// policyDocument is a policy as it is written here: what others wrote in it stays.
type policyDocument struct {
	Version   string            `json:"Version"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// readPolicy returns the queue's policy, a new one where there is none.
func readPolicy(text, id string) (*policyDocument, error) {
	doc := &policyDocument{Version: "2008-10-17", ID: id}
	if text == "" {
		return doc, nil
	}
	var read struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return nil, err
	}
	doc.ID = read.ID
	if read.Version != "" {
		doc.Version = read.Version
	}
	if err := json.Unmarshal(read.Statement, &doc.Statement); err != nil { // one without brackets
		doc.Statement = []json.RawMessage{read.Statement}
	}
	return doc, nil
}

func labelOf(statement json.RawMessage) string {
	var s struct{ Sid string }
	_ = json.Unmarshal(statement, &s) // judged when it was set
	return s.Sid
}

// AddPermission adds a statement to the queue's policy that lets accounts call actions.
func (s *Service) AddPermission(ctx context.Context, in *api.AddPermissionInput) (*api.AddPermissionOutput, error) {
	if !labelForm.MatchString(aws.Val(in.Label)) {
		return nil, errParameter(aws.Val(in.Label), "Label", "Must be alphanumeric, hyphens or underscores, at most 80 characters.")
	}
	_, err := s.change(ctx, aws.Val(in.QueueUrl), "permission added", func(tx *store.Tx, k store.Key, q *queue) error {
		statement, err := grant(k, in)
		if err != nil {
			return err
		}
		doc, err := readPolicy(q.Attributes[attrPolicy], queueARN(k)+"/SQSDefaultPolicy")
		if err != nil {
			return err
		}
		if slices.ContainsFunc(doc.Statement, func(st json.RawMessage) bool { return labelOf(st) == *in.Label }) {
			return errParameter(*in.Label, "Label", "Already exists.")
		}
		doc.Statement = append(doc.Statement, statement)
		return q.setPolicy(doc, tx)
	})
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionOutput{}, nil
}

func grant(k store.Key, in *api.AddPermissionInput) (json.RawMessage, error) {
	var who, what []string
	for _, a := range in.AWSAccountIds {
		if !accountForm.MatchString(a) {
			return nil, errParameter("["+a+"]", "PrincipalId", "Unable to verify.")
		}
		who = append(who, "arn:aws:iam::"+a+":root")
	}
	for _, a := range in.Actions {
		if !slices.Contains(permissions, a) {
			return nil, errParameter("SQS:"+a, "ActionName", "Only the queue owner is allowed to invoke this action.")
		}
		what = append(what, "SQS:"+a)
	}
	if len(who) == 0 || len(what) == 0 {
		return nil, errMissing("ActionName")
	}
	return json.Marshal(struct {
		Sid, Effect string
		Principal   map[string]any
		Action      any
		Resource    string
	}{*in.Label, "Allow", map[string]any{"AWS": oneOrAll(who)}, oneOrAll(what), queueARN(k)})
}

func oneOrAll(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// setPolicy stores a policy, removes one without statements.
func (q *queue) setPolicy(doc *policyDocument, tx *store.Tx) error {
	q.Modified = tx.Now()
	if len(doc.Statement) == 0 {
		delete(q.Attributes, attrPolicy)
		return nil
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := judgePolicy(string(text)); err != nil {
		return err
	}
	q.Attributes[attrPolicy] = string(text)
	return nil
}

// RemovePermission removes the statement with the label.
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	_, err := s.change(ctx, aws.Val(in.QueueUrl), "permission removed", func(tx *store.Tx, _ store.Key, q *queue) error {
		doc, err := readPolicy(q.Attributes[attrPolicy], "")
		if err != nil {
			return err
		}
		kept := slices.DeleteFunc(slices.Clone(doc.Statement), func(st json.RawMessage) bool { return labelOf(st) == *in.Label })
		if len(kept) == len(doc.Statement) {
			return errParameter(*in.Label, "Label", "can't find label on existing policy.")
		}
		doc.Statement = kept
		return q.setPolicy(doc, tx)
	})
	if err != nil {
		return nil, err
	}
	return &api.RemovePermissionOutput{}, nil
}
