//go:build e2e

package script_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestFleets runs test/script/fleets/*.txtar, the scripts of whole fleets that take
// their time: load balancers, groups, rollouts. `make e2e` runs them; whoever asks for
// them by their tag must not take a run without them for a good one.
func TestFleets(t *testing.T) {
	if reason := lacking(tools); reason != "" {
		t.Fatal(reason)
	}
	testscript.Run(t, testscript.Params{
		Dir: "fleets", Setup: setup, Cmds: commands, RequireUniqueNames: true,
	})
}
