package codedeploy

import (
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/pages"
)

// pageSize is how many names one answer of a List call has.
const pageSize = 100

// page cuts names, which are sorted: those after the token, at most pageSize,
// and the token of the next page.
func page(names []string, token *string) ([]string, *string, error) {
	start, end, next, err := cut(names, token, false)
	return append([]string{}, names[start:end]...), next, err
}

// cut finds the page within sorted keys. The token names the last key of the
// page before, which may have gone since.
func cut(keys []string, token *string, descending bool) (start, end int, next *string, err error) {
	if t := aws.Val(token); t != "" {
		after, ok := pages.LastShown(t)
		if !ok {
			return 0, 0, nil, errInvalidNextToken
		}
		start = slices.IndexFunc(keys, func(k string) bool { return k != after && (k > after) != descending })
		if start < 0 {
			start = len(keys)
		}
	}
	end = min(start+pageSize, len(keys))
	if end < len(keys) {
		next = pages.TokenAfter(keys[end-1])
	}
	return start, end, next, nil
}
