package sns

import (
	"context"
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

// PublishBatch publishes up to ten messages, or none: a message that is not valid
// fails the request.
func (s *Service) PublishBatch(ctx context.Context, in *api.PublishBatchInput) (*api.PublishBatchOutput, error) {
	k, err := openTopic(*in.TopicArn)
	if err != nil {
		return nil, err
	}
	entries := in.PublishBatchRequestEntries
	if err := judgeBatch(entries); err != nil {
		return nil, err
	}
	drafts, total := make([]*draft, len(entries)), 0
	for i := range entries {
		if drafts[i], err = newDraft(&entries[i]); err != nil {
			return nil, err
		}
		total += drafts[i].size
	}
	if total > maxBytes {
		return nil, awserr.New("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
	}
	var out *api.PublishBatchOutput
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		out = &api.PublishBatchOutput{Successful: []api.PublishBatchResultEntry{}, Failed: []api.BatchResultErrorEntry{}}
		t, err := topics.Get(tx, k)
		if err != nil {
			return orNoTopic(err)
		}
		for i := range entries {
			id, number, err := s.publish(tx, k, t, drafts[i])
			if err != nil {
				return err
			}
			out.Successful = append(out.Successful, api.PublishBatchResultEntry{Id: entries[i].Id, MessageId: id, SequenceNumber: number})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.bell.ring()
	return out, nil
}
