package sqs

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/store"
)

// GetQueueUrl returns the URL of a queue, also of another account's.
func (s *Service) GetQueueUrl(ctx context.Context, in *api.GetQueueUrlInput) (*api.GetQueueUrlOutput, error) {
	k := namedKey(ctx, in)
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		_, err := queues.Get(tx, k)
		return orNoQueue(err)
	})
	if err != nil {
		return nil, err
	}
	return &api.GetQueueUrlOutput{QueueUrl: aws.Ptr(s.url(k))}, nil
}

// maxPage is the most queues of one answer.
const maxPage = 1000

// ListQueues lists the account's queues. Pages have tokens when MaxResults asks for
// pages.
func (s *Service) ListQueues(ctx context.Context, in *api.ListQueuesInput) (*api.ListQueuesOutput, error) {
	limit, after, err := page(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListQueuesOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		out.QueueUrls, out.NextToken = nil, nil
		c := aws.CallFrom(ctx)
		rows, err := queues.List(tx, store.Scope{Account: c.Account, Region: c.Region}, after, 0)
		var keys []store.Key
		for _, row := range rows {
			if strings.HasPrefix(row.Key.ID, aws.Val(in.QueueNamePrefix)) {
				keys = append(keys, row.Key)
			}
		}
		out.QueueUrls, out.NextToken = s.paged(keys, limit, in.MaxResults != nil)
		return err
	})
	return out, err
}

// ListDeadLetterSourceQueues lists the queues whose dead letters the queue gets.
func (s *Service) ListDeadLetterSourceQueues(ctx context.Context, in *api.ListDeadLetterSourceQueuesInput) (*api.ListDeadLetterSourceQueuesOutput, error) {
	limit, after, err := page(in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	k, _, err := s.find(ctx, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	out := &api.ListDeadLetterSourceQueuesOutput{}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := queues.Lookup(tx, "target", queueARN(k))
		var keys []store.Key
		for _, row := range rows {
			if row.Key.ID > after {
				keys = append(keys, row.Key)
			}
		}
		out.QueueUrls, out.NextToken = s.paged(keys, limit, in.MaxResults != nil)
		return err
	})
	return out, err
}

// page reads what asks for a page.
func page(size *int32, token *string) (limit int, after string, err error) {
	limit = maxPage
	if size != nil {
		if *size < 1 || *size > maxPage {
			return 0, "", errParameter(*size, "MaxResults", "MaxResults must be an integer between 1 and 1000.")
		}
		limit = int(*size)
	}
	if aws.Val(token) != "" {
		b, err := base64.URLEncoding.DecodeString(*token)
		if err != nil {
			return 0, "", errValue("Invalid or expired next token.")
		}
		after = string(b)
	}
	return limit, after, nil
}

func (s *Service) paged(keys []store.Key, limit int, tokens bool) (urls []string, token *string) {
	if len(keys) > limit {
		keys = keys[:limit]
		if tokens {
			token = aws.Ptr(base64.URLEncoding.EncodeToString([]byte(keys[limit-1].ID)))
		}
	}
	urls = []string{}
	for _, k := range keys {
		urls = append(urls, s.url(k))
	}
	return urls, token
}
