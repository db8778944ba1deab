package logs

import (
	"fmt"

	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/store"
)

// The rows of the service. Times are milliseconds, as everywhere in this API.
var (
	// Groups are keyed by name.
	groups = &store.Table[group]{Name: "logs.group", Version: 1, Indexes: []store.Index[group]{
		{Name: "token", Unique: true, Value: func(_ store.Key, g *group) []string { return given(g.Token) }},
		{Name: "retention", Value: func(_ store.Key, g *group) []string {
			if g.Retention == 0 {
				return nil
			}
			return []string{"limited"}
		}},
	}}
	// Streams are keyed by group and name.
	streams = &store.Table[stream]{Name: "logs.stream", Version: 1, Indexes: []store.Index[stream]{
		{Name: "uid", Unique: true, Value: func(_ store.Key, s *stream) []string { return []string{s.UID} }},
		{Name: "token", Unique: true, Value: func(_ store.Key, s *stream) []string { return given(s.Token) }},
	}}
	// Batches are keyed by their stream's UID and their number in it.
	batches = &store.Table[batch]{Name: "logs.batch", Version: 1, Indexes: []store.Index[batch]{
		{Name: byGroup, Value: func(k store.Key, b *batch) []string { return []string{timed(b.GroupUID, b.First) + k.ID} }},
		{Name: byFirst, Value: func(k store.Key, b *batch) []string { return []string{timed(b.StreamUID, b.First) + k.ID} }},
		{Name: byLast, Value: func(k store.Key, b *batch) []string { return []string{timed(b.StreamUID, b.Last) + k.ID} }},
	}}
	// Filters are keyed by group and name.
	filters = &store.Table[filter]{Name: "logs.metricfilter", Version: 1}
	// Policies are keyed by name.
	policies = &store.Table[policy]{Name: "logs.resourcepolicy", Version: 1}
	// Drops are keyed by the UID of what has gone.
	drops = &store.Table[drop]{Name: "logs.drop", Version: 1}
	// Pending are values of metric filters that are not in CloudWatch yet.
	pending = &store.Table[metrics]{Name: "logs.metrics", Version: 1}
)

// The orders in which batches are found.
const (
	byGroup = "group"
	byFirst = "first"
	byLast  = "last"
)

func given(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// timed begins the index value of a batch.
func timed(uid string, millis int64) string { return fmt.Sprintf("%s\x00%016x\x00", uid, millis) }

type group struct {
	Name, UID string
	Created   int64
	Retention int32 `json:",omitempty"` // days, 0 for ever
	Class     api.LogGroupClass
	Bytes     int64
	Filters   int32             `json:",omitempty"` // metric filters
	Tags      map[string]string `json:",omitempty"`
	Token     string            `json:",omitempty"`
}

// cutoff is the time before which events have expired at now.
func (g *group) cutoff(now int64) int64 {
	if g.Retention == 0 {
		return 0
	}
	return now - int64(g.Retention)*dayMillis
}

type stream struct {
	Name, UID   string // UID is uidDigits decimal digits
	Created     int64
	First, Last int64 `json:",omitempty"` // timestamps of events; see Events
	Ingested    int64 `json:",omitempty"`
	Events      int64 `json:",omitempty"` // ever put
	// Batches counts batches ever begun; the last is the tail, to which small puts
	// are added.
	Batches             int64  `json:",omitempty"`
	TailBytes           int    `json:",omitempty"`
	TailFirst, TailLast int64  `json:",omitempty"`
	Token               string `json:",omitempty"`
}

// batch is a run of events in the order of their arrival.
type batch struct {
	GroupUID, StreamUID string
	Number              int64
	First, Last         int64
	Bytes               int64
	Events              []entry
}

// entry is one event; its place in the batch never changes.
type entry struct {
	Time     int64  `json:"t"`
	Ingested int64  `json:"i"`
	Message  string `json:"m"`
}

func batchKey(k store.Key, streamUID string, number int64) store.Key {
	return store.Key{Account: k.Account, Region: k.Region, ID: fmt.Sprintf("%s/%016x", streamUID, number)}
}

type filter struct {
	Name, Group, Pattern string
	Created              int64
	Transformations      []api.MetricTransformation
	Token                string `json:",omitempty"`
}

type policy struct {
	Name, Document string
	Updated        int64
}

// metrics are the arguments of one PutMetricData.
type metrics struct {
	Group, Namespace string
	Data             []datum
}

// datum is a value of a metric at a minute, and how often it came.
type datum struct {
	Name       string
	Dimensions map[string]string `json:",omitempty"`
	Unit       string            `json:",omitempty"`
	Time       int64
	Values     []float64
	Counts     []float64
}
