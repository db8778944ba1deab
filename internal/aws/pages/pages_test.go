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

func TestPagesAfterAnItem(t *testing.T) {
	self := func(s string) string { return s }
	list := []string{"a", "b", "d"}
	page, next, ok := pages.After(list, nil, 2, self)
	if !ok || !slices.Equal(page, list[:2]) || next == nil {
		t.Fatalf("the first page: %v, %v, %v", page, next, ok)
	}
	grown := []string{"a", "a2", "b", "d"} // nothing is shown twice
	page, last, ok := pages.After(grown, next, 2, self)
	if !ok || !slices.Equal(page, []string{"d"}) || last != nil {
		t.Errorf("the second page: %v, %v, %v", page, last, ok)
	}
	if page, _, ok := pages.After([]string{"a", "d"}, next, 2, self); !ok || len(page) != 2 {
		t.Errorf("without the last item shown: %v, %v", page, ok)
	}
	for _, token := range []string{"???", "eA"} {
		if _, _, ok := pages.After(list, &token, 2, self); ok {
			t.Errorf("%q was taken", token)
		}
	}
}
