package autoscaling

import (
	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/pages"
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

func val[T any](p *T) T { return aws.Val(p) }

func ptr[T any](v T) *T { return &v }

// text is a pointer to a text, nil for none.
func text(v string) *string {
	if v == "" {
		return nil
	}
	return &v
}
