package sqs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/service/sqs"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const account = wiretest.Account

// gate lets through what it does not name; other accounts and services need a policy
// that names them.
type gate struct{ denied map[string]bool }

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	p := aws.CallFrom(ctx).Principal
	outside := p.Type == aws.PrincipalService || p.Account != account
	if !g.denied[c.Action] && (!outside || strings.Contains(c.ResourcePolicy, p.ARN)) {
		return nil
	}
	return wiretest.Denied(ctx, c)
}

type lab struct {
	*wiretest.Lab
	svc *sqs.Service
}

func newLab(t testing.TB, g gate) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), g)}
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
	l.svc = sqs.New(sqs.Config{DB: l.DB, Sealer: l.Sealer, Clock: l.Clock, Invoker: l.Server, Endpoint: "http://127.0.0.1:4566"})
	l.Register(l.svc.Wire())
}

type attrs = map[api.QueueAttributeName]string

func (l *lab) queue(name string, a attrs) *string {
	l.T.Helper()
	return wiretest.Must[api.CreateQueueOutput](l, "CreateQueue", &api.CreateQueueInput{QueueName: &name, Attributes: a}).QueueUrl
}

func (l *lab) send(url *string, body string) *api.SendMessageOutput {
	l.T.Helper()
	return wiretest.Must[api.SendMessageOutput](l, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: &body})
}

func (l *lab) sendTo(url *string, group, body string) *api.SendMessageOutput {
	l.T.Helper()
	return wiretest.Must[api.SendMessageOutput](l, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: &body, MessageGroupId: &group})
}

func (l *lab) receive(url *string, n int32) []api.Message {
	l.T.Helper()
	return wiretest.Must[api.ReceiveMessageOutput](l, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: &n,
		MessageSystemAttributeNames: []api.MessageSystemAttributeName{"All"}, MessageAttributeNames: []string{"All"}}).Messages
}

func (l *lab) delete(url *string, m api.Message) {
	l.T.Helper()
	wiretest.Must[api.DeleteMessageOutput](l, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
}

func bodies(list []api.Message) string {
	var out []string
	for _, m := range list {
		out = append(out, *m.Body)
	}
	return strings.Join(out, " ")
}

func (l *lab) counts(url *string) string {
	l.T.Helper()
	a := wiretest.Must[api.GetQueueAttributesOutput](l, "GetQueueAttributes", &api.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []api.QueueAttributeName{"All"}}).Attributes
	return a["ApproximateNumberOfMessages"] + "/" + a["ApproximateNumberOfMessagesDelayed"] + "/" + a["ApproximateNumberOfMessagesNotVisible"]
}
