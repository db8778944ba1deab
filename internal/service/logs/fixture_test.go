package logs_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/service/logs"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

type gate = wiretest.Gate

// lab is the service with a clock that tests move and a CloudWatch that keeps what
// it is given.
type lab struct {
	*wiretest.Lab
	svc *logs.Service

	mu   sync.Mutex
	put  []*cloudwatch.PutMetricDataInput
	came chan struct{}
}

var start = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, start, g), came: make(chan struct{}, 64)}
	l.svc = logs.New(logs.Config{DB: l.DB, Clock: l.Clock, Log: slog.New(slog.DiscardHandler), Invoker: l.Server})
	l.Register(l.svc.Wire(), wire.Service{Model: cloudwatch.Model(), Operations: []wire.Operation{
		wire.Op("PutMetricData", "cloudwatch:PutMetricData", l.putMetricData, nil)}})
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
func (l *lab) run() { wiretest.Run(l.T, l.svc.Run, nil) }

// setUp makes the group g with the streams named.
func (l *lab) setUp(streams ...string) {
	l.T.Helper()
	wiretest.Must[api.CreateLogGroupOutput](l, "CreateLogGroup", &api.CreateLogGroupInput{LogGroupName: aws.Ptr("g")})
	for _, s := range streams {
		wiretest.Must[api.CreateLogStreamOutput](l, "CreateLogStream", &api.CreateLogStreamInput{LogGroupName: aws.Ptr("g"), LogStreamName: &s})
	}
}

// events makes a put of messages, the first at an offset from the clock's time, one
// a second.
func (l *lab) events(stream string, from time.Duration, messages ...string) *api.PutLogEventsInput {
	in := &api.PutLogEventsInput{LogGroupName: aws.Ptr("g"), LogStreamName: &stream}
	for i := range messages {
		at := l.Clock.Now().Add(from + time.Duration(i)*time.Second).UnixMilli()
		in.LogEvents = append(in.LogEvents, api.InputLogEvent{Timestamp: &at, Message: &messages[i]})
	}
	return in
}

func (l *lab) putEvents(stream string, from time.Duration, messages ...string) *api.PutLogEventsOutput {
	l.T.Helper()
	return wiretest.Must[api.PutLogEventsOutput](l, "PutLogEvents", l.events(stream, from, messages...))
}

func (l *lab) filter(change func(*api.FilterLogEventsInput)) []string {
	l.T.Helper()
	in := &api.FilterLogEventsInput{LogGroupName: aws.Ptr("g")}
	change(in)
	out := []string{}
	for {
		answer := wiretest.Must[api.FilterLogEventsOutput](l, "FilterLogEvents", in)
		for _, e := range answer.Events {
			out = append(out, *e.Message)
		}
		if in.NextToken = answer.NextToken; in.NextToken == nil {
			return out
		}
	}
}
