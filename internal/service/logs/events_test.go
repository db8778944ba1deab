package logs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func messages(events []api.OutputLogEvent) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, *e.Message)
	}
	return out
}

func numbered(prefix string, from, to int) []string {
	out := []string{}
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s%d", prefix, i))
	}
	return out
}

// A client that loops forward until its token stays the same reads everything, and
// goes on with what comes later; backward likewise.
func TestGetLogEventsLoops(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	var want []string
	for i := range 40 {
		batch := numbered(fmt.Sprintf("b%d-", i), 0, 5)
		l.putEvents("s", time.Duration(i-200)*time.Minute, batch...)
		want = append(want, batch...)
	}
	read := func(in *api.GetLogEventsInput, backward bool) (all []string) {
		in.LogGroupName, in.LogStreamName, in.Limit = aws.Ptr("g"), aws.Ptr("s"), aws.Ptr[int32](7)
		for {
			out := wiretest.Must[api.GetLogEventsOutput](l, "GetLogEvents", in)
			next := out.NextForwardToken
			if backward {
				next = out.NextBackwardToken
				all = append(messages(out.Events), all...)
			} else {
				all = append(all, messages(out.Events)...)
			}
			if in.NextToken != nil && *next == *in.NextToken {
				return all
			}
			in.NextToken = next
		}
	}
	forward := &api.GetLogEventsInput{StartFromHead: aws.Ptr(true)}
	if got := read(forward, false); !slices.Equal(got, want) {
		t.Errorf("forward: %d events, want %d: %v", len(got), len(want), got)
	}
	if got := read(&api.GetLogEventsInput{}, true); !slices.Equal(got, want) {
		t.Errorf("backward: %d events, want %d: %v", len(got), len(want), got)
	}
	l.putEvents("s", 0, "late")
	if got := read(forward, false); !slices.Equal(got, []string{"late"}) {
		t.Errorf("after the end: %v", got)
	}
}

func TestEventsAreOrderedByTime(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("a", "b")
	big := strings.Repeat("x", 20<<10)
	l.putEvents("a", -10*time.Hour, "1")
	l.putEvents("a", -8*time.Hour, "3"+big)
	l.putEvents("b", -9*time.Hour, "2", "2b")
	l.putEvents("a", -11*time.Hour, "0"+big)
	l.putEvents("b", -8*time.Hour+time.Millisecond, "4")
	first := func(list []string) (out string) {
		for _, m := range list {
			out += m[:1]
		}
		return out
	}
	if got := first(l.filter(func(*api.FilterLogEventsInput) {})); got != "012234" {
		t.Errorf("group: %s", got)
	}
	if got := first(l.filter(func(in *api.FilterLogEventsInput) { in.Limit = aws.Ptr[int32](1) })); got != "012234" {
		t.Errorf("pages of one: %s", got)
	}
	if got := first(l.filter(func(in *api.FilterLogEventsInput) { in.LogStreamNames = []string{"a"} })); got != "013" {
		t.Errorf("stream: %s", got)
	}
	if got := first(l.filter(func(in *api.FilterLogEventsInput) { in.LogStreamNamePrefix = aws.Ptr("b") })); got != "224" {
		t.Errorf("prefix: %s", got)
	}
	from, to := start.Add(-9*time.Hour).UnixMilli(), start.Add(-8*time.Hour).UnixMilli()
	if got := first(l.filter(func(in *api.FilterLogEventsInput) { in.StartTime, in.EndTime = &from, &to })); got != "223" {
		t.Errorf("window: %s", got)
	}
	out := wiretest.Must[api.GetLogEventsOutput](l, "GetLogEvents", &api.GetLogEventsInput{LogGroupName: aws.Ptr("g"), LogStreamName: aws.Ptr("a"), StartTime: &from, EndTime: &to})
	if len(out.Events) != 0 {
		t.Errorf("the end of GetLogEvents is exclusive: %v", messages(out.Events))
	}
	if got := l.filter(func(in *api.FilterLogEventsInput) { in.FilterPattern = aws.Ptr("?2b ?4") }); !slices.Equal(got, []string{"2b", "4"}) {
		t.Errorf("pattern: %v", got)
	}
}

