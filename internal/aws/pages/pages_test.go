package pages_test

import (
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/pages"
)

func TestPagesHoldTheWholeList(t *testing.T) {
	list := []int{1, 2, 3, 4, 5}
	for limit := 1; limit <= 6; limit++ {
		var got []int
		var token *string
		for {
			page, next, ok := pages.Cut(list, token, limit)
			if !ok || len(page) > limit {
				t.Fatalf("limit %d: page %v, %v", limit, page, ok)
			}
			got = append(got, page...)
			if token = next; token == nil {
				break
			}
		}
		if !slices.Equal(got, list) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
}

func TestForeignTokensAreRefused(t *testing.T) {
	for _, token := range []string{"???", "LTE", "eA"} { // the last two are -1 and x
		if _, _, ok := pages.Cut([]int{1}, &token, 1); ok {
			t.Errorf("%q was taken", token)
		}
	}
}

func TestLimit(t *testing.T) {
	if five := int32(5); pages.Limit(&five, 10) != 5 || pages.Limit(nil, 10) != 10 {
		t.Error("the limit is not what was asked, else the default")
	}
}
