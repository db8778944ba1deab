// Command hardstand-guest is everything hardstand has inside an instance: PID 1,
// the CodeDeploy agent, user data, the cfn-* helpers and the shims for what the
// image lacks, in one small static binary that answers to many names.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hardstand/hardstand/internal/agent"
	"github.com/hardstand/hardstand/internal/guest/applets"
	"github.com/hardstand/hardstand/internal/guest/initd"
)

// programs are the programs in here, by the name they are called with.
func programs() map[string]func(args []string) int {
	table := applets.Table()
	table["init"] = initd.Run
	table["boot"] = initd.Held(table["boot"])
	table["codedeploy-agent"] = agent.Main
	table["codedeploy-local"] = agent.LocalMain
	return table
}

func main() {
	table := programs()
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if _, ok := table[name]; !ok && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	run, ok := table[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "hardstand-guest: unknown program %q\n", name)
		os.Exit(127)
	}
	os.Exit(run(args))
}
