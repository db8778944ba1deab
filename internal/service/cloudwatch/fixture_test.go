package cloudwatch

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

type gate = wiretest.Gate

// lab is the service with a clock that tests move, a topic and instances.
type lab struct {
	*wiretest.Lab
	svc  *Service
	stop func()

	mu        sync.Mutex
	published []*sns.PublishInput
	publisher []string // who published
	stopped   []string // "user instance"
}

var start = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, start, g), stop: func() {}}
	l.svc = New(Config{DB: l.DB, Clock: l.Clock, Log: slog.New(slog.DiscardHandler), Invoker: l.Server})
	l.Register(l.svc.Wire(),
		wire.Service{Model: sns.Model(), Operations: []wire.Operation{wire.Op("Publish", "sns:Publish", l.publish, nil)}},
		wire.Service{Model: ec2.Model(), Operations: []wire.Operation{wire.Op("StopInstances", "ec2:StopInstances", l.stopInstances, nil)}})
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
	l.stop()
	l.stop = wiretest.Run(l.T, New(l.svc.cfg).Run, nil)
}

// wake moves the clock to the next minute once the service waits for it.
func (l *lab) wake() {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(l.T.Context(), 30*time.Second)
	defer cancel()
	if err := l.Clock.BlockUntil(ctx, 1); err != nil {
		l.T.Fatal("the service does not wait for its clock")
	}
	l.Clock.Advance(time.Minute)
}

// tick moves the clock and has the alarms evaluated, whether or not the service
// that runs has been waiting for just this moment.
func (l *lab) tick(d time.Duration) {
	l.T.Helper()
	l.Clock.Advance(d)
	if err := l.svc.round(l.Ctx, l.Clock.Now()); err != nil {
		l.T.Fatal(err)
	}
}

// put puts a value at an offset from the clock's time.
func (l *lab) put(name string, value float64, at time.Duration) {
	l.T.Helper()
	wiretest.Must[api.PutMetricDataOutput](l, "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr("App"), MetricData: []api.MetricDatum{
		{MetricName: &name, Value: &value, Timestamp: aws.Ptr(l.Clock.Now().Add(at))}}})
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
	l.T.Helper()
	wiretest.Must[api.PutMetricAlarmOutput](l, "PutMetricAlarm", newAlarm(name, change...))
}

func (l *lab) get(name string) api.MetricAlarm {
	l.T.Helper()
	out := wiretest.Must[api.DescribeAlarmsOutput](l, "DescribeAlarms", &api.DescribeAlarmsInput{AlarmNames: []string{name}})
	if len(out.MetricAlarms) != 1 {
		l.T.Fatalf("%d alarms %s", len(out.MetricAlarms), name)
	}
	return out.MetricAlarms[0]
}

// await waits until a condition holds, looking again with each event.
func (l *lab) await(what string, ok func() bool) {
	l.T.Helper()
	limit := time.After(30 * time.Second)
	for {
		changed := l.DB.Changed(store.Filter{Service: "monitoring"})
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-limit:
			l.T.Fatal("not: " + what)
		}
	}
}

func (l *lab) awaitState(name string, want api.StateValue) api.MetricAlarm {
	l.T.Helper()
	l.await(name+" is "+string(want), func() bool { return l.get(name).StateValue == want })
	return l.get(name)
}
