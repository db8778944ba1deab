// Package agent is the CodeDeploy agent of hardstand's guest binary, and
// codedeploy-local. It speaks the same host command API, keeps the same files
// and runs the same lifecycle as AWS's agents, and works against AWS as well as
// against hardstand.
//
// Flow: Main (this file) -> control.go (start, stop, status) -> daemon.go ->
// poll.Loop -> command.Executor -> download, unpack, install, hooks. The pure
// parts, appspec and lifecycle, lie below them all. It links no AWS SDK and
// imports aws and clock of the project; state lives in root_dir (package state).
package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/config"
)

// Version is what the agent reports of itself, in the form of the official
// agent's .version file.
const Version = "OFFICIAL_2.1.0_hardstand"

const usage = `usage: codedeploy-agent [--config-file FILE] start|stop|restart|status|run

  start    run in the background      restart  stop, then start
  stop     let a running command      status   exit 0 when running, 3 when not
           end, then stop             run      run in the foreground
`

// Main is the codedeploy-agent command; args are without the program's name.
// It returns the exit code.
func Main(args []string) int {
	file, verb, err := parseArgs(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "codedeploy-agent: %v\n%s", err, usage)
		return 2
	}
	cfg, err := config.Load(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "codedeploy-agent:", err)
		return 1
	}
	c := control{cfg: cfg, file: file, out: os.Stdout, errs: os.Stderr}
	switch verb {
	case "start":
		return c.start()
	case "stop":
		return c.stop()
	case "restart":
		if code := c.stop(); code != 0 {
			return code
		}
		return c.start()
	case "status":
		return c.status()
	default:
		if err := hideSecrets(args, false); err != nil {
			fmt.Fprintln(os.Stderr, "codedeploy-agent:", err)
			return 1
		}
		return run(cfg, os.Stderr)
	}
}

func parseArgs(args []string) (file, verb string, err error) {
	file = config.DefaultFile
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch name {
		case "--config-file", "--config_file", "-c":
			if !joined {
				if i++; i >= len(args) {
					return "", "", fmt.Errorf("%s needs a file", name)
				}
				value = args[i]
			}
			file = value
		case "start", "stop", "restart", "status", "run":
			if verb != "" {
				return "", "", fmt.Errorf("two commands: %s and %s", verb, name)
			}
			verb = name
		default:
			return "", "", fmt.Errorf("unknown argument %q", args[i])
		}
	}
	if verb == "" {
		return "", "", fmt.Errorf("no command")
	}
	// The background process runs in /.
	file, err = filepath.Abs(file)
	return file, verb, err
}
