package sns_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/service/sns"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestEnvelopeVerifies(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", map[string]string{"SignatureVersion": "2"})
	l.subscribe(topic, "sqs", queueARN, nil)
	l.run()
	wiretest.Must[api.PublishOutput](l, "Publish", &api.PublishInput{TopicArn: topic, Message: aws.Ptr("hello <&>"), Subject: aws.Ptr("S")})
	in := l.queues.next(t)
	e := decoded(t, *in.MessageBody)
	if *in.QueueUrl != "http://127.0.0.1:4566/123456789012/q" || e["Message"] != "hello <&>" || e["SignatureVersion"] != "2" {
		t.Errorf("%s %v", *in.QueueUrl, e)
	}
	if c := l.queues.calls[0]; c.Principal.Service != "sns.amazonaws.com" || c.SourceARN != *topic || c.Principal.Account != account {
		t.Errorf("sent as %+v", c)
	}
	at, err := url.Parse(e["SigningCertURL"].(string))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	l.svc.CertificateHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, at.Path, nil))
	block, _ := pem.Decode(w.Body.Bytes())
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, name := range []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"} {
		text += name + "\n" + e[name].(string) + "\n"
	}
	signature, _ := base64.StdEncoding.DecodeString(e["Signature"].(string))
	sum := sha256.Sum256([]byte(text))
	if err := rsa.VerifyPKCS1v15(certificate.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
}

// What was published before the server went is delivered by the next one.
func TestPublishedSurvives(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", nil)
	l.subscribe(topic, "sqs", queueARN, map[string]string{"RawMessageDelivery": "true"})
	l.publish(topic, "kept")
	l.restart()
	l.run()
	if got := *l.queues.next(t).MessageBody; got != "kept" {
		t.Errorf("delivered %q", got)
	}
}

// A topic that encrypts keeps its messages sealed until they have arrived.
func TestEncryptedTopic(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", map[string]string{"KmsMasterKeyId": "alias/aws/sns"})
	l.subscribe(topic, "sqs", queueARN, map[string]string{"RawMessageDelivery": "true"})
	l.queues.down = true
	l.publish(topic, "hush")
	l.run()
	l.blocked(1)
	l.queues.mu.Lock()
	l.queues.down = false
	l.queues.mu.Unlock()
	l.pass(20*time.Second, func() bool { return len(l.queues.bell) > 0 })
	if got := *l.queues.next(t).MessageBody; got != "hush" {
		t.Errorf("delivered %q", got)
	}
}

// A message that cannot be opened is tried again after a pause, not in a loop.
func TestDeliveryThatGoesWrongPauses(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", map[string]string{"KmsMasterKeyId": "alias/aws/sns"})
	l.subscribe(topic, "sqs", queueARN, nil)
	l.publish(topic, "hush")
	said := make(lines, 100)
	l.svc = sns.New(sns.Config{DB: l.DB, Sealer: storetest.NewSealer(t), Clock: l.Clock, Log: slog.New(slog.NewTextHandler(said, nil)),
		Invoker: l.Server, Authority: authority{}, Endpoint: "http://127.0.0.1:4566"})
	l.run()
	l.blocked(2) // the worker for what is due next, the subscription for its pause
	if len(said) != 1 {
		t.Errorf("tried %d times at once", len(said))
	}
	l.pass(20*time.Second, func() bool { return len(said) > 1 })
}

// lines are what a log says.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default: // more than anybody counts
	}
	return len(b), nil
}

