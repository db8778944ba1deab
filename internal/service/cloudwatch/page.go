package cloudwatch

import "github.com/hardstand/hardstand/internal/aws/pages"

// page cuts items to those behind the token's place, at most limit, and gives the
// next token. id is what a token remembers of an item.
func page[T any](items []T, token *string, limit int, id func(T) string) ([]T, *string, error) {
	items, next, ok := pages.After(items, token, limit, id)
	if !ok {
		return nil, nil, errToken
	}
	return items, next, nil
}
