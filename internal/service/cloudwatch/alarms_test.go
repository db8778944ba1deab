package cloudwatch

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const topic = "arn:aws:sns:us-east-1:123456789012:t"

// An alarm goes through its states as the clock and the data say, tells its topic,
// and remembers; also when the server is another one in between.
func TestAlarmLives(t *testing.T) {
	l := newLab(t, gate{})
	l.run()
	l.putAlarm("hot", func(in *api.PutMetricAlarmInput) { in.AlarmActions, in.OKActions = []string{topic}, []string{topic} })
	if a := l.get("hot"); a.StateValue != "INSUFFICIENT_DATA" || *a.StateReason != "Unchecked: Initial alarm creation" {
		t.Fatalf("%s: %s", a.StateValue, *a.StateReason)
	}
	l.put("m", 12, 0)
	l.wake()
	a := l.awaitState("hot", "ALARM")
	if want := "Threshold Crossed: 1 out of the last 1 datapoints [12.0 (01/05/24 12:00:00)] was greater than the threshold (10.0) (minimum 1 datapoint for OK -> ALARM transition)."; *a.StateReason != want {
		t.Errorf("%s\nwant\n%s", *a.StateReason, want)
	}
	if want := `{"version":"1.0","queryDate":"2024-05-01T12:01:00.000+0000","startDate":"2024-05-01T12:00:00.000+0000","statistic":"Average","period":60,` +
		`"recentDatapoints":[12.0],"threshold":10.0,"evaluatedDatapoints":[{"timestamp":"2024-05-01T12:00:00.000+0000","sampleCount":1.0,"value":12.0}]}`; *a.StateReasonData != want {
		t.Errorf("%s\nwant\n%s", *a.StateReasonData, want)
	}
	history := func() (out []string) {
		for _, i := range wiretest.Must[api.DescribeAlarmHistoryOutput](l, "DescribeAlarmHistory", &api.DescribeAlarmHistoryInput{AlarmName: aws.Ptr("hot"), ScanBy: "TimestampAscending"}).AlarmHistoryItems {
			out = append(out, *i.HistorySummary)
		}
		return out
	}
	l.await("three items", func() bool { return len(history()) == 3 })
	l.run() // a restart
	l.put("m", 3, 0)
	l.tick(time.Minute)
	l.awaitState("hot", "OK")
	l.await("five items", func() bool { return len(history()) == 5 })
	if got, want := strings.Join(history(), "; "), `Alarm "hot" created; Alarm updated from INSUFFICIENT_DATA to ALARM; Successfully executed action `+topic+
		`; Alarm updated from ALARM to OK; Successfully executed action `+topic; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if len(l.published) != 2 || l.publisher[0] != "cloudwatch.amazonaws.com" || *l.published[0].Subject != `ALARM: "hot" in US East (N. Virginia)` {
		t.Fatalf("%+v", l.published)
	}
	var message struct {
		NewStateValue, OldStateValue, AWSAccountId, StateChangeTime string
		Trigger                                                     struct{ MetricName, Statistic, StatisticType, TreatMissingData string }
	}
	if err := json.Unmarshal([]byte(*l.published[0].Message), &message); err != nil {
		t.Fatal(err)
	}
	if message.NewStateValue != "ALARM" || message.OldStateValue != "INSUFFICIENT_DATA" || message.Trigger.Statistic != "AVERAGE" || message.StateChangeTime != "2024-05-01T12:01:00.000+0000" {
		t.Errorf("%+v", message)
	}
}

func TestEC2Action(t *testing.T) {
	l := newLab(t, gate{})
	l.run()
	l.putAlarm("idle", func(in *api.PutMetricAlarmInput) {
		in.AlarmActions = []string{"arn:aws:automate:us-east-1:ec2:stop"}
		in.Dimensions = []api.Dimension{{Name: aws.Ptr("InstanceId"), Value: aws.Ptr("i-1")}}
	})
	wiretest.Must[api.SetAlarmStateOutput](l, "SetAlarmState", &api.SetAlarmStateInput{AlarmName: aws.Ptr("idle"), StateValue: "ALARM", StateReason: aws.Ptr("test")})
	l.await("stopped", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.stopped) > 0
	})
	if l.stopped[0] != "arn:aws:iam::123456789012:user/u i-1" {
		t.Errorf("%v", l.stopped)
	}
}

func TestDisabledActionsStayQuiet(t *testing.T) {
	l := newLab(t, gate{})
	l.putAlarm("a", func(in *api.PutMetricAlarmInput) { in.AlarmActions = []string{topic} })
	wiretest.Must[api.DisableAlarmActionsOutput](l, "DisableAlarmActions", &api.DisableAlarmActionsInput{AlarmNames: []string{"a", "none"}})
	set := &api.SetAlarmStateInput{AlarmName: aws.Ptr("a"), StateValue: "ALARM", StateReason: aws.Ptr("test"), StateReasonData: aws.Ptr(`{"a": 1}`)}
	wiretest.Must[api.SetAlarmStateOutput](l, "SetAlarmState", set)
	queued := 0
	if err := l.DB.View(l.Ctx, func(tx *store.Tx) error {
		rows, err := actions.List(tx, store.Scope{}, "", 0)
		queued = len(rows)
		return err
	}); err != nil || queued != 0 {
		t.Errorf("%d actions, %v", queued, err)
	}
	if a := l.get("a"); a.StateValue != "ALARM" || *a.StateReason != "test" || *a.ActionsEnabled || *a.StateReasonData != `{"a": 1}` {
		t.Errorf("%+v", a)
	}
}

