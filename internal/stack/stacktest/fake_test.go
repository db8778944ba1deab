package stacktest_test

import (
	"context"
	"testing"

	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

func TestFakeConforms(t *testing.T) {
	stacktest.Conform(t, stacktest.Case{
		Resource: stacktest.NewFake(), Type: "Test::Fake::Thing", Context: context.Background(),
		Properties: map[string]any{"Value": "a"}, Changed: map[string]any{"Value": "b"},
	})
}
