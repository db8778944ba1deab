package sqs

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxBatch = 10

var entryIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,80}$`)

// judgeBatch holds the entries' ids to the rules of batches; entry is the name of
// their type.
func judgeBatch(entry string, entryIDs []string) error {
	if len(entryIDs) == 0 {
		return awserr.New("EmptyBatchRequest", "There should be at least one %s in the request.", entry)
	}
	if len(entryIDs) > maxBatch {
		return awserr.New("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(entryIDs))
	}
	seen := map[string]bool{}
	for _, id := range entryIDs {
		if !entryIDForm.MatchString(id) {
			return awserr.New("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[id] {
			return awserr.New("BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[id] = true
	}
	return nil
}

// beginBatch finds the queue of a batch and judges the entries; entry is the name of
// their type.
func beginBatch[E any](ctx context.Context, s *Service, queueURL, entry string, entries []E, id func(*E) *string) (store.Key, error) {
	k, _, err := s.find(ctx, queueURL)
	if err != nil {
		return k, err
	}
	all := make([]string, len(entries))
	for i := range entries {
		all[i] = aws.Val(id(&entries[i]))
	}
	return k, judgeBatch(entry, all)
}

// each does what entries ask for, one after the other: the ids of those that
// succeeded, and what the others met with.
func each[E any](entries []E, id func(*E) *string, do func(*E) error) (done []*string, wrong []api.BatchResultErrorEntry, err error) {
	for i := range entries {
		e := &entries[i]
		if err := do(e); err != nil {
			f, err := failed(id(e), err)
			if err != nil {
				return nil, nil, err
			}
			wrong = append(wrong, f)
			continue
		}
		done = append(done, id(e))
	}
	return done, wrong, nil
}

// failed is an entry's error in an answer; an error that is ours fails the request.
func failed(id *string, err error) (api.BatchResultErrorEntry, error) {
	a := awserr.As(err)
	if a == nil {
		return api.BatchResultErrorEntry{}, err
	}
	code := a.Code
	for _, sh := range api.Model().Shapes {
		if sh.Name == code && sh.ErrorCode != "" {
			code = sh.ErrorCode
		}
	}
	return api.BatchResultErrorEntry{Id: id, Code: &code, Message: &a.Message, SenderFault: aws.Ptr(a.HTTPStatus() < http.StatusInternalServerError)}, nil
}

// SendMessageBatch sends up to ten messages; each succeeds or fails for itself, but
// for what a FIFO queue asks of all.
func (s *Service) SendMessageBatch(ctx context.Context, in *api.SendMessageBatchInput) (*api.SendMessageBatchOutput, error) {
	k, err := beginBatch(ctx, s, *in.QueueUrl, "SendMessageBatchRequestEntry", in.Entries, func(e *api.SendMessageBatchRequestEntry) *string { return e.Id })
	if err != nil {
		return nil, err
	}
	drafts, total := make([]*draft, len(in.Entries)), 0
	wrong := make([]error, len(in.Entries))
	for i := range in.Entries {
		drafts[i], wrong[i] = newDraft(ctx, &in.Entries[i])
		if wrong[i] == nil {
			total += drafts[i].size()
		}
	}
	if total > maxBytes {
		return nil, awserr.New("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBytes, total)
	}
	var q *queue
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if q, err = queues.Get(tx, k); err != nil {
			return orNoQueue(err)
		}
		for i, d := range drafts {
			if d == nil {
				continue
			}
			wrong[i] = s.enqueue(tx, k, q, d)
			switch a := awserr.As(wrong[i]); {
			case wrong[i] == nil:
			case a == nil, errors.Is(wrong[i], errNoDedup):
				return wrong[i]
			case a.Code == "MissingRequiredParameterException":
				return errValue("%s", a.Message)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.bells.ring(q.Serial)
	return sendAnswers(in.Entries, drafts, wrong)
}

func sendAnswers(entries []api.SendMessageBatchRequestEntry, drafts []*draft, wrong []error) (*api.SendMessageBatchOutput, error) {
	out := &api.SendMessageBatchOutput{}
	for i := range entries {
		if wrong[i] != nil {
			f, err := failed(entries[i].Id, wrong[i])
			if err != nil {
				return nil, err
			}
			out.Failed = append(out.Failed, f)
			continue
		}
		m := drafts[i].message
		out.Successful = append(out.Successful, api.SendMessageBatchResultEntry{Id: entries[i].Id, MessageId: &m.ID,
			MD5OfMessageBody: aws.Ptr(digest(drafts[i].body)), MD5OfMessageAttributes: digestAttributes(m.Attributes),
			MD5OfMessageSystemAttributes: m.digestTrace(), SequenceNumber: m.sequenceNumber()})
	}
	return out, nil
}

// DeleteMessageBatch deletes up to ten messages.
func (s *Service) DeleteMessageBatch(ctx context.Context, in *api.DeleteMessageBatchInput) (*api.DeleteMessageBatchOutput, error) {
	id := func(e *api.DeleteMessageBatchRequestEntry) *string { return e.Id }
	k, err := beginBatch(ctx, s, *in.QueueUrl, "DeleteMessageBatchRequestEntry", in.Entries, id)
	if err != nil {
		return nil, err
	}
	done, wrong, err := each(in.Entries, id, func(e *api.DeleteMessageBatchRequestEntry) error {
		return s.deleteMessage(ctx, k, aws.Val(e.ReceiptHandle))
	})
	if err != nil {
		return nil, err
	}
	out := &api.DeleteMessageBatchOutput{Failed: wrong}
	for _, id := range done {
		out.Successful = append(out.Successful, api.DeleteMessageBatchResultEntry{Id: id})
	}
	return out, nil
}

// ChangeMessageVisibilityBatch changes the time-outs of up to ten messages.
func (s *Service) ChangeMessageVisibilityBatch(ctx context.Context, in *api.ChangeMessageVisibilityBatchInput) (*api.ChangeMessageVisibilityBatchOutput, error) {
	id := func(e *api.ChangeMessageVisibilityBatchRequestEntry) *string { return e.Id }
	k, err := beginBatch(ctx, s, *in.QueueUrl, "ChangeMessageVisibilityBatchRequestEntry", in.Entries, id)
	if err != nil {
		return nil, err
	}
	done, wrong, err := each(in.Entries, id, func(e *api.ChangeMessageVisibilityBatchRequestEntry) error {
		return s.changeVisibility(ctx, k, aws.Val(e.ReceiptHandle), aws.Val(e.VisibilityTimeout))
	})
	if err != nil {
		return nil, err
	}
	out := &api.ChangeMessageVisibilityBatchOutput{Failed: wrong}
	for _, id := range done {
		out.Successful = append(out.Successful, api.ChangeMessageVisibilityBatchResultEntry{Id: id})
	}
	return out, nil
}
