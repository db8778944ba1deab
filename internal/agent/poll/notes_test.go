package poll

import (
	"maps"
	"testing"

	"github.com/hardstand/hardstand/internal/agent/state"
)

// The completion of a command brings the next one, which may be noted before the end
// of the first has come to removing its note: that must not remove the next one's. An
// agent that is killed then would report nothing.
func TestNotesOfCommandsThatOverlap(t *testing.T) {
	l := &Loop{State: state.Dir{Root: t.TempDir(), Ongoing: "ongoing-deployment"}, noted: map[string]string{}}
	tracked := func(want map[string]string) {
		t.Helper()
		if got, err := l.State.Tracked(); err != nil || !maps.Equal(got, want) {
			t.Errorf("noted %v, %v, want %v", got, err, want)
		}
	}
	for _, step := range []struct {
		do                  func(deployment, command string) error
		deployment, command string
		want                map[string]string
	}{
		{l.note, "d-1", "first", map[string]string{"d-1": "first"}},
		{l.note, "d-1", "second", map[string]string{"d-1": "second"}},
		{l.forget, "d-1", "first", map[string]string{"d-1": "second"}},
		{l.note, "d-2", "other", map[string]string{"d-1": "second", "d-2": "other"}},
		{l.forget, "d-1", "second", map[string]string{"d-2": "other"}},
		{l.forget, "d-1", "second", map[string]string{"d-2": "other"}},
		{l.forget, "d-2", "other", nil},
	} {
		if err := step.do(step.deployment, step.command); err != nil {
			t.Fatal(err)
		}
		tracked(step.want)
	}
}
