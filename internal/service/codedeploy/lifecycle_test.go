package codedeploy

import (
	"testing"

	"github.com/hardstand/hardstand/internal/agent/lifecycle"
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
)

// A failure at any event fails its target there: what came before has succeeded, what
// comes after is skipped.
func TestFailureAtEachEvent(t *testing.T) {
	names := lifecycle.InPlace()
	for at, name := range names {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp()
			w.agent("i-1", func(_, event string) bool { return event == name })
			id := w.deploy("v1")
			d := w.awaitStatus(id, api.DeploymentStatusFailed)
			if d.ErrorInformation.Code != api.ErrorCodeHealthConstraints {
				t.Errorf("%+v", d.ErrorInformation)
			}
			got := w.target(id, "i-1")
			for i, e := range got.LifecycleEvents {
				want := api.LifecycleEventStatusSucceeded
				switch {
				case i == at:
					want = api.LifecycleEventStatusFailed
				case i > at:
					want = api.LifecycleEventStatusSkipped
				}
				if aws.Val(e.LifecycleEventName) != names[i] || e.Status != want {
					t.Errorf("%s is %s, want %s", aws.Val(e.LifecycleEventName), e.Status, want)
				}
			}
		})
	}
}
