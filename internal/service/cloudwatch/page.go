package cloudwatch

import (
	"encoding/base64"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
)

const tokenPrefix = "after "

// page cuts items to those behind the token's place, at most limit, and gives the
// next token. id is what a token remembers of an item.
func page[T any](items []T, token *string, limit int, id func(T) string) ([]T, *string, error) {
	if t := aws.Val(token); t != "" {
		raw, err := base64.RawURLEncoding.DecodeString(t)
		after, ok := strings.CutPrefix(string(raw), tokenPrefix)
		if err != nil || !ok {
			return nil, nil, errToken
		}
		for i := range items {
			if id(items[i]) == after {
				items = items[i+1:]
				break
			}
		}
	}
	if len(items) <= limit {
		return items, nil, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(tokenPrefix + id(items[limit-1])))
	return items[:limit], &next, nil
}
