package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	principal = "s3.amazonaws.com"
	// outboxBatch is how many messages are sent between two looks at the table.
	outboxBatch = 100
	// deliveryTries is how often a message is tried; then its destination is taken for
	// gone, as S3 takes it.
	deliveryTries = 5
	deliveryPause = time.Second
)

// outgoing is a message that is still to be sent. It is committed together with the
// change that it tells of, so that a crash loses none; one may come twice.
type outgoing struct {
	Bucket, Account, Target, Body string
	Tries                         int `json:",omitempty"`
}

var outbox = store.Table[outgoing]{Name: "s3.outbox", Version: 1}

const outboxKind = "notification"

// eventRecord is what a message says of an event, in S3's form 2.1.
type eventRecord struct {
	EventVersion      string            `json:"eventVersion"`
	EventSource       string            `json:"eventSource"`
	AWSRegion         string            `json:"awsRegion"`
	EventTime         string            `json:"eventTime"`
	EventName         string            `json:"eventName"`
	UserIdentity      map[string]string `json:"userIdentity"`
	RequestParameters map[string]string `json:"requestParameters"`
	ResponseElements  map[string]string `json:"responseElements"`
	S3                eventSubject      `json:"s3"`
}

type eventSubject struct {
	SchemaVersion   string      `json:"s3SchemaVersion"`
	ConfigurationID string      `json:"configurationId"`
	Bucket          eventBucket `json:"bucket"`
	Object          eventObject `json:"object"`
}

type eventBucket struct {
	Name          string            `json:"name"`
	OwnerIdentity map[string]string `json:"ownerIdentity"`
	ARN           string            `json:"arn"`
}

type eventObject struct {
	Key       string  `json:"key"`
	Size      *int64  `json:"size,omitempty"`
	ETag      string  `json:"eTag,omitempty"`
	VersionID *string `json:"versionId,omitempty"`
	Sequencer string  `json:"sequencer"`
}

// announce puts messages about an event into the outbox, one for each destination of
// the bucket that wants it.
func (s *Service) announce(tx *store.Tx, call aws.Call, b *bucket, event s3.Event, key string, o eventObject) error {
	for _, sub := range b.Notify {
		if !sub.wants(event, key) {
			continue
		}
		now := s.clock.Now().UTC()
		o.Key = strings.ReplaceAll(url.QueryEscape(key), "%2F", "/")
		o.Sequencer = fmt.Sprintf("%016X", now.UnixNano())
		r := eventRecord{
			EventVersion: "2.1", EventSource: "aws:s3", AWSRegion: b.Region, EventTime: now.Format("2006-01-02T15:04:05.000Z"),
			EventName: strings.TrimPrefix(string(event), "s3:"), UserIdentity: map[string]string{"principalId": identity(call)},
			RequestParameters: map[string]string{"sourceIPAddress": sourceAddress(call)},
			ResponseElements:  map[string]string{"x-amz-request-id": call.RequestID, "x-amz-id-2": strings.ToLower(call.RequestID) + "=hardstand"},
			S3: eventSubject{SchemaVersion: "1.0", ConfigurationID: sub.ID, Object: o,
				Bucket: eventBucket{b.Name, map[string]string{"principalId": canonicalID(b.Account)}, bucketARN(b.Name)}},
		}
		body, err := json.Marshal(map[string]any{"Records": []eventRecord{r}})
		if err != nil {
			return err
		}
		m := &outgoing{Bucket: b.Name, Account: b.Account, Target: sub.Target, Body: string(body)}
		if err := outbox.Insert(tx, store.Key{ID: fmt.Sprintf("%016x%s", now.UnixNano(), ids.Upper(8))}, m); err != nil {
			return err
		}
		tx.Emit(store.Event{Account: b.Account, Region: b.Region, Service: "s3", Resource: bucketARN(b.Name), Kind: outboxKind, Cause: string(event), RequestID: call.RequestID})
	}
	return nil
}

// created are the events of operations that make an object.
var created = map[string]s3.Event{
	"PutObject": "s3:ObjectCreated:Put", "PostObject": "s3:ObjectCreated:Post", "CopyObject": "s3:ObjectCreated:Copy",
	"CompleteMultipartUpload": "s3:ObjectCreated:CompleteMultipartUpload",
}

func (s *Service) announceCreated(tx *store.Tx, call aws.Call, b *bucket, key string, o *object) error {
	event, known := created[call.Operation]
	if !known {
		return nil // what the service does for itself
	}
	return s.announce(tx, call, b, event, key, eventObject{Size: &o.Size, ETag: o.ETag, VersionID: b.versionID(o)})
}

// edited are the events of operations that change what is said about an object.
var edited = map[string]s3.Event{
	"PutObjectTagging": "s3:ObjectTagging:Put", "DeleteObjectTagging": "s3:ObjectTagging:Delete", "PutObjectAcl": "s3:ObjectAcl:Put",
}

