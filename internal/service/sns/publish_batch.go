package sns

import (
	"context"
	"net/http"
	"regexp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxBatch = 10

var entryIDForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,80}$`)

func judgeBatch(entries []api.PublishBatchRequestEntry) error {
	if len(entries) == 0 {
		return awserr.New("EmptyBatchRequest", "The batch request doesn't contain any entries.")
	}
	if len(entries) > maxBatch {
		return awserr.New("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
	}
	seen := map[string]bool{}
	for i := range entries {
		id := aws.Val(entries[i].Id)
		if !entryIDForm.MatchString(id) {
			return awserr.New("InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification.")
		}
		if seen[id] {
			return awserr.New("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
		}
		seen[id] = true
	}
	return nil
}

// PublishBatch publishes up to ten messages; each succeeds or fails for itself.
func (s *Service) PublishBatch(ctx context.Context, in *api.PublishBatchInput) (*api.PublishBatchOutput, error) {
	k, err := openTopic(*in.TopicArn)
	if err != nil {
		return nil, err
	}
	entries := in.PublishBatchRequestEntries
	if err := judgeBatch(entries); err != nil {
		return nil, err
	}
	drafts, wrong, total := make([]*draft, len(entries)), make([]error, len(entries)), 0
	for i := range entries {
		if drafts[i], wrong[i] = newDraft(&entries[i]); wrong[i] == nil {
			total += drafts[i].size
		}
	}
	if total > maxBytes {
		return nil, awserr.New("BatchRequestTooLong", "The length of all the batch messages put together is more than the limit.")
	}
	var out *api.PublishBatchOutput
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		out = &api.PublishBatchOutput{Successful: []api.PublishBatchResultEntry{}, Failed: []api.BatchResultErrorEntry{}}
		t, err := topics.Get(tx, k)
		if err != nil {
			return orNoTopic(err)
		}
		for i := range entries {
			if err := s.publishEntry(tx, k, t, &entries[i], drafts[i], wrong[i], out); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.bell.ring()
	return out, nil
}

// publishEntry publishes one message and tells how it went; the error is one that is
// not the entry's.
func (s *Service) publishEntry(tx *store.Tx, k store.Key, t *topic, e *api.PublishBatchRequestEntry, d *draft, wrong error, out *api.PublishBatchOutput) error {
	var id, number *string
	if wrong == nil {
		id, number, wrong = s.publish(tx, k, t, d)
	}
	if wrong == nil {
		out.Successful = append(out.Successful, api.PublishBatchResultEntry{Id: e.Id, MessageId: id, SequenceNumber: number})
		return nil
	}
	a := awserr.As(wrong)
	if a == nil {
		return wrong
	}
	out.Failed = append(out.Failed, api.BatchResultErrorEntry{Id: e.Id, Code: &a.Code, Message: &a.Message,
		SenderFault: aws.Ptr(a.HTTPStatus() < http.StatusInternalServerError)})
	return nil
}
