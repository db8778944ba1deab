// Command hardstand-guest is everything hardstand has inside an instance: PID 1,
// the CodeDeploy agent, user data, the cfn-* helpers and the shims for what the
// image lacks, in one small static binary that answers to many names.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hardstand/hardstand/internal/guest/initd"
)

// applets are the programs in here, by the name they are called with.
var applets = map[string]func(args []string) int{
	"init": initd.Run,
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if _, ok := applets[name]; !ok && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	run, ok := applets[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "hardstand-guest: unknown program %q\n", name)
		os.Exit(127)
	}
	os.Exit(run(args))
}