func (s *Service) announceEdited(tx *store.Tx, call aws.Call, b *bucket, key string, o *object) error {
	event, known := edited[call.Operation]
	if !known {
		return nil
	}
	return s.announce(tx, call, b, event, key, eventObject{Size: &o.Size, ETag: o.ETag, VersionID: b.versionID(o)})
}

// identity is the caller as S3's messages name it.
func identity(call aws.Call) string {
	switch p := call.Principal; {
	case p.Type == aws.PrincipalAnonymous:
		return "Anonymous"
	case p.UniqueID == "":
		return principal
	default:
		return "AWS:" + p.UniqueID
	}
}

func sourceAddress(call aws.Call) string {
	if !call.SourceIP.IsValid() {
		return principal
	}
	return call.SourceIP.String()
}

// RunNotifications sends what is in the outbox until ctx ends, in the order of the
// events.
func (s *Service) RunNotifications(ctx context.Context) error {
	for {
		changed := s.db.Changed(store.Filter{Service: "s3", Kind: outboxKind})
		again, err := s.deliver(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.log.Error("s3: send notifications", slog.Any("error", err))
		}
		var pause <-chan time.Time
		if again || err != nil {
			changed, pause = nil, s.clock.After(deliveryPause)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-pause:
		}
	}
}

// deliver sends all that waits once; again means that something failed.
func (s *Service) deliver(ctx context.Context) (again bool, err error) {
	for after := ""; ; {
		var rows []store.Row[outgoing]
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			rows, err = outbox.List(tx, store.Scope{}, after, outboxBatch)
			return err
		})
		if err != nil || len(rows) == 0 {
			return again, err
		}
		for _, r := range rows {
			after = r.Key.ID
			sendErr := send(ctx, s.invoker, r.Value)
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			retry := sendErr != nil && r.Value.Tries+1 < deliveryTries
			if sendErr != nil && !retry {
				s.log.Warn("s3: a notification is given up", "bucket", r.Value.Bucket, "destination", r.Value.Target, "error", sendErr)
			}
			again = again || retry
			if err := s.sent(ctx, r, retry); err != nil {
				return again, err
			}
		}
	}
}

// sent removes a message, or counts one more try.
func (s *Service) sent(ctx context.Context, r store.Row[outgoing], retry bool) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		if !retry {
			return outbox.Delete(tx, r.Key)
		}
		m := *r.Value
		m.Tries++
		return outbox.Put(tx, r.Key, &m)
	})
}

// send sends one message as S3: the policy of the queue or topic has to allow it.
func send(ctx context.Context, inv Invoker, m *outgoing) error {
	arn := strings.Split(m.Target, ":")
	service, region, account, name := arn[2], arn[3], arn[4], arn[5]
	ctx = aws.WithCall(ctx, aws.AsService(principal, bucketARN(m.Bucket), m.Account, region))
	var err error
	if service == "sns" {
		_, err = inv.Invoke(ctx, "sns", "Publish", &sns.PublishInput{TopicArn: &m.Target, Message: &m.Body, Subject: aws.Ptr("Amazon S3 Notification")})
		return err
	}
	queue := "https://sqs." + region + ".amazonaws.com/" + account + "/" + name
	_, err = inv.Invoke(ctx, "sqs", "SendMessage", &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: &m.Body})
	return err
}

// tryDestinations sends a test message to each destination that is new.
func (s *Service) tryDestinations(ctx context.Context, b *bucket, subs []subscription) error {
	call := aws.CallFrom(ctx)
	var bad []string
	for _, sub := range subs {
		body, err := json.Marshal(map[string]string{
			"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": s.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
			"Bucket": b.Name, "RequestId": call.RequestID, "HostId": strings.ToLower(call.RequestID) + "=hardstand",
		})
		if err != nil {
			return err
		}
		if err := send(ctx, s.invoker, &outgoing{Bucket: b.Name, Account: b.Account, Target: sub.Target, Body: string(body)}); err != nil {
			bad = append(bad, sub.Target, unreachable(sub.service(), err))
		}
	}
	if bad == nil {
		return nil
	}
	e := awserr.New("InvalidArgument", "Unable to validate the following destination configurations")
	for i := 0; i < len(bad); i += 2 {
		n := i/2 + 1
		e = e.With(fmt.Sprintf("ArgumentName%d", n), bad[i]).With(fmt.Sprintf("ArgumentValue%d", n), bad[i+1])
	}
	return e
}

// unreachable says why a destination cannot be used, in S3's words.
func unreachable(service string, err error) string {
	kind := "queue"
	if service == "sns" {
		kind = "topic"
	}
	code := ""
	if e := awserr.As(err); e != nil {
		code = e.Code
	}
	switch {
	case strings.Contains(code, "NonExistentQueue"), strings.Contains(code, "QueueDoesNotExist"), strings.Contains(code, "NotFound"):
		return "The destination " + kind + " does not exist"
	case code == "NotImplemented":
		return err.Error()
	}
	return "Permissions on the destination " + kind + " do not allow S3 to publish notifications from this bucket"
}
