package sqs

import (
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// maxScan is how far a FIFO queue looks for groups that are not held up, as on AWS.
const (
	maxScan  = 20_000
	scanPage = 200
)

// ready finds messages that may be received: of a standard queue those that have been
// visible longest, of a FIFO queue the first of each group.
func ready(tx *store.Tx, k store.Key, q *queue, most int) ([]*message, error) {
	if isFIFO(k.ID) {
		return readyInOrder(tx, q, most)
	}
	now := tx.Now()
	var found []*message
	for _, kind := range []string{unread, read} {
		prefix := q.Serial + "\x00" + kind + "\x00"
		rows, err := messages.Range(tx, "ready", prefix, prefix+stamp(now)+"\x01", most, false)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if !q.isExpired(row.Value, now) {
				found = append(found, row.Value)
			}
		}
	}
	slices.SortFunc(found, func(a, b *message) int { return a.VisibleAt.Compare(b.VisibleAt) })
	return found[:min(most, len(found))], nil
}

// readyInOrder goes through a FIFO queue from its head. A message that is hidden holds
// up those of its group behind it.
func readyInOrder(tx *store.Tx, q *queue, most int) ([]*message, error) {
	now, from := tx.Now(), q.Serial+"\x00"
	held := map[string]bool{}
	var found []*message
	for scanned := 0; scanned < maxScan && len(found) < most; scanned += scanPage {
		rows, err := messages.Range(tx, "order", from, q.Serial+"\x01", scanPage, false)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			m := row.Value
			from = q.Serial + "\x00" + m.Seq + "\x01"
			switch {
			case q.isExpired(m, now) || held[m.Group]:
			case m.VisibleAt.After(now):
				held[m.Group] = true
			case len(found) < most:
				found = append(found, m)
			}
		}
		if len(rows) < scanPage {
			break
		}
	}
	return found, nil
}

func (q *queue) isExpired(m *message, now time.Time) bool {
	return !m.Sent.Add(q.seconds(attrRetention)).After(now)
}
