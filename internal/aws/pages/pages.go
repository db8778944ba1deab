// Package pages cuts lists into the pages that operations answer with.
//
// It owns the forms of the token, opaque to clients: the place in the list, or what
// the last item shown is known by. It imports the standard library only and is
// called by services.
package pages

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// Cut returns at most limit items from where token says, and the token of the
// next page, nil after the last. ok is false for a token that Cut has not made.
func Cut[T any](list []T, token *string, limit int) (page []T, next *string, ok bool) {
	start := 0
	if token != nil && *token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(*token)
		if err == nil {
			start, err = strconv.Atoi(string(raw))
		}
		if err != nil || start < 0 {
			return nil, nil, false
		}
		start = min(start, len(list)) // shorter meanwhile
	}
	list = list[start:]
	if len(list) <= limit {
		return list, nil, true
	}
	t := base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(start + limit)))
	return list[:limit], &t, true
}

// After is Cut with tokens that hold what the last item shown is known by in place
// of its place. A list in which that item is no more begins anew.
func After[T any](list []T, token *string, limit int, id func(T) string) (page []T, next *string, ok bool) {
	if token != nil && *token != "" {
		last, ok := LastShown(*token)
		if !ok {
			return nil, nil, false
		}
		list = list[slices.IndexFunc(list, func(item T) bool { return id(item) == last })+1:]
	}
	if len(list) <= limit {
		return list, nil, true
	}
	return list[:limit], TokenAfter(id(list[limit-1])), true
}

const tokenPrefix = "after "

// TokenAfter returns the token of the page behind the item that id names.
func TokenAfter(id string) *string {
	t := base64.RawURLEncoding.EncodeToString([]byte(tokenPrefix + id))
	return &t
}

// LastShown returns the id of TokenAfter; ok is false for another token.
func LastShown(token string) (id string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	id, ok = strings.CutPrefix(string(raw), tokenPrefix)
	return id, ok && err == nil
}

// Limit is how long a page is: what the request says, or by default.
func Limit(asked *int32, byDefault int) int {
	if asked == nil || *asked <= 0 {
		return byDefault
	}
	return int(*asked)
}