// M of N, an expression, a percentile and high resolution.
func TestAlarmsOnMore(t *testing.T) {
	l := newLab(t, gate{})
	l.run()
	stat := func(id, name string) api.MetricDataQuery {
		return api.MetricDataQuery{Id: &id, ReturnData: aws.Ptr(false), MetricStat: &api.MetricStat{Stat: aws.Ptr("Sum"), Period: aws.Ptr[int32](60),
			Metric: &api.Metric{Namespace: aws.Ptr("App"), MetricName: &name}}}
	}
	l.putAlarm("ratio", func(in *api.PutMetricAlarmInput) {
		in.Namespace, in.MetricName, in.Statistic, in.Period = nil, nil, "", nil
		in.Metrics = []api.MetricDataQuery{stat("bad", "errors"), stat("all", "calls"), {Id: aws.Ptr("e"), Expression: aws.Ptr("100 * bad / all")}}
	})
	l.putAlarm("slow", func(in *api.PutMetricAlarmInput) {
		in.Statistic, in.ExtendedStatistic = "", aws.Ptr("p90")
		in.EvaluationPeriods, in.DatapointsToAlarm, in.MetricName = aws.Ptr[int32](3), aws.Ptr[int32](2), aws.Ptr("latency")
	})
	for _, v := range []float64{11, 1, 12} {
		l.put("latency", v, 0)
		l.put("errors", 2, 0)
		l.put("calls", 10, 0)
		l.tick(time.Minute)
	}
	l.awaitState("ratio", "ALARM")
	l.awaitState("slow", "ALARM")
	l.putAlarm("quick", func(in *api.PutMetricAlarmInput) { in.Period, in.MetricName = aws.Ptr[int32](10), aws.Ptr("q") })
	wiretest.Must[api.PutMetricDataOutput](l, "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr("App"), MetricData: []api.MetricDatum{
		{MetricName: aws.Ptr("q"), Value: aws.Ptr(50.0), StorageResolution: aws.Ptr[int32](1)}}})
	l.tick(10 * time.Second)
	l.awaitState("quick", "ALARM")
}

func TestCompositeAlarms(t *testing.T) {
	l := newLab(t, gate{})
	l.run()
	l.putAlarm("a")
	l.putAlarm("b")
	wiretest.Must[api.PutCompositeAlarmOutput](l, "PutCompositeAlarm", &api.PutCompositeAlarmInput{AlarmName: aws.Ptr("both"), AlarmRule: aws.Ptr(`ALARM("a") AND ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:b)`)})
	get := func() api.CompositeAlarm {
		return wiretest.Must[api.DescribeAlarmsOutput](l, "DescribeAlarms", &api.DescribeAlarmsInput{AlarmTypes: []api.AlarmType{"CompositeAlarm"}}).CompositeAlarms[0]
	}
	l.await("composite is OK", func() bool { return get().StateValue == "OK" })
	for _, name := range []string{"a", "b"} {
		l.Clock.Advance(time.Second)
		wiretest.Must[api.SetAlarmStateOutput](l, "SetAlarmState", &api.SetAlarmStateInput{AlarmName: &name, StateValue: "ALARM", StateReason: aws.Ptr("test")})
	}
	l.await("composite is ALARM", func() bool { return get().StateValue == "ALARM" })
	if want := "arn:aws:cloudwatch:us-east-1:123456789012:alarm:b transitioned to ALARM at Wednesday 01 May, 2024 12:00:02 UTC"; *get().StateReason != want {
		t.Errorf("%s", *get().StateReason)
	}
	if _, err := wiretest.Call[api.DeleteAlarmsOutput](l, "DeleteAlarms", &api.DeleteAlarmsInput{AlarmNames: []string{"a"}}); err == nil {
		t.Error("an alarm that a composite one needs is deleted")
	}
	children := wiretest.Must[api.DescribeAlarmsOutput](l, "DescribeAlarms", &api.DescribeAlarmsInput{ChildrenOfAlarmName: aws.Ptr("both")})
	parents := wiretest.Must[api.DescribeAlarmsOutput](l, "DescribeAlarms", &api.DescribeAlarmsInput{ParentsOfAlarmName: aws.Ptr("a")})
	if len(children.MetricAlarms) != 2 || len(parents.CompositeAlarms) != 1 {
		t.Errorf("%d children, %d parents", len(children.MetricAlarms), len(parents.CompositeAlarms))
	}
	wiretest.Must[api.DeleteAlarmsOutput](l, "DeleteAlarms", &api.DeleteAlarmsInput{AlarmNames: []string{"a", "b", "both"}})
}
