package logs

import "github.com/hardstand/hardstand/internal/aws/pages"

// maxListed is how many items an answer has when the request does not say.
const maxListed = 50

// page cuts items to those behind the token's place, at most limit, and gives the
// next token. id is what a token remembers of an item.
func page[T any](items []T, token *string, limit *int32, id func(T) string) ([]T, *string, error) {
	n := maxListed
	if limit != nil {
		n = int(*limit)
	}
	items, next, ok := pages.After(items, token, n, id)
	if !ok {
		return nil, nil, errToken
	}
	return items, next, nil
}