// A service that fails is tried again; a queue that is gone is not.
func TestQueueThatFails(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", nil)
	l.subscribe(topic, "sqs", queueARN, map[string]string{"RawMessageDelivery": "true",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead"}`})
	l.queues.down = true
	l.publish(topic, "late")
	l.run()
	l.blocked(1)
	l.queues.mu.Lock()
	l.queues.down = false
	l.queues.mu.Unlock()
	l.pass(20*time.Second, func() bool { return len(l.queues.bell) > 0 })
	if got := *l.queues.next(t).MessageBody; got != "late" {
		t.Errorf("delivered %q", got)
	}
	l.queues.mu.Lock()
	l.queues.closed["http://127.0.0.1:4566/123456789012/q"] = true
	l.queues.mu.Unlock()
	l.publish(topic, "lost")
	if got := l.queues.next(t); *got.MessageBody != "lost" || !strings.HasSuffix(*got.QueueUrl, "/dead") {
		t.Errorf("%q went to %s", *got.MessageBody, *got.QueueUrl)
	}
}

// blocked waits until n wait for the clock.
func (l *lab) blocked(n int) {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(l.T.Context(), 10*time.Second)
	defer cancel()
	if err := l.Clock.BlockUntil(ctx, n); err != nil {
		l.T.Fatal(err)
	}
}

// pass lets the clock go on by steps, each with a moment for the worker, until the
// condition holds.
func (l *lab) pass(step time.Duration, holds func() bool) {
	l.T.Helper()
	deadline := time.After(10 * time.Second)
	for !holds() {
		l.Clock.Advance(step)
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			l.T.Fatal("it never holds")
		}
	}
}

// endpoint is a subscriber by HTTP that answers with the statuses given, the last one
// from then on.
type endpoint struct {
	*httptest.Server
	got chan map[string]string
}

func newEndpoint(t *testing.T, statuses ...int) endpoint {
	e := endpoint{got: make(chan map[string]string, 100)}
	n := 0
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.WriteHeader(statuses[min(n, len(statuses)-1)])
		n++
		e.got <- map[string]string{"type": r.Header.Get("x-amz-sns-message-type"), "body": string(b), "raw": r.Header.Get("x-amz-sns-rawdelivery")}
	}))
	t.Cleanup(e.Close)
	return e
}

func (e endpoint) next(t *testing.T) map[string]string {
	t.Helper()
	select {
	case m := <-e.got:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no request arrives")
		return nil
	}
}

func TestEndpoint(t *testing.T) {
	l := newLab(t, gate{})
	e := newEndpoint(t, 200)
	topic := l.topic("t", nil)
	sub := l.subscribe(topic, "http", e.URL, nil)
	l.publish(topic, "before it is confirmed")
	l.run()
	first := e.next(t)
	invitation := decoded(t, first["body"])
	if first["type"] != "SubscriptionConfirmation" || !strings.Contains(invitation["SubscribeURL"].(string), "Action=ConfirmSubscription") {
		t.Fatalf("%v", first)
	}
	link, err := url.Parse(invitation["SubscribeURL"].(string))
	if err != nil {
		t.Fatal(err)
	}
	visit(t, l, link.RequestURI(), 200)
	l.publish(topic, "hello")
	second := decoded(t, e.next(t)["body"])
	if second["Message"] != "hello" {
		t.Errorf("%v", second)
	}
	link, err = url.Parse(second["UnsubscribeURL"].(string))
	if err != nil {
		t.Fatal(err)
	}
	visit(t, l, link.RequestURI(), 200)
	if _, err := wiretest.Call[api.GetSubscriptionAttributesOutput](l, "GetSubscriptionAttributes", &api.GetSubscriptionAttributesInput{SubscriptionArn: sub}); err == nil {
		t.Error("the subscription is still there")
	}
}

