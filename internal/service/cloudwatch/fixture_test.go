package cloudwatch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/clock"
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

// lab is the service with a clock that tests move, a topic and instances.
type lab struct {
	t      *testing.T
	db     *store.DB
	clock  *clock.Manual
	server *wire.Server
	svc    *Service
	ctx    context.Context
	stop   func()

	mu        sync.Mutex
	published []*sns.PublishInput
	publisher []string // who published
	stopped   []string // "user instance"
}

var start = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	l := &lab{t: t, clock: clock.NewManual(start)}
	l.db = storetest.NewWithClock(t, l.clock)
	l.server = wire.NewServer(wire.Config{Authorizer: g, Account: "123456789012", Region: "us-east-1"})
	l.svc = New(Config{DB: l.db, Clock: l.clock, Log: slog.New(slog.DiscardHandler), Invoker: l.server})
	err := l.server.Register(l.svc.Wire(),
		wire.Service{Model: sns.Model(), Operations: []wire.Operation{wire.Op("Publish", "sns:Publish", l.publish, nil)}},
		wire.Service{Model: ec2.Model(), Operations: []wire.Operation{wire.Op("StopInstances", "ec2:StopInstances", l.stopInstances, nil)}})
	if err != nil {
		t.Fatal(err)
	}
	l.ctx = aws.WithCall(t.Context(), aws.Call{Account: "123456789012", Region: "us-east-1",
		Principal: aws.Principal{Type: aws.PrincipalUser, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/u"}})
	t.Cleanup(func() {
		if l.stop != nil {
			l.stop()
		}
	})
	return l
}

func (l *lab) publish(ctx context.Context, in *sns.PublishInput) (*sns.PublishOutput, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published, l.publisher = append(l.published, in), append(l.publisher, aws.CallFrom(ctx).Principal.Service)
	return &sns.PublishOutput{}, nil
}

func (l *lab) stopInstances(ctx context.Context, in *ec2.StopInstancesInput) (*ec2.StopInstancesOutput, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = append(l.stopped, aws.CallFrom(ctx).Principal.ARN+" "+in.InstanceIds[0])
	return &ec2.StopInstancesOutput{}, nil
}

// run runs a new service on the lab's database, as a server that starts.
func (l *lab) run() {
	if l.stop != nil {
		l.stop()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	svc := New(l.svc.cfg)
	go func() { done <- svc.Run(ctx) }()
	l.stop = func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	}
}

// wake moves the clock to the next minute once the service waits for it.
func (l *lab) wake() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	if err := l.clock.BlockUntil(ctx, 1); err != nil {
		l.t.Fatal("the service does not wait for its clock")
	}
	l.clock.Advance(time.Minute)
}

// tick moves the clock and has the alarms evaluated, whether or not the service
// that runs has been waiting for just this moment.
func (l *lab) tick(d time.Duration) {
	l.t.Helper()
	l.clock.Advance(d)
	if err := l.svc.round(l.ctx, l.clock.Now()); err != nil {
		l.t.Fatal(err)
	}
}

func call[O any](l *lab, operation string, in any) (*O, error) {
	return wire.Call[O](l.ctx, l.server, "monitoring", operation, in)
}

func must[O any](l *lab, operation string, in any) *O {
	l.t.Helper()
	out, err := call[O](l, operation, in)
	if err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// put puts a value at an offset from the clock's time.
func (l *lab) put(name string, value float64, at time.Duration) {
	l.t.Helper()
	must[api.PutMetricDataOutput](l, "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr("App"), MetricData: []api.MetricDatum{
		{MetricName: &name, Value: &value, Timestamp: aws.Ptr(l.clock.Now().Add(at))}}})
}

// alarm is the input of an alarm on a metric of App.
func newAlarm(name string, change ...func(*api.PutMetricAlarmInput)) *api.PutMetricAlarmInput {
	in := &api.PutMetricAlarmInput{AlarmName: &name, Namespace: aws.Ptr("App"), MetricName: aws.Ptr("m"), Statistic: "Average", Period: aws.Ptr[int32](60),
		EvaluationPeriods: aws.Ptr[int32](1), Threshold: aws.Ptr(10.0), ComparisonOperator: "GreaterThanThreshold"}
	for _, c := range change {
		c(in)
	}
	return in
}

func (l *lab) putAlarm(name string, change ...func(*api.PutMetricAlarmInput)) {
	l.t.Helper()
	must[api.PutMetricAlarmOutput](l, "PutMetricAlarm", newAlarm(name, change...))
}

func (l *lab) get(name string) api.MetricAlarm {
	l.t.Helper()
	out := must[api.DescribeAlarmsOutput](l, "DescribeAlarms", &api.DescribeAlarmsInput{AlarmNames: []string{name}})
	if len(out.MetricAlarms) != 1 {
		l.t.Fatalf("%d alarms %s", len(out.MetricAlarms), name)
	}
	return out.MetricAlarms[0]
}

// await waits until a condition holds, looking again with each event.
func (l *lab) await(what string, ok func() bool) {
	l.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		changed := l.db.Changed(store.Filter{Service: "monitoring"})
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-limit:
			l.t.Fatal("not: " + what)
		}
	}
}

func (l *lab) awaitState(name string, want api.StateValue) api.MetricAlarm {
	l.t.Helper()
	l.await(name+" is "+string(want), func() bool { return l.get(name).StateValue == want })
	return l.get(name)
}
