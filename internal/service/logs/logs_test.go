package logs_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/logs"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestErrors(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	name, other := aws.Ptr("g"), aws.Ptr("none")
	transformation := func(value string) []api.MetricTransformation {
		return []api.MetricTransformation{{MetricName: aws.Ptr("m"), MetricNamespace: aws.Ptr("n"), MetricValue: &value}}
	}
	for _, c := range []struct {
		name, operation string
		in              any
		want            string
	}{
		{"group exists", "CreateLogGroup", &api.CreateLogGroupInput{LogGroupName: name}, "ResourceAlreadyExistsException: The specified log group already exists"},
		{"stream exists", "CreateLogStream", &api.CreateLogStreamInput{LogGroupName: name, LogStreamName: aws.Ptr("s")}, "ResourceAlreadyExistsException: The specified log stream already exists"},
		{"stream of no group", "CreateLogStream", &api.CreateLogStreamInput{LogGroupName: other, LogStreamName: aws.Ptr("s")}, "ResourceNotFoundException: The specified log group does not exist."},
		{"group name", "CreateLogGroup", &api.CreateLogGroupInput{LogGroupName: aws.Ptr("a b")},
			`InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`},
		{"long name", "CreateLogGroup", &api.CreateLogGroupInput{LogGroupName: aws.Ptr(strings.Repeat("a", 513))},
			"InvalidParameterException: Invalid LogGroup or LogStream, both must have length less than or equal to 512."},
		{"name and identifier", "DescribeLogStreams", &api.DescribeLogStreamsInput{LogGroupName: name, LogGroupIdentifier: name},
			"ValidationException: LogGroup name and LogGroup ARN are mutually exclusive parameters."},
		{"key", "CreateLogGroup", &api.CreateLogGroupInput{LogGroupName: aws.Ptr("k"), KmsKeyId: aws.Ptr("x")}, "NotImplemented: hardstand does not implement kmsKeyId of CloudWatch Logs."},
		{"delete nothing", "DeleteLogGroup", &api.DeleteLogGroupInput{LogGroupName: other}, "ResourceNotFoundException: The specified log group does not exist."},
		{"delete no stream", "DeleteLogStream", &api.DeleteLogStreamInput{LogGroupName: name, LogStreamName: other}, "ResourceNotFoundException: The specified log stream does not exist."},
		{"retention", "PutRetentionPolicy", &api.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Ptr[int32](2)},
			"InvalidParameterException: 1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]"},
		{"prefix and pattern", "DescribeLogGroups", &api.DescribeLogGroupsInput{LogGroupNamePrefix: name, LogGroupNamePattern: name},
			"InvalidParameterException: LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."},
		{"token", "DescribeLogGroups", &api.DescribeLogGroupsInput{NextToken: aws.Ptr("x")}, "InvalidParameterException: The specified nextToken is invalid."},
		{"order with prefix", "DescribeLogStreams", &api.DescribeLogStreamsInput{LogGroupName: name, LogStreamNamePrefix: aws.Ptr("s"), OrderBy: api.OrderByLastEventTime},
			"InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix."},
		{"no group at all", "DescribeLogStreams", &api.DescribeLogStreamsInput{}, "InvalidParameterException: Either logGroupName or logGroupIdentifier must be specified."},
		{"events of no stream", "GetLogEvents", &api.GetLogEventsInput{LogGroupName: name, LogStreamName: other}, "ResourceNotFoundException: The specified log stream does not exist."},
		{"events by a bad token", "GetLogEvents", &api.GetLogEventsInput{LogGroupName: name, LogStreamName: aws.Ptr("s"), NextToken: aws.Ptr("f/1/s")}, "InvalidParameterException: The specified nextToken is invalid."},
		{"pattern", "FilterLogEvents", &api.FilterLogEventsInput{LogGroupName: name, FilterPattern: aws.Ptr("a-b")}, "InvalidParameterException: Invalid character(s) in term 'a-b'"},
		{"streams by name and prefix", "FilterLogEvents", &api.FilterLogEventsInput{LogGroupName: name, LogStreamNames: []string{"s"}, LogStreamNamePrefix: aws.Ptr("s")},
			"InvalidParameterException: logStreamNames and logStreamNamePrefix are mutually exclusive parameters."},
		{"no filter", "DeleteMetricFilter", &api.DeleteMetricFilterInput{LogGroupName: name, FilterName: other}, "ResourceNotFoundException: The specified metric filter does not exist."},
		{"metric value", "PutMetricFilter", &api.PutMetricFilterInput{LogGroupName: name, FilterName: other, FilterPattern: aws.Ptr(""), MetricTransformations: transformation("x")},
			"InvalidParameterException: Invalid metric transformation: metricValue must be a number or a field of the filter pattern, not 'x'"},
		{"no policy", "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{PolicyName: other}, "ResourceNotFoundException: Policy with name [none] does not exist."},
		{"policy document", "PutResourcePolicy", &api.PutResourcePolicyInput{PolicyName: other, PolicyDocument: aws.Ptr("{}")}, "InvalidParameterException: Policy document is not valid"},
		{"tags of nothing", "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: aws.Ptr("arn:aws:logs:us-east-1:123456789012:log-group:none")}, "ResourceNotFoundException: The specified resource does not exist."},
		{"tags of AWS", "TagLogGroup", &api.TagLogGroupInput{LogGroupName: name, Tags: map[string]string{"aws:x": "y"}}, "InvalidParameterException: aws: prefixed tag key names are not allowed for external use."},
		{"query", "StartQuery", nil, "NotImplemented: hardstand does not implement logs:StartQuery."},
		{"subscription", "PutSubscriptionFilter", nil, "NotImplemented: hardstand does not implement logs:PutSubscriptionFilter."},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.Server.Invoke(l.Ctx, "logs", c.operation, c.in)
			if e := awserr.As(err); e == nil || e.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestDescribeLogStreamsOrders(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("a", "b", "c")
	l.putEvents("b", -time.Hour, "x")
	l.putEvents("a", 0, "x")
	for _, c := range []struct {
		name string
		in   api.DescribeLogStreamsInput
		want string
	}{
		{"name", api.DescribeLogStreamsInput{}, "abc"},
		{"name, descending", api.DescribeLogStreamsInput{Descending: aws.Ptr(true)}, "cba"},
		{"time", api.DescribeLogStreamsInput{OrderBy: api.OrderByLastEventTime}, "cba"},
		{"time, descending", api.DescribeLogStreamsInput{OrderBy: api.OrderByLastEventTime, Descending: aws.Ptr(true)}, "abc"},
		{"prefix", api.DescribeLogStreamsInput{LogStreamNamePrefix: aws.Ptr("b")}, "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			c.in.LogGroupIdentifier, c.in.Limit = aws.Ptr("arn:aws:logs:us-east-1:123456789012:log-group:g"), aws.Ptr[int32](2)
			for {
				out := wiretest.Must[api.DescribeLogStreamsOutput](l, "DescribeLogStreams", &c.in)
				for _, s := range out.LogStreams {
					got += *s.LogStreamName
				}
				if c.in.NextToken = out.NextToken; c.in.NextToken == nil {
					break
				}
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// What metric filters find reaches CloudWatch: values of fields, counts, dimensions
// and defaults.
func TestMetricFilters(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	put := func(name, pattern string, tr api.MetricTransformation) {
		tr.MetricName, tr.MetricNamespace = &name, aws.Ptr("App")
		wiretest.Must[api.PutMetricFilterOutput](l, "PutMetricFilter", &api.PutMetricFilterInput{LogGroupName: aws.Ptr("g"), FilterName: &name, FilterPattern: &pattern,
			MetricTransformations: []api.MetricTransformation{tr}})
	}
	put("errors", "ERROR", api.MetricTransformation{MetricValue: aws.Ptr("1"), DefaultValue: aws.Ptr(0.0)})
	put("latency", "{ $.ms = * }", api.MetricTransformation{MetricValue: aws.Ptr("$.ms"), Dimensions: map[string]string{"Path": "$.path"}, Unit: api.StandardUnitMilliseconds})
	l.run()
	l.putEvents("s", 0, "ERROR a", "ERROR b", "fine", `{"ms": 12.5, "path": "/"}`, `{"ms": 7}`)
	<-l.came
	got := []string{}
	for _, d := range l.put[0].MetricData {
		text := *d.MetricName
		for i, v := range d.Values {
			text += " " + strings.TrimRight(strings.TrimRight(slog.Float64Value(v).String(), "0"), ".") + "x" + slog.Float64Value(d.Counts[i]).String()
		}
		for _, dim := range d.Dimensions {
			text += " " + *dim.Name + "=" + *dim.Value
		}
		got = append(got, text+" "+string(d.Unit))
	}
	if want := []string{"errors 1x2 ", "latency 12.5x1 Path=/ Milliseconds"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	l.Clock.Advance(time.Minute)
	l.putEvents("s", 0, "fine")
	<-l.came
	if d := l.put[1].MetricData; len(d) != 1 || d[0].Values[0] != 0 {
		t.Errorf("default: %+v", d)
	}
	if g := wiretest.Must[api.DescribeLogGroupsOutput](l, "DescribeLogGroups", &api.DescribeLogGroupsInput{}).LogGroups[0]; *g.MetricFilterCount != 2 {
		t.Errorf("%d filters", *g.MetricFilterCount)
	}
}

// A value that was queued before a crash is put by the next server.
func TestMetricsSurviveARestart(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	wiretest.Must[api.PutMetricFilterOutput](l, "PutMetricFilter", &api.PutMetricFilterInput{LogGroupName: aws.Ptr("g"), FilterName: aws.Ptr("f"), FilterPattern: aws.Ptr(""),
		MetricTransformations: []api.MetricTransformation{{MetricName: aws.Ptr("m"), MetricNamespace: aws.Ptr("n"), MetricValue: aws.Ptr("1")}}})
	l.putEvents("s", 0, "x")
	l.svc = logs.New(logs.Config{DB: l.DB, Clock: l.Clock, Log: slog.New(slog.DiscardHandler), Invoker: l.Server})
	l.run()
	<-l.came
	if got := l.filter(func(*api.FilterLogEventsInput) {}); !slices.Equal(got, []string{"x"}) {
		t.Errorf("%v", got)
	}
}

// Events that were acknowledged are there when the database is opened again.
func TestEventsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	open := func() *lab {
		l := newLab(t, gate{})
		db, err := store.Open(t.Context(), store.Config{Dir: dir, Clock: l.Clock})
		if err != nil {
			t.Fatal(err)
		}
		l.DB = db
		l.Lab = wiretest.On(t, l.Lab, gate{})
		l.svc = logs.New(logs.Config{DB: db, Clock: l.Clock, Log: slog.New(slog.DiscardHandler), Invoker: l.Server})
		l.Register(l.svc.Wire())
		return l
	}
	l := open()
	l.setUp("s")
	l.putEvents("s", 0, "one", "two")
	if err := l.DB.Close(); err != nil {
		t.Fatal(err)
	}
	l = open()
	defer l.DB.Close()
	if got := l.filter(func(*api.FilterLogEventsInput) {}); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%v", got)
	}
}

func TestAccess(t *testing.T) {
	const arn = "arn:aws:logs:us-east-1:123456789012:log-group:g"
	name, s := aws.Ptr("g"), aws.Ptr("s")
	for _, c := range []struct {
		operation, resource string
		in                  any
	}{
		{"CreateLogGroup", arn + ":log-stream:", &api.CreateLogGroupInput{LogGroupName: name}},
		{"DeleteLogGroup", arn + ":log-stream:", &api.DeleteLogGroupInput{LogGroupName: name}},
		{"DescribeLogGroups", "arn:aws:logs:us-east-1:123456789012:log-group::log-stream:", &api.DescribeLogGroupsInput{}},
		{"ListLogGroups", "arn:aws:logs:us-east-1:123456789012:log-group::log-stream:", &api.ListLogGroupsInput{}},
		{"PutRetentionPolicy", arn + ":log-stream:", &api.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Ptr[int32](1)}},
		{"DeleteRetentionPolicy", arn + ":log-stream:", &api.DeleteRetentionPolicyInput{LogGroupName: name}},
		{"TagResource", arn, &api.TagResourceInput{ResourceArn: aws.Ptr(arn), Tags: map[string]string{"a": "b"}}},
		{"UntagResource", arn, &api.UntagResourceInput{ResourceArn: aws.Ptr(arn), TagKeys: []string{"a"}}},
		{"ListTagsForResource", arn, &api.ListTagsForResourceInput{ResourceArn: aws.Ptr(arn)}},
		{"TagLogGroup", arn + ":log-stream:", &api.TagLogGroupInput{LogGroupName: name, Tags: map[string]string{"a": "b"}}},
		{"UntagLogGroup", arn + ":log-stream:", &api.UntagLogGroupInput{LogGroupName: name, Tags: []string{"a"}}},
		{"ListTagsLogGroup", arn + ":log-stream:", &api.ListTagsLogGroupInput{LogGroupName: name}},
		{"PutMetricFilter", arn + ":log-stream:", &api.PutMetricFilterInput{LogGroupName: name, FilterName: s, FilterPattern: s,
			MetricTransformations: []api.MetricTransformation{{MetricName: s, MetricNamespace: s, MetricValue: aws.Ptr("1")}}}},
		{"DeleteMetricFilter", arn + ":log-stream:", &api.DeleteMetricFilterInput{LogGroupName: name, FilterName: s}},
		{"DescribeMetricFilters", arn + ":log-stream:", &api.DescribeMetricFiltersInput{LogGroupName: name}},
		{"TestMetricFilter", "*", &api.TestMetricFilterInput{FilterPattern: s, LogEventMessages: []string{"x"}}},
		{"PutResourcePolicy", "*", &api.PutResourcePolicyInput{}},
		{"DeleteResourcePolicy", "*", &api.DeleteResourcePolicyInput{}},
		{"DescribeResourcePolicies", "*", &api.DescribeResourcePoliciesInput{}},
		{"DescribeAccountPolicies", "*", &api.DescribeAccountPoliciesInput{PolicyType: api.PolicyTypeDataProtectionPolicy}},
		{"DescribeIndexPolicies", arn + ":log-stream:", &api.DescribeIndexPoliciesInput{LogGroupIdentifiers: []string{"g"}}},
		{"DescribeDestinations", "*", &api.DescribeDestinationsInput{}},
		{"DescribeExportTasks", "*", &api.DescribeExportTasksInput{}},
		{"DescribeQueries", "*", &api.DescribeQueriesInput{}},
		{"DescribeSubscriptionFilters", arn + ":log-stream:", &api.DescribeSubscriptionFiltersInput{LogGroupName: name}},
		{"CreateLogStream", arn + ":log-stream:s", &api.CreateLogStreamInput{LogGroupName: name, LogStreamName: s}},
		{"DeleteLogStream", arn + ":log-stream:s", &api.DeleteLogStreamInput{LogGroupName: name, LogStreamName: s}},
		{"DescribeLogStreams", arn + ":log-stream:", &api.DescribeLogStreamsInput{LogGroupName: name}},
		{"PutLogEvents", arn + ":log-stream:s", &api.PutLogEventsInput{LogGroupName: name, LogStreamName: s, LogEvents: []api.InputLogEvent{{Timestamp: aws.Ptr(start.UnixMilli()), Message: s}}}},
		{"GetLogEvents", arn + ":log-stream:s", &api.GetLogEventsInput{LogGroupName: name, LogStreamName: s}},
		{"FilterLogEvents", arn + ":log-stream:", &api.FilterLogEventsInput{LogGroupName: name}},
	} {
		t.Run(c.operation, func(t *testing.T) {
			l := newLab(t, gate{Only: []string{}})
			want := "User: arn:aws:iam::123456789012:user/u is not authorized to perform: logs:" + c.operation
			if c.resource != "*" {
				want += " on resource: " + c.resource
			}
			want += " because no identity-based policy allows the logs:" + c.operation + " action"
			_, err := l.Server.Invoke(l.Ctx, "logs", c.operation, c.in)
			if e := awserr.As(err); e == nil || e.Code != "AccessDeniedException" || e.Message != want {
				t.Errorf("%v, want %s", err, want)
			}
			l = newLab(t, gate{Only: []string{"logs:" + c.operation + " " + c.resource}})
			if _, err := l.Server.Invoke(l.Ctx, "logs", c.operation, c.in); awserr.Is(err, "AccessDeniedException") {
				t.Error(err)
			}
		})
	}
	l := newLab(t, gate{})
	if got, want := len(l.svc.Wire().Operations), 31; got != want {
		t.Errorf("%d operations, the table above has %d", got, want)
	}
}

func TestTagsAndPolicies(t *testing.T) {
	l := newLab(t, gate{})
	const arn = "arn:aws:logs:us-east-1:123456789012:log-group:g"
	wiretest.Must[api.CreateLogGroupOutput](l, "CreateLogGroup", &api.CreateLogGroupInput{LogGroupName: aws.Ptr("g"), Tags: map[string]string{"a": "1"}})
	wiretest.Must[api.TagResourceOutput](l, "TagResource", &api.TagResourceInput{ResourceArn: aws.Ptr(arn), Tags: map[string]string{"b": "2"}})
	wiretest.Must[api.UntagLogGroupOutput](l, "UntagLogGroup", &api.UntagLogGroupInput{LogGroupName: aws.Ptr("g"), Tags: []string{"a"}})
	if tags := wiretest.Must[api.ListTagsLogGroupOutput](l, "ListTagsLogGroup", &api.ListTagsLogGroupInput{LogGroupName: aws.Ptr("g")}).Tags; len(tags) != 1 || tags["b"] != "2" {
		t.Errorf("%v", tags)
	}
	doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"es.amazonaws.com"},"Action":"logs:PutLogEvents","Resource":"*"}]}`
	wiretest.Must[api.PutResourcePolicyOutput](l, "PutResourcePolicy", &api.PutResourcePolicyInput{PolicyName: aws.Ptr("p"), PolicyDocument: &doc})
	out := wiretest.Must[api.DescribeResourcePoliciesOutput](l, "DescribeResourcePolicies", &api.DescribeResourcePoliciesInput{})
	if len(out.ResourcePolicies) != 1 || *out.ResourcePolicies[0].PolicyDocument != doc {
		t.Errorf("%+v", out)
	}
}

func TestResources(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	types := l.svc.Resources()
	transformation := map[string]any{"MetricName": "m", "MetricNamespace": "n", "MetricValue": "1", "DefaultValue": "0"}
	doc := map[string]any{"Statement": []any{map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": "es.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"}}}
	for _, c := range []struct {
		kind                string
		properties, changed map[string]any
	}{
		{"AWS::Logs::LogGroup", map[string]any{"LogGroupName": "made", "RetentionInDays": "7", "Tags": []any{map[string]any{"Key": "a", "Value": "b"}}},
			map[string]any{"LogGroupName": "made", "Tags": []any{map[string]any{"Key": "c", "Value": "d"}}}},
		{"AWS::Logs::LogStream", map[string]any{"LogGroupName": "g", "LogStreamName": "made"}, nil},
		{"AWS::Logs::MetricFilter", map[string]any{"LogGroupName": "g", "FilterPattern": "ERROR", "MetricTransformations": []any{transformation}},
			map[string]any{"LogGroupName": "g", "FilterPattern": "WARN", "MetricTransformations": []any{transformation}}},
		{"AWS::Logs::ResourcePolicy", map[string]any{"PolicyName": "made", "PolicyDocument": doc}, nil},
	} {
		t.Run(c.kind, func(t *testing.T) {
			stacktest.Conform(t, stacktest.Case{Resource: types[c.kind], Type: c.kind, Context: l.Ctx, Properties: c.properties, Changed: c.changed})
		})
	}
}
