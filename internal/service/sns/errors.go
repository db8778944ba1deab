package sns

import (
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

func invalid(format string, args ...any) error {
	return awserr.New("InvalidParameter", "Invalid parameter: "+format, args...)
}

func errNoTopic() error { return awserr.Status(404, "NotFound", "Topic does not exist") }

func orNoTopic(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return errNoTopic()
	}
	return err
}

func orNoSubscription(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return awserr.Status(404, "NotFound", "Subscription does not exist")
	}
	return err
}

func orNoResource(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return awserr.Status(404, "ResourceNotFound", "Resource does not exist")
	}
	return err
}

func errNotImplemented(what string) error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement %s.", what)
}

// openARN reads an ARN of this service; parts is how many colons its resource has.
func openARN(member, text string, colons int) (store.Key, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return store.Key{}, invalid("%s Reason: An ARN must have at least 6 elements, not %d", member, strings.Count(text, ":")+1)
	}
	if a.Service != "sns" || strings.Count(a.Resource, ":") != colons || len(a.Account) != 12 {
		return store.Key{}, invalid("%s", member)
	}
	return store.Key{Account: a.Account, Region: a.Region, ID: a.Resource}, nil
}

func openTopic(text string) (store.Key, error) { return openARN("TopicArn", text, 0) }

func openSubscription(text string) (store.Key, error) { return openARN("SubscriptionArn", text, 1) }

// messageOf is the text of an error of the operation, "" for others.
func messageOf(err error) string {
	if e := awserr.As(err); e != nil {
		return e.Message
	}
	return ""
}
