package stack_test

import (
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/stack"
)

func TestTagsOfAnUpdate(t *testing.T) {
	r := stack.Request{Tags: map[string]string{"stack": "new", "both": "stack"}, OldTags: map[string]string{"stack": "old", "left": "1"}}
	before, now := r.TagsBefore([]stack.Tag{{Key: "own", Value: "1"}}), r.TagsWith([]stack.Tag{{Key: "both", Value: "own"}})
	if want := []stack.Tag{{Key: "left", Value: "1"}, {Key: "own", Value: "1"}, {Key: "stack", Value: "old"}}; !slices.Equal(before, want) {
		t.Errorf("before: %v, want %v", before, want)
	}
	if want := []stack.Tag{{Key: "both", Value: "own"}, {Key: "stack", Value: "new"}}; !slices.Equal(now, want) {
		t.Errorf("now: %v, want %v", now, want)
	}
	if gone, want := stack.TagsGone(before, now), []string{"left", "own"}; !slices.Equal(gone, want) {
		t.Errorf("gone: %v, want %v", gone, want)
	}
}
