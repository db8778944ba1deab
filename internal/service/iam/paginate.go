package iam

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
)

// defaultItems is IAM's page size.
const defaultItems = 100

// page is one page of a list.
type page[T any] struct {
	items     []T
	truncated *bool
	marker    *string
}

// paginate cuts a page out of items, which are ordered by key. A marker is the
// key of the last item before the page, so that it survives changes of the list.
func paginate[T any](items []T, key func(T) string, marker *string, limit *int32) (page[T], error) {
	if m := aws.Val(marker); m != "" {
		raw, err := base64.RawURLEncoding.DecodeString(m)
		if err != nil {
			return page[T]{}, invalidInput("Invalid Marker.")
		}
		i := slices.IndexFunc(items, func(item T) bool { return strings.Compare(key(item), string(raw)) > 0 })
		if i < 0 {
			i = len(items)
		}
		items = items[i:]
	}
	size := defaultItems
	if limit != nil {
		size = int(*limit)
	}
	p := page[T]{items: items, truncated: aws.Ptr(len(items) > size)}
	if *p.truncated {
		p.items = items[:size]
		p.marker = aws.Ptr(base64.RawURLEncoding.EncodeToString([]byte(key(p.items[size-1]))))
	}
	return p, nil
}
