package cloudwatch

import (
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// queued counts the actions that are to be done.
func (l *lab) queued() (n int) {
	l.T.Helper()
	err := l.DB.View(l.Ctx, func(tx *store.Tx) error {
		rows, err := actions.List(tx, store.Scope{}, "", 0)
		n = len(rows)
		return err
	})
	if err != nil {
		l.T.Fatal(err)
	}
	return n
}

// Scaling policies act again each minute as long as the alarm stays in its state, also
// those of an alarm that is looked at more often, and no more when it is gone.
func TestScalingIsRepeatedEachMinute(t *testing.T) {
	l := newLab(t, gate{})
	l.putAlarm("busy", func(in *api.PutMetricAlarmInput) {
		in.Period = aws.Ptr[int32](10)
		in.AlarmActions = []string{"arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:u:autoScalingGroupName/g:policyName/p"}
	})
	var seen *alarm
	for i, want := range []int{1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3} {
		wiretest.Must[api.PutMetricDataOutput](l, "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr("App"), MetricData: []api.MetricDatum{
			{MetricName: aws.Ptr("m"), Value: aws.Ptr(12.0), Timestamp: aws.Ptr(l.Clock.Now()), StorageResolution: aws.Ptr[int32](1)}}})
		l.tick(10 * time.Second)
		if got := l.queued(); got != want {
			t.Errorf("%d actions after %d seconds, not %d", got, 10*(i+1), want)
		}
	}
	err := l.svc.eachAlarm(l.Ctx, func(_ store.Key, a *alarm) error {
		seen = a
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Must[api.DeleteAlarmsOutput](l, "DeleteAlarms", &api.DeleteAlarmsInput{AlarmNames: []string{"busy"}})
	k := store.Key{Account: wiretest.Account, Region: "us-east-1", ID: "busy"}
	if err := l.svc.repeatScaling(l.Ctx, k, seen, verdict{used: []point{{value: 12}}}); err != nil || l.queued() != 3 {
		t.Errorf("%v, %d actions", err, l.queued())
	}
}
