// Package pages cuts lists into the pages that operations answer with.
//
// It owns the form of the token: the place in the list, opaque to clients. It
// imports the standard library only and is called by services.
package pages

import (
	"encoding/base64"
	"strconv"
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

// Limit is how long a page is: what the request says, or by default.
func Limit(asked *int32, byDefault int) int {
	if asked == nil || *asked <= 0 {
		return byDefault
	}
	return int(*asked)
}
