package ec2

import (
	"encoding/base64"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// EC2's pages hold between five and a thousand items.
const (
	minPage = 5
	maxPage = 1000
)

// paginate cuts list at the offset that token holds. A max of nil means all.
func paginate[T any](list []T, token *string, max *int32) ([]T, *string, error) {
	start := 0
	if t := aws.Val(token); t != "" {
		b, err := base64.RawURLEncoding.DecodeString(t)
		if err == nil {
			start, err = strconv.Atoi(string(b))
		}
		if err != nil || start < 0 || start > len(list) {
			return nil, nil, awserr.New("InvalidNextToken", "The specified next token is not valid.")
		}
	}
	list = list[start:]
	if max == nil {
		return list, nil, nil
	}
	if *max < minPage {
		return nil, nil, awserr.New("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than or equal to %d.", *max, minPage)
	}
	n := min(int(*max), maxPage)
	if n >= len(list) {
		return list, nil, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(start + n)))
	return list[:n], &next, nil
}