// visit opens an address as a browser does, without a signature.
func visit(t *testing.T, l *lab, target string, status int) {
	t.Helper()
	w := httptest.NewRecorder()
	l.Server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	if w.Code != status {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
}

// Retries follow the policy on the clock; then the message is a dead letter.
func TestRetries(t *testing.T) {
	l := newLab(t, gate{})
	e := newEndpoint(t, 200, 500)
	topic := l.topic("t", nil)
	l.subscribe(topic, "http", e.URL, map[string]string{"RawMessageDelivery": "true",
		"DeliveryPolicy": `{"healthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":5,"numRetries":2}}`,
		"RedrivePolicy":  `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead"}`})
	l.run()
	link, err := url.Parse(decoded(t, e.next(t)["body"])["SubscribeURL"].(string))
	if err != nil {
		t.Fatal(err)
	}
	visit(t, l, link.RequestURI(), 200)
	l.publish(topic, "try")
	if m := e.next(t); m["body"] != "try" || m["raw"] != "true" {
		t.Errorf("%v", m)
	}
	for range 2 {
		l.pass(5*time.Second, func() bool { return len(e.got) > 0 })
		e.next(t)
	}
	l.pass(time.Second, func() bool { return len(l.queues.bell) > 0 })
	if got := l.queues.next(t); *got.MessageBody != "try" || !strings.HasSuffix(*got.QueueUrl, "/dead") {
		t.Errorf("%q went to %s", *got.MessageBody, *got.QueueUrl)
	}
	if len(e.got) > 0 {
		t.Error("tried more often than the policy says")
	}
}

// A dead letter waits for a queue service that fails.
func TestDeadLetterWaits(t *testing.T) {
	l := newLab(t, gate{})
	e := newEndpoint(t, 200, 404)
	topic := l.topic("t", nil)
	l.subscribe(topic, "http", e.URL, map[string]string{"RawMessageDelivery": "true",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead"}`})
	l.run()
	link, err := url.Parse(decoded(t, e.next(t)["body"])["SubscribeURL"].(string))
	if err != nil {
		t.Fatal(err)
	}
	visit(t, l, link.RequestURI(), 200)
	l.queues.mu.Lock()
	l.queues.down = true
	l.queues.mu.Unlock()
	l.publish(topic, "dead")
	e.next(t)
	l.pass(20*time.Second, func() bool { return len(e.got) > 0 })
	l.queues.mu.Lock()
	l.queues.down = false
	l.queues.mu.Unlock()
	l.pass(20*time.Second, func() bool { return len(l.queues.bell) > 0 })
	if got := l.queues.next(t); *got.MessageBody != "dead" || !strings.HasSuffix(*got.QueueUrl, "/dead") {
		t.Errorf("%q went to %s", *got.MessageBody, *got.QueueUrl)
	}
}

func TestFIFO(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t.fifo", map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"})
	l.subscribe(topic, "sqs", queueARN+".fifo", map[string]string{"RawMessageDelivery": "true"})
	send := func(text string) *api.PublishOutput {
		return wiretest.Must[api.PublishOutput](l, "Publish", &api.PublishInput{TopicArn: topic, Message: &text, MessageGroupId: aws.Ptr("g")})
	}
	a, again, b := send("a"), send("a"), send("b")
	if *a.MessageId != *again.MessageId || *a.SequenceNumber != *again.SequenceNumber || *b.SequenceNumber <= *a.SequenceNumber {
		t.Error("a message sent twice is two, or they have no order")
	}
	l.run()
	for _, want := range []string{"a", "b"} {
		if in := l.queues.next(t); *in.MessageBody != want || *in.MessageGroupId != "g" || in.MessageDeduplicationId == nil {
			t.Errorf("%+v, want %s", in, want)
		}
	}
}

// A topic made anew has seen none of the messages of the one before.
func TestFIFOTopicMadeAnew(t *testing.T) {
	l := newLab(t, gate{})
	var sent []string
	for range 2 {
		topic := l.topic("t.fifo", map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"})
		out := wiretest.Must[api.PublishOutput](l, "Publish", &api.PublishInput{TopicArn: topic, Message: aws.Ptr("a"), MessageGroupId: aws.Ptr("g")})
		sent = append(sent, *out.MessageId)
		wiretest.Must[api.DeleteTopicOutput](l, "DeleteTopic", &api.DeleteTopicInput{TopicArn: topic})
	}
	if sent[0] == sent[1] {
		t.Error("the first topic's message stands for the second's")
	}
}

func TestMessageStructureAndFilter(t *testing.T) {
	l := newLab(t, gate{})
	topic := l.topic("t", nil)
	l.subscribe(topic, "sqs", queueARN, map[string]string{"RawMessageDelivery": "true", "FilterPolicyScope": "MessageBody", "FilterPolicy": `{"a":{"b":[1]}}`})
	l.run()
	l.publish(topic, `{"a":{"b":2}}`)
	l.publish(topic, `no JSON`)
	wiretest.Must[api.PublishOutput](l, "Publish", &api.PublishInput{TopicArn: topic, MessageStructure: aws.Ptr("json"),
		Message: aws.Ptr(`{"default":"other","sqs":"{\"a\":{\"b\":1}}"}`)})
	if got := *l.queues.next(t).MessageBody; got != `{"a":{"b":1}}` {
		t.Errorf("delivered %q", got)
	}
}

func BenchmarkPublish(b *testing.B) {
	l := newLab(b, gate{})
	topic := l.topic("t", nil)
	l.subscribe(topic, "sqs", queueARN, nil)
	l.run()
	go func() {
		for range l.queues.bell { //nolint:revive // emptied, so that nobody waits
		}
	}()
	for b.Loop() {
		l.publish(topic, "a message of a usual kind")
	}
}
