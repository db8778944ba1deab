//go:build e2e

package script_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestFleets runs test/script/fleets/*.txtar, the scripts of whole fleets that take
// their time: load balancers, groups, rollouts. `make e2e` runs them.
func TestFleets(t *testing.T) {
	needs(t, "aws", "curl", "zip", "ssh", "ssh-keygen", "python3")
	testscript.Run(t, testscript.Params{
		Dir: "fleets", Setup: setup, Cmds: commands, RequireUniqueNames: true,
	})
}
