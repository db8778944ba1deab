package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/agent/hooks"
)

// secretsFD names the environment variable with the descriptor of a pipe that
// holds what was in the environment of credentials.
const secretsFD = "CODEDEPLOY_SECRETS_FD"

// tokenVariable is GitHub's token for codedeploy-local.
const tokenVariable = "CODEDEPLOY_GITHUB_TOKEN"

// hideSecrets takes credentials out of the process's environment and arguments as
// /proc shows them, to every user or to scripts that run as root: it executes the
// program again without them. Those in keep are still in os.Environ afterwards.
// args are those of the program, without its name.
func hideSecrets(args []string, keep bool) error {
	if os.Getenv(secretsFD) != "" {
		return takeSecrets()
	}
	kept, env := hooks.SplitSecrets(os.Environ())
	args, token := splitToken(args)
	if token != "" {
		kept = append(kept, tokenVariable+"="+token)
	}
	if len(kept) == 0 {
		return nil
	}
	if keep {
		fd, err := pipeOf(kept)
		if err != nil {
			return fmt.Errorf("hide credentials: %w", err)
		}
		env = append(env, secretsFD+"="+strconv.Itoa(fd))
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("hide credentials: %w", err)
	}
	// The name decides which program of the binary it is.
	return unix.Exec(self, append([]string{programName()}, args...), env)
}

// programName is how the program was called, with the word that chose it if it was
// called by the binary's own name.
func programName() string {
	name := os.Args[0]
	if len(os.Args) > 1 && !strings.HasPrefix(filepath.Base(name), "codedeploy") {
		name = os.Args[1]
	}
	return name
}

// splitToken returns the arguments without GitHub's token.
func splitToken(args []string) (rest []string, token string) {
	for i := 0; i < len(args); i++ {
		value, joined := strings.CutPrefix(args[i], "--github-token=")
		switch {
		case joined:
			token = value
		case args[i] == "--github-token" && i+1 < len(args):
			i++
			token = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	return rest, token
}

// pipeOf returns a descriptor to read the entries from, which outlives exec.
func pipeOf(entries []string) (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], 0); err != nil {
		return 0, err
	}
	text, err := json.Marshal(entries)
	if err == nil {
		_, err = unix.Write(p[1], text)
	}
	_ = unix.Close(p[1])
	return p[0], err
}

// takeSecrets puts the entries into the environment as this process sees it, which
// is not the one that /proc shows.
func takeSecrets() error {
	fd, err := strconv.Atoi(os.Getenv(secretsFD))
	if err != nil {
		return fmt.Errorf("%s: %w", secretsFD, err)
	}
	_ = os.Unsetenv(secretsFD)
	f := os.NewFile(uintptr(fd), "secrets")
	defer f.Close()
	var entries []string
	if err := json.NewDecoder(f).Decode(&entries); err != nil {
		return fmt.Errorf("take credentials: %w", err)
	}
	for _, kv := range slices.Backward(entries) {
		name, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}