func TestPutLogEventsRejects(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	wiretest.Must[api.PutRetentionPolicyOutput](l, "PutRetentionPolicy", &api.PutRetentionPolicyInput{LogGroupName: aws.Ptr("g"), RetentionInDays: aws.Ptr[int32](3)})
	if info := l.putEvents("s", -15*24*time.Hour, "old").RejectedLogEventsInfo; info == nil || *info.TooOldLogEventEndIndex != 1 {
		t.Errorf("old: %+v", info)
	}
	if info := l.putEvents("s", -4*24*time.Hour, "expired").RejectedLogEventsInfo; info == nil || *info.ExpiredLogEventEndIndex != 1 {
		t.Errorf("expired: %+v", info)
	}
	if info := l.putEvents("s", 2*time.Hour, "fits", "new").RejectedLogEventsInfo; info == nil || *info.TooNewLogEventStartIndex != 1 {
		t.Errorf("new: %+v", info)
	}
	if got := l.filter(func(*api.FilterLogEventsInput) {}); !slices.Equal(got, []string{"fits"}) {
		t.Errorf("kept: %v", got)
	}
}

func TestPutLogEventsRefuses(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	wide, reversed := l.events("s", -25*time.Hour, "a", "b"), l.events("s", 0, "a", "b")
	wide.LogEvents[1].Timestamp = aws.Ptr(start.UnixMilli())
	slices.Reverse(reversed.LogEvents)
	absent := l.events("none", 0, "a")
	elsewhere := l.events("s", 0, "a")
	elsewhere.LogGroupName = aws.Ptr("none")
	big := strings.Repeat("x", 600<<10)
	for _, c := range []struct {
		name    string
		in      *api.PutLogEventsInput
		message string
	}{
		{"order", reversed, "InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order."},
		{"span", wide, "InvalidParameterException: The batch of log events in a single PutLogEvents request cannot span more than 24 hours."},
		{"event size", l.events("s", 0, big+big), "InvalidParameterException: Log event too large: 1228826 bytes exceeds limit of 1048576"},
		{"upload size", l.events("s", 0, big, big), "InvalidParameterException: Upload too large: 1228852 bytes exceeds limit of 1048576"},
		{"stream", absent, "ResourceNotFoundException: The specified log stream does not exist."},
		{"group", elsewhere, "ResourceNotFoundException: The specified log group does not exist."},
		{"no stream name", &api.PutLogEventsInput{LogGroupName: aws.Ptr("g"), LogEvents: wide.LogEvents},
			"InvalidParameterException: 1 validation error detected: Value null at 'logStreamName' failed to satisfy constraint: Member must not be null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wiretest.Call[api.PutLogEventsOutput](l, "PutLogEvents", c.in)
			if e := awserr.As(err); e == nil || e.Error() != c.message {
				t.Errorf("%v", err)
			}
		})
	}
}

// Retention hides expired events at once and removes them soon; what the group
// holds shrinks.
func TestRetention(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	l.putEvents("s", 0, "one")
	l.Clock.Advance(20 * time.Hour)
	l.putEvents("s", 0, "two")
	wiretest.Must[api.PutRetentionPolicyOutput](l, "PutRetentionPolicy", &api.PutRetentionPolicyInput{LogGroupName: aws.Ptr("g"), RetentionInDays: aws.Ptr[int32](1)})
	l.run()
	l.Clock.Advance(5 * time.Hour)
	if got := l.filter(func(*api.FilterLogEventsInput) {}); !slices.Equal(got, []string{"two"}) {
		t.Errorf("after 25 hours: %v", got)
	}
	stored := func() int64 {
		return *wiretest.Must[api.DescribeLogGroupsOutput](l, "DescribeLogGroups", &api.DescribeLogGroupsInput{}).LogGroups[0].StoredBytes
	}
	if n := stored(); n != 2*(3+26) {
		t.Errorf("%d bytes stored", n)
	}
	limit := time.After(30 * time.Second)
	for stored() != 0 {
		if err := l.Clock.BlockUntil(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		l.Clock.Advance(24 * time.Hour)
		select {
		case <-limit:
			t.Fatal("the events stay")
		default:
		}
	}
}

func TestGroupsComeBackEmpty(t *testing.T) {
	l := newLab(t, gate{})
	l.setUp("s")
	l.putEvents("s", 0, "one")
	wiretest.Must[api.DeleteLogGroupOutput](l, "DeleteLogGroup", &api.DeleteLogGroupInput{LogGroupName: aws.Ptr("g")})
	l.setUp("s")
	if got := l.filter(func(*api.FilterLogEventsInput) {}); len(got) != 0 {
		t.Errorf("%v", got)
	}
	l.putEvents("s", 0, "one")
	wiretest.Must[api.DeleteLogStreamOutput](l, "DeleteLogStream", &api.DeleteLogStreamInput{LogGroupName: aws.Ptr("g"), LogStreamName: aws.Ptr("s")})
	if g := wiretest.Must[api.DescribeLogGroupsOutput](l, "DescribeLogGroups", &api.DescribeLogGroupsInput{}).LogGroups[0]; *g.StoredBytes != 0 {
		t.Errorf("%d bytes stored", *g.StoredBytes)
	}
}
