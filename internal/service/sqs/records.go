package sqs

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// queue is a row of sqs.queue; the key's ID is the name.
type queue struct {
	// Serial is what the rows of its messages begin with: an id of the queue's own and,
	// behind a dot, how often it was purged.
	Serial string
	// Attributes are those that were set; attribute gives the others' defaults.
	Attributes        map[string]string
	Tags              map[string]string `json:",omitempty"`
	Created, Modified time.Time
	Purged            time.Time `json:",omitzero"`
	// Token made the queue, where a stack did.
	Token string `json:",omitempty"`
}

// message is a row of sqs.message; the key's ID is the queue's serial and Seq. Account
// and region are the queue's.
type message struct {
	Queue, Seq, ID string
	Body           string `json:",omitempty"`
	Sealed         []byte `json:",omitempty"` // Body, where the queue encrypts
	Attributes     map[string]attribute
	Trace          *attribute `json:",omitempty"` // AWSTraceHeader
	Sender         string
	Sent           time.Time
	VisibleAt      time.Time
	Received       int
	FirstReceived  time.Time `json:",omitzero"`
	LastReceived   time.Time `json:",omitzero"`
	Receipt        string    `json:",omitempty"` // of the last receipt
	FIFO           bool      `json:",omitempty"`
	Group, Dedup   string    `json:",omitempty"`
	// Source is the ARN of the queue that a dead letter came from.
	Source string `json:",omitempty"`
}

// attribute is a message attribute.
type attribute struct {
	Type   string
	Text   string `json:",omitempty"`
	Binary []byte `json:",omitempty"`
}

// repeat is a row of sqs.dedup: what a FIFO queue answers to a message sent again.
type repeat struct {
	ID, Seq string
	Sent    time.Time
}

// attempt is a row of sqs.attempt: what was received under a ReceiveRequestAttemptId.
type attempt struct {
	Seqs, Receipts []string
	At             time.Time
}

// garbage is a row of sqs.garbage: messages of the serial (the key's ID) are to be
// removed.
type garbage struct{ At time.Time }

// tombstone is a row of sqs.tombstone: a name that is not free yet.
type tombstone struct{ At time.Time }

// Windows of time that AWS keeps.
const (
	dedupWindow   = 5 * time.Minute
	nameIsTaken   = 60 * time.Second // after a deletion
	purgeInterval = 60 * time.Second
)

var (
	queues = &store.Table[queue]{Name: "sqs.queue", Version: 1, Clone: cloneQueue, Indexes: []store.Index[queue]{
		{Name: "target", Value: func(_ store.Key, q *queue) []string {
			if r := q.redrive(); r.Target != "" {
				return []string{r.Target}
			}
			return nil
		}},
	}}
	messages = &store.Table[message]{Name: "sqs.message", Version: 1, Indexes: []store.Index[message]{
		{Name: "ready", Value: func(_ store.Key, m *message) []string { return []string{m.readyAt()} }},
		{Name: "sent", Value: func(_ store.Key, m *message) []string {
			return []string{m.Queue + "\x00" + stamp(m.Sent) + "\x00" + m.Seq}
		}},
		{Name: "order", Value: func(_ store.Key, m *message) []string {
			if !m.FIFO {
				return nil
			}
			return []string{m.Queue + "\x00" + m.Seq}
		}},
	}}
	repeats = &store.Table[repeat]{Name: "sqs.dedup", Version: 1, Indexes: []store.Index[repeat]{
		{Name: "sent", Value: func(_ store.Key, r *repeat) []string { return []string{stamp(r.Sent)} }},
	}}
	attempts = &store.Table[attempt]{Name: "sqs.attempt", Version: 1, Indexes: []store.Index[attempt]{
		{Name: "at", Value: func(_ store.Key, a *attempt) []string { return []string{stamp(a.At)} }},
	}}
	rubbish    = &store.Table[garbage]{Name: "sqs.garbage", Version: 1}
	tombstones = &store.Table[tombstone]{Name: "sqs.tombstone", Version: 1, Indexes: []store.Index[tombstone]{
		store.TimeIndex("at", func(t *tombstone) time.Time { return t.At }),
	}}
)

func cloneQueue(q *queue) *queue {
	c := *q
	c.Attributes, c.Tags = maps.Clone(q.Attributes), maps.Clone(q.Tags)
	return &c
}

// stamp is a time as indexes sort it.
func stamp(t time.Time) string { return fmt.Sprintf("%020d", t.UnixNano()) }

// Messages that were never received and those that were are counted apart: the ones
// that are hidden are delayed or in flight.
const (
	unread = "a"
	read   = "b"
)

func (m *message) readyAt() string {
	kind := unread
	if m.Received > 0 {
		kind = read
	}
	return m.Queue + "\x00" + kind + "\x00" + stamp(m.VisibleAt) + "\x00" + m.Seq
}

func messageKey(k store.Key, serial, seq string) store.Key {
	return store.Key{Account: k.Account, Region: k.Region, ID: serial + "/" + seq}
}

// redrive is a redrive policy.
type redrive struct {
	Target string
	Max    int
}

// redrive returns the queue's redrive policy, the zero one for none.
func (q *queue) redrive() redrive {
	r, _ := parseRedrive(q.Attributes[attrRedrive])
	return r
}

// parseRedrive reads a redrive policy. The count may be a number or its text.
func parseRedrive(text string) (redrive, string) {
	var doc map[string]any
	if text == "" {
		return redrive{}, ""
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return redrive{}, "Redrive policy is not a valid JSON map."
	}
	target, ok := doc["deadLetterTargetArn"].(string)
	if !ok || target == "" {
		return redrive{}, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."
	}
	given, ok := doc["maxReceiveCount"]
	if !ok || given == nil {
		return redrive{}, "Redrive policy does not contain mandatory attribute: maxReceiveCount."
	}
	n, err := strconv.Atoi(fmt.Sprint(given))
	if err != nil || n < 1 || n > 1000 {
		return redrive{}, fmt.Sprintf("Invalid value for maxReceiveCount: %v, valid values are from 1 to 1000 both inclusive.", given)
	}
	for name := range doc {
		if name != "deadLetterTargetArn" && name != "maxReceiveCount" {
			return redrive{}, "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount]."
		}
	}
	return redrive{target, n}, ""
}
