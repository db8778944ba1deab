package logs_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/logs"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
)

// gate lets through what it names; without names, everything.
type gate struct{ only []string }

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	if g.only == nil || slices.Contains(g.only, c.Action+" "+c.Resource) {
		return nil
	}
	return &aws.Denied{Principal: aws.CallFrom(ctx).Principal.ARN, Action: c.Action, Resource: c.Resource,
		Reason: "no identity-based policy allows the " + c.Action + " action"}
}

// lab is the service with a clock that tests move and a CloudWatch that keeps what
// it is given.
type lab struct {
	t      *testing.T
	db     *store.DB
	clock  *clock.Manual
	server *wire.Server
	svc    *logs.Service
	ctx    context.Context

	mu   sync.Mutex
	put  []*cloudwatch.PutMetricDataInput
	came chan struct{}
}

var start = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	l := &lab{t: t, clock: clock.NewManual(start), came: make(chan struct{}, 64)}
	l.db = storetest.NewWithClock(t, l.clock)
	l.server = wire.NewServer(wire.Config{Authorizer: g, Account: "123456789012", Region: "us-east-1"})
	l.svc = logs.New(logs.Config{DB: l.db, Clock: l.clock, Log: slog.New(slog.DiscardHandler), Invoker: l.server})
	err := l.server.Register(l.svc.Wire(), wire.Service{Model: cloudwatch.Model(), Operations: []wire.Operation{
		wire.Op("PutMetricData", "cloudwatch:PutMetricData", l.putMetricData, nil)}})
	if err != nil {
		t.Fatal(err)
	}
	l.ctx = aws.WithCall(t.Context(), aws.Call{Account: "123456789012", Region: "us-east-1",
		Principal: aws.Principal{Type: aws.PrincipalUser, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/u"}})
	return l
}

func (l *lab) putMetricData(_ context.Context, in *cloudwatch.PutMetricDataInput) (*cloudwatch.PutMetricDataOutput, error) {
	l.mu.Lock()
	l.put = append(l.put, in)
	l.mu.Unlock()
	l.came <- struct{}{}
	return &cloudwatch.PutMetricDataOutput{}, nil
}

// run runs the service in the background until the test ends.
func (l *lab) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.svc.Run(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
}

func call[O any](l *lab, operation string, in any) (*O, error) {
	return wire.Call[O](l.ctx, l.server, "logs", operation, in)
}

func must[O any](l *lab, operation string, in any) *O {
	l.t.Helper()
	out, err := call[O](l, operation, in)
	if err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// setUp makes the group g with the streams named.
func (l *lab) setUp(streams ...string) {
	l.t.Helper()
	must[api.CreateLogGroupOutput](l, "CreateLogGroup", &api.CreateLogGroupInput{LogGroupName: aws.Ptr("g")})
	for _, s := range streams {
		must[api.CreateLogStreamOutput](l, "CreateLogStream", &api.CreateLogStreamInput{LogGroupName: aws.Ptr("g"), LogStreamName: &s})
	}
}

// events makes a put of messages, the first at an offset from the clock's time, one
// a second.
func (l *lab) events(stream string, from time.Duration, messages ...string) *api.PutLogEventsInput {
	in := &api.PutLogEventsInput{LogGroupName: aws.Ptr("g"), LogStreamName: &stream}
	for i := range messages {
		at := l.clock.Now().Add(from + time.Duration(i)*time.Second).UnixMilli()
		in.LogEvents = append(in.LogEvents, api.InputLogEvent{Timestamp: &at, Message: &messages[i]})
	}
	return in
}

func (l *lab) putEvents(stream string, from time.Duration, messages ...string) *api.PutLogEventsOutput {
	l.t.Helper()
	return must[api.PutLogEventsOutput](l, "PutLogEvents", l.events(stream, from, messages...))
}

func (l *lab) filter(change func(*api.FilterLogEventsInput)) []string {
	l.t.Helper()
	in := &api.FilterLogEventsInput{LogGroupName: aws.Ptr("g")}
	change(in)
	out := []string{}
	for {
		answer := must[api.FilterLogEventsOutput](l, "FilterLogEvents", in)
		for _, e := range answer.Events {
			out = append(out, *e.Message)
		}
		if in.NextToken = answer.NextToken; in.NextToken == nil {
			return out
		}
	}
}
