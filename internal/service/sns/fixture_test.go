package sns_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sns"
	apisqs "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/sns"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const account = wiretest.Account

// gate lets through what it does not name; strangers need a policy that opens.
type gate struct{ denied map[string]bool }

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	p := aws.CallFrom(ctx).Principal
	stranger := p.Type == aws.PrincipalAnonymous || p.Account != account
	if !g.denied[c.Action] && (!stranger || strings.Contains(c.ResourcePolicy, `"Principal":"*"`) || strings.Contains(c.ResourcePolicy, p.Account+":root")) {
		return nil
	}
	return wiretest.Denied(ctx, c)
}

// authority signs with a key of its own.
type authority struct{}

func (authority) Certify(_ string, public crypto.PublicKey, _ time.Duration) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	return x509.CreateCertificate(rand.Reader, c, c, public, key)
}

// queues stand for SQS: they keep what was sent. closed ones refuse, and while down the
// service fails.
type queues struct {
	mu     sync.Mutex
	sent   []*apisqs.SendMessageInput
	calls  []aws.Call
	closed map[string]bool
	down   bool
	bell   chan struct{}
}

func (q *queues) send(ctx context.Context, in *apisqs.SendMessageInput) (*apisqs.SendMessageOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down {
		return nil, awserr.Status(503, "ServiceUnavailable", "down")
	}
	if q.closed[*in.QueueUrl] {
		return nil, awserr.New("QueueDoesNotExist", "The specified queue does not exist.")
	}
	q.sent, q.calls = append(q.sent, in), append(q.calls, aws.CallFrom(ctx))
	q.bell <- struct{}{}
	return &apisqs.SendMessageOutput{}, nil
}

// next waits for a message.
func (q *queues) next(t testing.TB) *apisqs.SendMessageInput {
	t.Helper()
	select {
	case <-q.bell:
	case <-time.After(10 * time.Second):
		t.Fatal("no message arrives")
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.sent[0]
	q.sent = q.sent[1:]
	return m
}

type lab struct {
	*wiretest.Lab
	svc    *sns.Service
	queues *queues
}

func newLab(t testing.TB, g gate) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), g),
		queues: &queues{closed: map[string]bool{}, bell: make(chan struct{}, 100)}}
	l.serve()
	return l
}

// restart makes a service on the database, as a server does that was started again.
func (l *lab) restart() {
	l.Lab = wiretest.On(l.T, l.Lab, gate{})
	l.serve()
}

func (l *lab) serve() {
	l.T.Helper()
	l.svc = sns.New(sns.Config{DB: l.DB, Sealer: l.Sealer, Clock: l.Clock, Invoker: l.Server, Authority: authority{}, Endpoint: "http://127.0.0.1:4566"})
	l.Register(l.svc.Wire(), wire.Service{Model: apisqs.Model(), Operations: []wire.Operation{wire.Op("SendMessage", "sqs:SendMessage", l.queues.send, nil)}})
}

// run delivers until the test ends.
func (l *lab) run() { wiretest.Run(l.T, l.svc.Run, context.Canceled) }

const queueARN = "arn:aws:sqs:us-east-1:123456789012:q"

func (l *lab) topic(name string, attributes map[string]string) *string {
	l.T.Helper()
	return wiretest.Must[api.CreateTopicOutput](l, "CreateTopic", &api.CreateTopicInput{Name: &name, Attributes: attributes}).TopicArn
}

func (l *lab) subscribe(topic *string, protocol, endpoint string, attributes map[string]string) *string {
	l.T.Helper()
	return wiretest.Must[api.SubscribeOutput](l, "Subscribe", &api.SubscribeInput{TopicArn: topic, Protocol: &protocol, Endpoint: &endpoint,
		Attributes: attributes, ReturnSubscriptionArn: aws.Ptr(true)}).SubscriptionArn
}

func (l *lab) publish(topic *string, text string) *string {
	l.T.Helper()
	return wiretest.Must[api.PublishOutput](l, "Publish", &api.PublishInput{TopicArn: topic, Message: &text}).MessageId
}

func decoded(t testing.TB, body string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return m
}
