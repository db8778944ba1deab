package s3

import (
	"context"
	"errors"
	"iter"

	"github.com/hardstand/hardstand/internal/store"
)

// namedAtOnce is how many rows are decoded at a time while all are walked.
const namedAtOnce = 1000

// named walks the ids of all bytes that rows name, on one snapshot.
func (s *Service) named(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := s.db.View(ctx, func(tx *store.Tx) error {
			for _, table := range []*store.Table[object]{&objects, &versions} {
				err := walkRows(tx, table, func(_ store.Key, o *object) error {
					for _, seg := range o.Segments {
						if !yield(seg.Blob, nil) {
							return errStopped
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return walkRows(tx, &parts, func(_ store.Key, p *part) error {
				if !yield(p.Blob, nil) {
					return errStopped
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield("", err)
		}
	}
}

var errStopped = errors.New("stop walking")

// walkRows visits all rows of a table, some at a time.
func walkRows[T any](tx *store.Tx, t *store.Table[T], visit func(store.Key, *T) error) error {
	after := ""
	for {
		rows, err := t.List(tx, store.Scope{}, after, namedAtOnce)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := visit(r.Key, r.Value); err != nil {
				return err
			}
		}
		after = rows[len(rows)-1].Key.ID
	}
}
