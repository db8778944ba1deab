package ec2

import (
	"cmp"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/pages"
)

// EC2's pages hold between five and a thousand items.
const (
	minPage = 5
	maxPage = 1000
)

// paginate returns the page of list that follows the one which token came with. A
// token holds the last item's key, not its place, so that items which come and go
// between two pages neither hide others nor show them twice; for that, pages are in
// the order of the keys. A max of nil means all.
func paginate[T any](list []T, keyOf func(T) string, token *string, max *int32) ([]T, *string, error) {
	return paginateBetween(list, keyOf, token, max, minPage, maxPage)
}

// paginateBetween is paginate for operations whose pages have other bounds.
func paginateBetween[T any](list []T, keyOf func(T) string, token *string, max *int32, least, most int) ([]T, *string, error) {
	if max != nil && int(*max) < least {
		return nil, nil, awserr.New("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than or equal to %d.", *max, least)
	}
	t := aws.Val(token)
	if t == "" && max == nil {
		return list, nil, nil
	}
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(keyOf(a), keyOf(b)) })
	if t != "" {
		last, ours := pages.LastShown(t)
		if !ours {
			return nil, nil, awserr.New("InvalidNextToken", "The specified next token is not valid.")
		}
		start := slices.IndexFunc(list, func(item T) bool { return keyOf(item) > last })
		if start < 0 {
			start = len(list)
		}
		list = list[start:]
	}
	if max == nil {
		return list, nil, nil
	}
	n := min(int(*max), most)
	if n >= len(list) {
		return list, nil, nil
	}
	return list[:n], pages.TokenAfter(keyOf(list[n-1])), nil
}
