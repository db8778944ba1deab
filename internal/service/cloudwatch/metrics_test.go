package cloudwatch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// Values in all their forms become statistics, and percentiles where they are known.
func TestStatistics(t *testing.T) {
	l := newLab(t, gate{})
	put := func(d api.MetricDatum) {
		d.MetricName = aws.Ptr("m")
		wiretest.Must[api.PutMetricDataOutput](l, "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr("App"), MetricData: []api.MetricDatum{d}})
	}
	put(api.MetricDatum{Value: aws.Ptr(1.0)})
	put(api.MetricDatum{Values: []float64{2, 4}, Counts: []float64{3, 1}})
	old := start.Add(-5 * time.Minute)
	put(api.MetricDatum{Timestamp: &old, Unit: "Seconds", StatisticValues: &api.StatisticSet{SampleCount: aws.Ptr(2.0), Sum: aws.Ptr(30.0), Minimum: aws.Ptr(10.0), Maximum: aws.Ptr(20.0)}})
	ask := &api.GetMetricStatisticsInput{Namespace: aws.Ptr("App"), MetricName: aws.Ptr("m"), StartTime: aws.Ptr(start.Add(-10 * time.Minute)), EndTime: aws.Ptr(start.Add(time.Minute)),
		Period: aws.Ptr[int32](60), Statistics: []api.Statistic{"SampleCount", "Sum", "Average", "Minimum", "Maximum"}}
	show := func() (out []string) {
		for _, d := range wiretest.Must[api.GetMetricStatisticsOutput](l, "GetMetricStatistics", ask).Datapoints {
			out = append(out, fmt.Sprint(d.Timestamp.Format("15:04"), " ", *d.SampleCount, *d.Sum, *d.Average, *d.Minimum, *d.Maximum, " ", d.Unit))
		}
		return out
	}
	if got, want := show(), []string{"11:55 2 30 15 10 20 Seconds", "12:00 5 11 2.2 1 4 None"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	ask.Unit = "Seconds"
	if got := show(); len(got) != 1 {
		t.Errorf("of one unit: %q", got)
	}
	ask.Unit, ask.Statistics, ask.ExtendedStatistics = "", nil, []string{"p50", "p100", "tm80", "TC(2:4)", "PR(:2)", "IQM"}
	points := wiretest.Must[api.GetMetricStatisticsOutput](l, "GetMetricStatistics", ask).Datapoints
	if len(points) != 1 {
		t.Fatalf("%d datapoints with percentiles", len(points))
	}
	for name, want := range map[string]float64{"p50": 2, "p100": 4, "tm80": 1.75, "TC(2:4)": 4, "PR(:2)": 80, "IQM": 2} {
		if got := points[0].ExtendedStatistics[name]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestGetMetricData(t *testing.T) {
	l := newLab(t, gate{})
	for i := range 5 {
		l.put("a", float64(i), time.Duration(i-5)*time.Minute)
		l.put("b", 2, time.Duration(i-5)*time.Minute)
	}
	stat := func(id string) api.MetricDataQuery {
		return api.MetricDataQuery{Id: &id, MetricStat: &api.MetricStat{Stat: aws.Ptr("Average"), Period: aws.Ptr[int32](60), Metric: &api.Metric{Namespace: aws.Ptr("App"), MetricName: &id}}}
	}
	hidden := stat("b")
	hidden.ReturnData = aws.Ptr(false)
	in := &api.GetMetricDataInput{StartTime: aws.Ptr(start.Add(-5 * time.Minute)), EndTime: &start, MaxDatapoints: aws.Ptr[int32](4),
		MetricDataQueries: []api.MetricDataQuery{stat("a"), hidden, {Id: aws.Ptr("e"), Expression: aws.Ptr("a * b + 1"), Label: aws.Ptr("twice")}}}
	got := map[string][]float64{}
	for {
		out := wiretest.Must[api.GetMetricDataOutput](l, "GetMetricData", in)
		for _, r := range out.MetricDataResults {
			got[*r.Label] = append(got[*r.Label], r.Values...)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if !slices.Equal(got["a"], []float64{4, 3, 2, 1, 0}) || !slices.Equal(got["twice"], []float64{9, 7, 5, 3, 1}) || len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// TestLabelsTellMetricsApart: what differs between the metrics of a request is in
// their labels.
func TestLabelsTellMetricsApart(t *testing.T) {
	l := newLab(t, gate{})
	for name, c := range map[string]struct {
		second api.MetricStat
		want   []string
	}{
		"all the same":         {api.MetricStat{Stat: aws.Ptr("Sum"), Period: aws.Ptr[int32](60)}, []string{"m", "m"}},
		"statistic":            {api.MetricStat{Stat: aws.Ptr("Minimum"), Period: aws.Ptr[int32](60)}, []string{"m Sum", "m Minimum"}},
		"period":               {api.MetricStat{Stat: aws.Ptr("Sum"), Period: aws.Ptr[int32](30)}, []string{"m 60", "m 30"}},
		"statistic and period": {api.MetricStat{Stat: aws.Ptr("Minimum"), Period: aws.Ptr[int32](30)}, []string{"m Sum 60", "m Minimum 30"}},
		"unit only":            {api.MetricStat{Stat: aws.Ptr("Sum"), Period: aws.Ptr[int32](60), Unit: "Seconds"}, []string{"m", "m"}},
	} {
		first := api.MetricStat{Stat: aws.Ptr("Sum"), Period: aws.Ptr[int32](60), Metric: &api.Metric{Namespace: aws.Ptr("App"), MetricName: aws.Ptr("m")}}
		c.second.Metric = first.Metric
		out := wiretest.Must[api.GetMetricDataOutput](l, "GetMetricData", &api.GetMetricDataInput{StartTime: aws.Ptr(start.Add(-time.Hour)), EndTime: &start,
			MetricDataQueries: []api.MetricDataQuery{{Id: aws.Ptr("a"), MetricStat: &first}, {Id: aws.Ptr("b"), MetricStat: &c.second}}})
		if got := []string{*out.MetricDataResults[0].Label, *out.MetricDataResults[1].Label}; !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestUnitsAreNotMixed: a query without a unit gets the data of the first.
func TestUnitsAreNotMixed(t *testing.T) {
	l := newLab(t, gate{})
	for unit, v := range map[api.StandardUnit]float64{"Seconds": 60, "Milliseconds": 60000} {
		wiretest.Must[api.PutMetricDataOutput](l, "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr("App"), MetricData: []api.MetricDatum{
			{MetricName: aws.Ptr("m"), Value: &v, Unit: unit, Timestamp: aws.Ptr(start.Add(-time.Minute))}}})
	}
	out := wiretest.Must[api.GetMetricDataOutput](l, "GetMetricData", &api.GetMetricDataInput{StartTime: aws.Ptr(start.Add(-time.Hour)), EndTime: &start,
		MetricDataQueries: []api.MetricDataQuery{{Id: aws.Ptr("a"), MetricStat: &api.MetricStat{Stat: aws.Ptr("Sum"), Period: aws.Ptr[int32](60),
			Metric: &api.Metric{Namespace: aws.Ptr("App"), MetricName: aws.Ptr("m")}}}}})
	r := out.MetricDataResults[0]
	if !slices.Equal(r.Values, []float64{60000}) || len(r.Messages) != 1 || *r.Messages[0].Value != "Multiple units returned: '[Milliseconds, Seconds]'" {
		t.Errorf("%v %+v", r.Values, r.Messages)
	}
}

func TestListMetrics(t *testing.T) {
	l := newLab(t, gate{})
	for _, host := range []string{"x", "y"} {
		wiretest.Must[api.PutMetricDataOutput](l, "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr("App"), MetricData: []api.MetricDatum{
			{MetricName: aws.Ptr("m"), Value: aws.Ptr(1.0), Dimensions: []api.Dimension{{Name: aws.Ptr("Zone"), Value: aws.Ptr("a")}, {Name: aws.Ptr("Host"), Value: &host}}}}})
	}
	count := func(in *api.ListMetricsInput) int {
		return len(wiretest.Must[api.ListMetricsOutput](l, "ListMetrics", in).Metrics)
	}
	for want, in := range map[int]*api.ListMetricsInput{2: {Dimensions: []api.DimensionFilter{{Name: aws.Ptr("Zone")}}}, 1: {Dimensions: []api.DimensionFilter{{Name: aws.Ptr("Host"), Value: aws.Ptr("y")}}}, 0: {Namespace: aws.Ptr("Other")}} {
		if got := count(in); got != want {
			t.Errorf("%+v: %d, want %d", in, got, want)
		}
	}
	l.Clock.Advance(4 * time.Hour)
	if count(&api.ListMetricsInput{}) != 2 || count(&api.ListMetricsInput{RecentlyActive: "PT3H"}) != 0 {
		t.Error("recently active")
	}
	l.Clock.Advance(15 * 24 * time.Hour)
	if count(&api.ListMetricsInput{}) != 0 {
		t.Error("a metric without values is listed")
	}
}

func TestOldDataExpires(t *testing.T) {
	l := newLab(t, gate{})
	l.put("m", 1, 0)
	l.Clock.Advance(456 * 24 * time.Hour)
	l.put("fresh", 1, 0)
	wiretest.Age(t, l.Clock, l.svc.Aging(), 0)
	for name, n := range map[string]int{"metrics": storetest.Count(t, l.DB, metrics), "hours": storetest.Count(t, l.DB, hours)} {
		if n != 1 {
			t.Errorf("%d %s are left", n, name)
		}
	}
	out := wiretest.Must[api.GetMetricStatisticsOutput](l, "GetMetricStatistics", &api.GetMetricStatisticsInput{Namespace: aws.Ptr("App"), MetricName: aws.Ptr("m"),
		StartTime: aws.Ptr(start.Add(-time.Hour)), EndTime: aws.Ptr(start.Add(time.Hour)), Period: aws.Ptr[int32](3600), Statistics: []api.Statistic{"Sum"}})
	if len(out.Datapoints) != 0 {
		t.Errorf("%+v", out.Datapoints)
	}
}

func TestErrors(t *testing.T) {
	l := newLab(t, gate{})
	l.putAlarm("there")
	datum := func(d api.MetricDatum) *api.PutMetricDataInput {
		d.MetricName = aws.Ptr("m")
		return &api.PutMetricDataInput{Namespace: aws.Ptr("App"), MetricData: []api.MetricDatum{d}}
	}
	one, late := aws.Ptr(1.0), start.Add(3*time.Hour)
	ask := func(change func(*api.GetMetricStatisticsInput)) *api.GetMetricStatisticsInput {
		in := &api.GetMetricStatisticsInput{Namespace: aws.Ptr("App"), MetricName: aws.Ptr("m"), StartTime: &start, EndTime: &late, Period: aws.Ptr[int32](60), Statistics: []api.Statistic{"Sum"}}
		change(in)
		return in
	}
	data := func(q ...api.MetricDataQuery) *api.GetMetricDataInput {
		return &api.GetMetricDataInput{StartTime: &start, EndTime: &late, MetricDataQueries: q}
	}
	for _, c := range []struct {
		name, operation string
		in              any
		want            string
	}{
		{"two values", "PutMetricData", datum(api.MetricDatum{Value: one, Values: []float64{1}}),
			"InvalidParameterCombination: The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both."},
		{"no value", "PutMetricData", datum(api.MetricDatum{}), "MissingParameter: At least one of the parameters MetricData.member.1.Value, MetricData.member.1.Values or MetricData.member.1.StatisticValues must be specified."},
		{"counts", "PutMetricData", datum(api.MetricDatum{Values: []float64{1, 2}, Counts: []float64{1}}),
			"InvalidParameterValue: The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size."},
		{"no number", "PutMetricData", datum(api.MetricDatum{Value: aws.Ptr(math.NaN())}), "InvalidParameterValue: The value NaN for parameter MetricData.member.1.Value is invalid."},
		{"too late", "PutMetricData", datum(api.MetricDatum{Value: one, Timestamp: &late}), "InvalidParameterValue: The parameter MetricData.member.1.Timestamp must specify a time no more than two hours in the future."},
		{"resolution", "PutMetricData", datum(api.MetricDatum{Value: one, StorageResolution: aws.Ptr[int32](5)}),
			"InvalidParameterValue: The value 5 for parameter MetricData.member.1.StorageResolution is invalid. Valid values are 1 and 60."},
		{"namespace", "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr("AWS/EC2"), MetricData: datum(api.MetricDatum{Value: one}).MetricData}, "InvalidParameterValue: The value AWS/ for parameter Namespace is invalid."},
		{"colon", "PutMetricData", &api.PutMetricDataInput{Namespace: aws.Ptr(":x"), MetricData: datum(api.MetricDatum{Value: one}).MetricData},
			`ValidationError: 1 validation error detected: Value ':x' at 'namespace' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:].*`},
		{"order", "GetMetricStatistics", ask(func(in *api.GetMetricStatisticsInput) { in.EndTime = in.StartTime }), "InvalidParameterValue: The parameter StartTime must be less than the parameter EndTime."},
		{"no statistic", "GetMetricStatistics", ask(func(in *api.GetMetricStatisticsInput) { in.Statistics = nil }), "MissingParameter: Must specify either Statistics or ExtendedStatistics"},
		{"too many", "GetMetricStatistics", ask(func(in *api.GetMetricStatisticsInput) { in.Period = aws.Ptr[int32](1) }),
			"InvalidParameterCombination: You have requested up to 10800 datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by increasing Period, or decreasing the time range."},
		{"data order", "GetMetricData", &api.GetMetricDataInput{StartTime: &late, EndTime: &start, MetricDataQueries: []api.MetricDataQuery{{Id: aws.Ptr("a")}}}, "ValidationError: The parameter EndTime must be greater than StartTime."},
		{"id", "GetMetricData", data(api.MetricDataQuery{Id: aws.Ptr("A"), Expression: aws.Ptr("1")}),
			"ValidationError: The value A for parameter MetricDataQueries.member.1.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."},
		{"unknown function", "GetMetricData", data(api.MetricDataQuery{Id: aws.Ptr("a"), Expression: aws.Ptr("SEARCH('x', 'Sum', 60)")}), "ValidationError: Error in expression 'a': the function SEARCH is not supported"},
		{"itself", "GetMetricData", data(api.MetricDataQuery{Id: aws.Ptr("a"), Expression: aws.Ptr("a + 1")}), "ValidationError: Error in expression 'a': it refers to itself"},
		{"alarm period", "PutMetricAlarm", newAlarm("x", func(in *api.PutMetricAlarmInput) { in.Period = aws.Ptr[int32](45) }), "ValidationError: Period must be 10, 20, 30 or a multiple of 60"},
		{"alarm span", "PutMetricAlarm", newAlarm("x", func(in *api.PutMetricAlarmInput) { in.EvaluationPeriods = aws.Ptr[int32](1441) }),
			"ValidationError: Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)."},
		{"M of N", "PutMetricAlarm", newAlarm("x", func(in *api.PutMetricAlarmInput) { in.DatapointsToAlarm = aws.Ptr[int32](2) }), "ValidationError: DatapointsToAlarm must be less than or equal to EvaluationPeriods"},
		{"missing data", "PutMetricAlarm", newAlarm("x", func(in *api.PutMetricAlarmInput) { in.TreatMissingData = aws.Ptr("maybe") }),
			"ValidationError: Option maybe is not supported. Supported options for parameter TreatMissingData are breaching, notBreaching, ignore and missing."},
		{"extended statistic", "PutMetricAlarm", newAlarm("x", func(in *api.PutMetricAlarmInput) { in.Statistic, in.ExtendedStatistic = "", aws.Ptr("x90") }), "InvalidParameterValue: The value x90 for parameter ExtendedStatistic is not supported."},
		{"action", "PutMetricAlarm", newAlarm("x", func(in *api.PutMetricAlarmInput) { in.AlarmActions = []string{"nonsense"} }), "ValidationError: Invalid arn syntax: nonsense"},
		{"other action", "PutMetricAlarm", newAlarm("x", func(in *api.PutMetricAlarmInput) { in.OKActions = []string{"arn:aws:lambda:us-east-1:1:function:f"} }),
			"NotImplemented: hardstand does not implement the alarm action arn:aws:lambda:us-east-1:1:function:f of CloudWatch."},
		{"no alarm", "SetAlarmState", &api.SetAlarmStateInput{AlarmName: aws.Ptr("none"), StateValue: "OK", StateReason: aws.Ptr("")}, `ResourceNotFound: Unknown alarm named "none"`},
		{"reason data", "SetAlarmState", &api.SetAlarmStateInput{AlarmName: aws.Ptr("there"), StateValue: "OK", StateReason: aws.Ptr(""), StateReasonData: aws.Ptr("{")}, "InvalidFormat: StateReasonData should be valid JSON"},
		{"state", "SetAlarmState", &api.SetAlarmStateInput{AlarmName: aws.Ptr("there"), StateValue: "GOOD", StateReason: aws.Ptr("")},
			"ValidationError: 1 validation error detected: Value 'GOOD' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [OK, ALARM, INSUFFICIENT_DATA]"},
		{"token", "DescribeAlarms", &api.DescribeAlarmsInput{NextToken: aws.Ptr("x")}, "InvalidNextToken: Invalid next token"},
		{"rule", "PutCompositeAlarm", &api.PutCompositeAlarmInput{AlarmName: aws.Ptr("c"), AlarmRule: aws.Ptr("ALARM(")}, "ValidationError: AlarmRule must not contain syntax errors: unexpected ''"},
		{"rule of nothing", "PutCompositeAlarm", &api.PutCompositeAlarmInput{AlarmName: aws.Ptr("c"), AlarmRule: aws.Ptr("ALARM(none)")},
			"ValidationError: Could not save the composite alarm as alarms [none] in the alarm rule do not exist"},
		{"scaling by a composite alarm", "PutCompositeAlarm", &api.PutCompositeAlarmInput{AlarmName: aws.Ptr("c"), AlarmRule: aws.Ptr("TRUE"), OKActions: []string{"arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x:autoScalingGroupName/g:policyName/p"}},
			"ValidationError: Invalid use of Auto Scaling action: a composite alarm cannot have arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x:autoScalingGroupName/g:policyName/p"},
		{"dashboard", "GetDashboard", &api.GetDashboardInput{DashboardName: aws.Ptr("none")}, "ResourceNotFound: Dashboard none does not exist"},
		{"dashboard body", "PutDashboard", &api.PutDashboardInput{DashboardName: aws.Ptr("d"), DashboardBody: aws.Ptr("{}")},
			`InvalidParameterInput: The dashboard body is invalid, there are 1 validation errors: [{"dataPath":"/","message":"Should have required property 'widgets'"}]`},
		{"tags", "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: aws.Ptr("arn:aws:cloudwatch:us-east-1:123456789012:alarm:none")},
			"ResourceNotFoundException: Unknown resource arn:aws:cloudwatch:us-east-1:123456789012:alarm:none"},
		{"stream", "PutMetricStream", nil, "NotImplemented: hardstand does not implement monitoring:PutMetricStream."},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.Server.Invoke(l.Ctx, "monitoring", c.operation, c.in)
			if e := awserr.As(err); e == nil || e.Error() != c.want {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

func TestAccess(t *testing.T) {
	const arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"
	a, d := aws.Ptr("a"), "arn:aws:cloudwatch::123456789012:dashboard/a"
	table := []struct {
		operation, resource string
		in                  any
	}{
		{"PutMetricData", "*", &api.PutMetricDataInput{Namespace: a}},
		{"GetMetricStatistics", "*", &api.GetMetricStatisticsInput{Namespace: a, MetricName: a, StartTime: &start, EndTime: &start, Period: aws.Ptr[int32](60)}},
		{"GetMetricData", "*", &api.GetMetricDataInput{StartTime: &start, EndTime: &start, MetricDataQueries: []api.MetricDataQuery{}}},
		{"ListMetrics", "*", &api.ListMetricsInput{}},
		{"PutMetricAlarm", arn + "a", newAlarm("a")},
		{"PutCompositeAlarm", arn + "a", &api.PutCompositeAlarmInput{AlarmName: a, AlarmRule: aws.Ptr("TRUE")}},
		{"DescribeAlarms", arn + "*", &api.DescribeAlarmsInput{}},
		{"DescribeAlarmsForMetric", "*", &api.DescribeAlarmsForMetricInput{Namespace: a, MetricName: a}},
		{"DescribeAlarmHistory", arn + "a", &api.DescribeAlarmHistoryInput{AlarmName: a}},
		{"SetAlarmState", arn + "a", &api.SetAlarmStateInput{AlarmName: a, StateValue: "OK", StateReason: a}},
		{"EnableAlarmActions", arn + "a", &api.EnableAlarmActionsInput{AlarmNames: []string{"a"}}},
		{"DisableAlarmActions", arn + "a", &api.DisableAlarmActionsInput{AlarmNames: []string{"a"}}},
		{"DeleteAlarms", arn + "a", &api.DeleteAlarmsInput{AlarmNames: []string{"a"}}},
		{"TagResource", arn + "a", &api.TagResourceInput{ResourceARN: aws.Ptr(arn + "a"), Tags: []api.Tag{}}},
		{"UntagResource", arn + "a", &api.UntagResourceInput{ResourceARN: aws.Ptr(arn + "a"), TagKeys: []string{}}},
		{"ListTagsForResource", arn + "a", &api.ListTagsForResourceInput{ResourceARN: aws.Ptr(arn + "a")}},
		{"PutDashboard", d, &api.PutDashboardInput{DashboardName: a, DashboardBody: a}},
		{"GetDashboard", d, &api.GetDashboardInput{DashboardName: a}},
		{"ListDashboards", "*", &api.ListDashboardsInput{}},
		{"DeleteDashboards", d, &api.DeleteDashboardsInput{DashboardNames: []string{"a"}}},
		{"DescribeAnomalyDetectors", "*", &api.DescribeAnomalyDetectorsInput{}},
	}
	for _, c := range table {
		t.Run(c.operation, func(t *testing.T) {
			l := newLab(t, gate{Only: []string{}})
			want := "User: arn:aws:iam::123456789012:user/u is not authorized to perform: cloudwatch:" + c.operation
			if c.resource != "*" {
				want += " on resource: " + c.resource
			}
			want += " because no identity-based policy allows the cloudwatch:" + c.operation + " action"
			_, err := l.Server.Invoke(l.Ctx, "monitoring", c.operation, c.in)
			if e := awserr.As(err); e == nil || e.Code != "AccessDenied" || e.Message != want {
				t.Errorf("%v, want %s", err, want)
			}
			l = newLab(t, gate{Only: []string{"cloudwatch:" + c.operation + " " + c.resource}})
			if _, err := l.Server.Invoke(l.Ctx, "monitoring", c.operation, c.in); awserr.Is(err, "AccessDenied") {
				t.Error(err)
			}
		})
	}
	l := newLab(t, gate{})
	if got := len(l.svc.Wire().Operations); got != len(table) {
		t.Errorf("%d operations, the table has %d", got, len(table))
	}
}

func TestDescribeAlarms(t *testing.T) {
	l := newLab(t, gate{})
	for _, name := range []string{"a1", "a2", "b1"} {
		l.putAlarm(name, func(in *api.PutMetricAlarmInput) { in.AlarmActions = []string{topic} })
	}
	wiretest.Must[api.SetAlarmStateOutput](l, "SetAlarmState", &api.SetAlarmStateInput{AlarmName: aws.Ptr("a2"), StateValue: "OK", StateReason: aws.Ptr("x")})
	for _, c := range []struct {
		name, want string
		in         api.DescribeAlarmsInput
	}{
		{"all", "a1 a2 b1", api.DescribeAlarmsInput{}}, {"prefix", "a1 a2", api.DescribeAlarmsInput{AlarmNamePrefix: aws.Ptr("a")}},
		{"names", "b1", api.DescribeAlarmsInput{AlarmNames: []string{"b1", "none"}}}, {"state", "a2", api.DescribeAlarmsInput{StateValue: "OK"}},
		{"action", "a1 a2 b1", api.DescribeAlarmsInput{ActionPrefix: aws.Ptr("arn:aws:sns")}}, {"other action", "", api.DescribeAlarmsInput{ActionPrefix: aws.Ptr("arn:aws:x")}},
		{"composite", "", api.DescribeAlarmsInput{AlarmTypes: []api.AlarmType{"CompositeAlarm"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			c.in.MaxRecords = aws.Ptr[int32](1)
			for {
				out := wiretest.Must[api.DescribeAlarmsOutput](l, "DescribeAlarms", &c.in)
				for _, a := range out.MetricAlarms {
					got = append(got, *a.AlarmName)
				}
				if c.in.NextToken = out.NextToken; c.in.NextToken == nil {
					break
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
	if n := len(wiretest.Must[api.DescribeAlarmsForMetricOutput](l, "DescribeAlarmsForMetric", &api.DescribeAlarmsForMetricInput{Namespace: aws.Ptr("App"), MetricName: aws.Ptr("m")}).MetricAlarms); n != 3 {
		t.Errorf("%d alarms on the metric", n)
	}
}

func TestResources(t *testing.T) {
	l := newLab(t, gate{})
	l.putAlarm("child")
	types := l.svc.Resources()
	alarm := map[string]any{"AlarmName": "made", "Namespace": "App", "MetricName": "m", "Statistic": "Sum", "Period": "60", "EvaluationPeriods": "2", "Threshold": "1.5",
		"ComparisonOperator": "GreaterThanThreshold", "AlarmActions": []any{topic}, "Dimensions": []any{map[string]any{"Name": "a", "Value": "b"}}}
	changed := map[string]any{"AlarmName": "made", "Namespace": "App", "MetricName": "m", "Statistic": "Sum", "Period": "60", "EvaluationPeriods": "1", "Threshold": "2",
		"ComparisonOperator": "LessThanThreshold", "Tags": []any{map[string]any{"Key": "k", "Value": "v"}}}
	for _, c := range []struct {
		kind                string
		properties, changed map[string]any
	}{
		{"AWS::CloudWatch::Alarm", alarm, changed},
		{"AWS::CloudWatch::CompositeAlarm", map[string]any{"AlarmRule": "ALARM(child)"}, map[string]any{"AlarmRule": "OK(child)", "AlarmDescription": "d"}},
		{"AWS::CloudWatch::Dashboard", map[string]any{"DashboardBody": `{"widgets": []}`}, map[string]any{"DashboardBody": `{"widgets": [], "start": "-PT6H"}`}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			stacktest.Conform(t, stacktest.Case{Resource: types[c.kind], Type: c.kind, Context: l.Ctx, Properties: c.properties, Changed: c.changed})
		})
	}
}

// The services that publish metrics of their own may, and others may not.
func TestServicesThatPublish(t *testing.T) {
	for service, want := range map[string]bool{"logs": true, "ec2": true, "autoscaling": true, "elasticloadbalancing": true, "sns": false} {
		service += ".amazonaws.com"
		ctx := aws.WithCall(t.Context(), aws.AsService(service, "", "123456789012", "us-east-1"))
		checks, err := putting(ctx, &api.PutMetricDataInput{Namespace: aws.Ptr("AWS/X")})
		if err != nil || len(checks) != 1 || strings.Contains(checks[0].ResourcePolicy, `"`+service+`"`) != want {
			t.Errorf("%s: %+v %v", service, checks, err)
		}
	}
}
