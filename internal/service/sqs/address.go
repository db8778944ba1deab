package sqs

import (
	"context"
	"net/url"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

var (
	accountForm  = regexp.MustCompile(`^[0-9]{12}$`)
	nameForm     = regexp.MustCompile(`^[0-9A-Za-z_-]{1,80}$`)
	fifoNameForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,75}\.fifo$`)
)

// address finds the queue that a URL means: its path ends in account and name,
// whatever host it names.
func (s *Service) address(ctx context.Context, queueURL string) (store.Key, error) {
	u, err := url.Parse(queueURL)
	if err != nil || u.Host == "" {
		return store.Key{}, errAddress(queueURL)
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 2 || !accountForm.MatchString(parts[len(parts)-2]) || parts[len(parts)-1] == "" {
		return store.Key{}, errAddress(queueURL)
	}
	return store.Key{Account: parts[len(parts)-2], Region: aws.CallFrom(ctx).Region, ID: parts[len(parts)-1]}, nil
}

// url is what a queue is addressed by.
func (s *Service) url(k store.Key) string { return s.cfg.Endpoint + "/" + k.Account + "/" + k.ID }

func queueARN(k store.Key) string { return arn.New("sqs", k.Region, k.Account, k.ID) }

// keyOf returns the queue that an ARN names.
func keyOf(queue string) (store.Key, bool) {
	a, err := arn.Parse(queue)
	if err != nil || a.Service != "sqs" || !accountForm.MatchString(a.Account) || a.Region == "" {
		return store.Key{}, false
	}
	return store.Key{Account: a.Account, Region: a.Region, ID: a.Resource}, true
}

// ownKey is a queue of the caller's account.
func ownKey(ctx context.Context, name string) store.Key {
	c := aws.CallFrom(ctx)
	return store.Key{Account: c.Account, Region: c.Region, ID: name}
}

func namedKey(ctx context.Context, in *api.GetQueueUrlInput) store.Key {
	k := ownKey(ctx, aws.Val(in.QueueName))
	if in.QueueOwnerAWSAccountId != nil {
		k.Account = *in.QueueOwnerAWSAccountId
	}
	return k
}

func isFIFO(name string) bool { return strings.HasSuffix(name, ".fifo") }
