package logs

import (
	"encoding/base64"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
)

// maxListed is how many items an answer has when the request does not say.
const maxListed = 50

const tokenPrefix = "after "

// page cuts items to those behind the token's place, at most limit, and gives the
// next token. id is what a token remembers of an item.
func page[T any](items []T, token *string, limit *int32, id func(T) string) ([]T, *string, error) {
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
	n := maxListed
	if limit != nil {
		n = int(*limit)
	}
	if len(items) <= n {
		return items, nil, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(tokenPrefix + id(items[n-1])))
	return items[:n], &next, nil
}
