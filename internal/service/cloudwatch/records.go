package cloudwatch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/store"
)

// The rows of the service.
var (
	// Metrics are keyed by namespace, name and dimensions.
	metrics = &store.Table[metric]{Name: "cloudwatch.metric", Version: 1, Indexes: []store.Index[metric]{
		// By the day, so that a metric's index rests while values come.
		store.TimeIndex("day", func(m *metric) time.Time { return time.Unix(m.Last-mod(m.Last, 24*hourSeconds), 0) }),
	}}
	// Hours hold the data of a metric in an hour, keyed by the metric's digest and
	// the hour, so that a span of time is a span of keys.
	hours = &store.Table[hour]{Name: "cloudwatch.hour", Version: 1, Indexes: []store.Index[hour]{
		{Name: "time", Value: func(_ store.Key, h *hour) []string { return []string{fmt.Sprintf("%016x", h.Start)} }},
	}}
	// Alarms are keyed by name; composite ones are among them.
	alarms = &store.Table[alarm]{Name: "cloudwatch.alarm", Version: 1}
	// History is keyed by time.
	history = &store.Table[item]{Name: "cloudwatch.history", Version: 1}
	// Actions are what an alarm's transition has still to do, in order.
	actions = &store.Table[action]{Name: "cloudwatch.action", Version: 1}
	// Dashboards are keyed by name; they belong to no region.
	dashboards = &store.Table[dashboard]{Name: "cloudwatch.dashboard", Version: 1}
)

// metric is one series of values.
type metric struct {
	Namespace, Name string
	Dimensions      []dimension `json:",omitempty"` // by name
	Last            int64       // seconds: when a value last came
}

type dimension struct{ Name, Value string }

func (m *metric) id() string {
	var b strings.Builder
	b.WriteString(m.Namespace + "\x00" + m.Name)
	for _, d := range m.Dimensions {
		b.WriteString("\x00" + d.Name + "\x00" + d.Value)
	}
	return b.String()
}

// digest stands for the metric in keys of its data.
func (m *metric) digest() string {
	sum := sha256.Sum256([]byte(m.id()))
	return hex.EncodeToString(sum[:16])
}

const hourSeconds = 3600

type hour struct {
	Start   int64 // seconds
	Buckets []bucket
}

func hourKey(k store.Key, digest string, start int64) store.Key {
	return store.Key{Account: k.Account, Region: k.Region, ID: fmt.Sprintf("%s/%016x", digest, start)}
}

// alarm is a metric alarm, or a composite one when it has a Rule.
type alarm struct {
	Name, Description string
	ActionsEnabled    bool
	OK, Alarm, Unsure []string `json:",omitempty"` // actions, by the state that causes them
	Configured        time.Time
	State             api.StateValue
	Reason            string
	ReasonData        string    `json:",omitempty"`
	Updated           time.Time // of the state
	Transitioned      time.Time // when the value of the state last changed
	Tags              map[string]string
	// Owner is who put the alarm: what EC2 actions act as.
	Owner aws.Principal
	Token string `json:",omitempty"`

	// Of metric alarms:
	Namespace, Metric   string                `json:",omitempty"`
	Dimensions          []dimension           `json:",omitempty"`
	Statistic           string                `json:",omitempty"` // of both kinds
	Period              int64                 `json:",omitempty"`
	Unit                string                `json:",omitempty"`
	Queries             []api.MetricDataQuery `json:",omitempty"`
	Evaluations, Needed int                   `json:",omitempty"` // N and M
	// NeededGiven tells that M was given.
	NeededGiven bool                   `json:",omitempty"`
	Threshold   float64                `json:",omitempty"`
	Comparison  api.ComparisonOperator `json:",omitempty"`
	Missing     string                 `json:",omitempty"` // "" is missing
	LowSamples  string                 `json:",omitempty"`

	// Of composite alarms:
	Rule string `json:",omitempty"`
}

func (a *alarm) composite() bool { return a.Rule != "" }

func (a *alarm) kind() api.AlarmType {
	if a.composite() {
		return api.AlarmTypeCompositeAlarm
	}
	return api.AlarmTypeMetricAlarm
}

// item is an entry of an alarm's history.
type item struct {
	Alarm         string
	Kind          api.AlarmType
	Type          api.HistoryItemType
	Time          time.Time
	Summary, Data string
}

// action is one thing that a transition has still to do.
type action struct {
	Alarm      string // name
	Kind       api.AlarmType
	Target     string // ARN
	Changed    time.Time
	State      api.StateValue
	Subject    string
	Message    string
	InstanceID string `json:",omitempty"`
	Owner      aws.Principal
	// Value is the metric's, for scaling policies, and Threshold the alarm's.
	Value, Threshold float64
}

type dashboard struct {
	Name, Body string
	Modified   time.Time
	Tags       map[string]string `json:",omitempty"`
}
