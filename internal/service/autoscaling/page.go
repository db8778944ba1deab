package autoscaling

import (
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	pageSize    = 50
	maxPageSize = 100
)

// page cuts items to those behind the token's place, at most what is asked for, and
// gives the next token. id is what a token remembers of an item.
func page[T any](items []T, token *string, limit *int32, max int, id func(T) string) ([]T, *string, error) {
	n := min(pageSize, max)
	if limit != nil {
		if *limit < 1 || int(*limit) > max {
			return nil, nil, invalid("1 validation error detected: Value '%d' at 'maxRecords' failed to satisfy constraint: Member must have value less than or equal to %d", *limit, max)
		}
		n = int(*limit)
	}
	items, next, ok := pages.After(items, token, n, id)
	if !ok {
		return nil, nil, errToken
	}
	return items, next, nil
}

// namedPage is page for rows in the order of their names: the token is the last name shown,
// and it does not matter when that is gone.
func namedPage[T any](rows []store.Row[T], token *string, limit *int32) ([]store.Row[T], *string, error) {
	if val(token) != "" {
		i := slices.IndexFunc(rows, func(r store.Row[T]) bool { return r.Key.ID > *token })
		if i < 0 {
			i = len(rows)
		}
		rows = rows[i:]
	}
	rows, next, err := page(rows, nil, limit, maxPageSize, func(r store.Row[T]) string { return r.Key.ID })
	if next != nil {
		next = &rows[len(rows)-1].Key.ID
	}
	return rows, next, err
}

func val[T any](p *T) T { return aws.Val(p) }

func ptr[T any](v T) *T { return &v }

// text is a pointer to a text, nil for none.
func text(v string) *string {
	if v == "" {
		return nil
	}
	return &v
}
