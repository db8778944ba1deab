package store

import "strconv"

// query is a statement that grows with the conditions a caller gave. The number
// of different texts is small, so that each can stay prepared.
type query struct {
	text string
	args []any
}

func (q *query) add(text string) *query {
	q.text += text
	return q
}

func (q *query) arg(v any) *query {
	q.args = append(q.args, v)
	q.text += "$" + strconv.Itoa(len(q.args))
	return q
}

func (q *query) limit(n int) *query {
	if n > 0 {
		q.add(" LIMIT ").arg(n)
	}
	return q
}

// events adds f's conditions on rows of the table of events.
func (q *query) events(f Filter) *query {
	for _, c := range [...]struct{ column, value string }{
		{"account", f.Account}, {"region", f.Region}, {"service", f.Service}, {"resource", f.Resource}, {"kind", f.Kind},
	} {
		if c.value != "" {
			q.add(" AND " + c.column + "=").arg(c.value)
		}
	}
	return q
}
