package sqs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/sqs"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
)

const account = "123456789012"

// gate lets through what it does not name; other accounts and services need a policy
// that names them.
type gate struct{ denied map[string]bool }

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	p := aws.CallFrom(ctx).Principal
	outside := p.Type == aws.PrincipalService || p.Account != account
	if !g.denied[c.Action] && (!outside || strings.Contains(c.ResourcePolicy, p.ARN)) {
		return nil
	}
	return &aws.Denied{Principal: p.ARN, Action: c.Action, Resource: c.Resource, Reason: "no identity-based policy allows the " + c.Action + " action"}
}

type lab struct {
	t      testing.TB
	db     *store.DB
	sealer *store.Sealer
	clock  *clock.Manual
	server *wire.Server
	svc    *sqs.Service
	ctx    context.Context
}

func newLab(t testing.TB, g gate) *lab {
	t.Helper()
	l := &lab{t: t, clock: clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), sealer: storetest.NewSealer(t)}
	l.db = storetest.NewWithClock(t, l.clock)
	l.start(g)
	l.ctx = as(t.Context(), aws.Principal{Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::123456789012:user/u", UniqueID: "AIDAU"})
	return l
}

// start makes a service on the database, as a server does that was started again.
func (l *lab) start(g gate) {
	l.t.Helper()
	l.server = wire.NewServer(wire.Config{Authorizer: g, Account: account, Region: "us-east-1", Clock: l.clock})
	l.svc = sqs.New(sqs.Config{DB: l.db, Sealer: l.sealer, Clock: l.clock, Invoker: l.server, Endpoint: "http://127.0.0.1:4566"})
	if err := l.server.Register(l.svc.Wire()); err != nil {
		l.t.Fatal(err)
	}
}

func as(ctx context.Context, p aws.Principal) context.Context {
	return aws.WithCall(ctx, aws.Call{Account: p.Account, Region: "us-east-1", Principal: p})
}

func call[O any](l *lab, operation string, in any) (*O, error) {
	return wire.Call[O](l.ctx, l.server, "sqs", operation, in)
}

func must[O any](l *lab, operation string, in any) *O {
	l.t.Helper()
	out, err := call[O](l, operation, in)
	if err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

type attrs = map[api.QueueAttributeName]string

func (l *lab) queue(name string, a attrs) *string {
	l.t.Helper()
	return must[api.CreateQueueOutput](l, "CreateQueue", &api.CreateQueueInput{QueueName: &name, Attributes: a}).QueueUrl
}

func (l *lab) send(url *string, body string) *api.SendMessageOutput {
	l.t.Helper()
	return must[api.SendMessageOutput](l, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: &body})
}

func (l *lab) sendTo(url *string, group, body string) *api.SendMessageOutput {
	l.t.Helper()
	return must[api.SendMessageOutput](l, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: &body, MessageGroupId: &group})
}

func (l *lab) receive(url *string, n int32) []api.Message {
	l.t.Helper()
	return must[api.ReceiveMessageOutput](l, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: &n,
		MessageSystemAttributeNames: []api.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"}}).Messages
}

func (l *lab) delete(url *string, m api.Message) {
	l.t.Helper()
	must[api.DeleteMessageOutput](l, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
}

func bodies(list []api.Message) string {
	var out []string
	for _, m := range list {
		out = append(out, *m.Body)
	}
	return strings.Join(out, " ")
}

func (l *lab) counts(url *string) string {
	l.t.Helper()
	a := must[api.GetQueueAttributesOutput](l, "GetQueueAttributes", &api.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []api.QueueAttributeName{"All"}}).Attributes
	return a["ApproximateNumberOfMessages"] + "/" + a["ApproximateNumberOfMessagesDelayed"] + "/" + a["ApproximateNumberOfMessagesNotVisible"]
}
