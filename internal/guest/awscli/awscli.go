// Package awscli is a small `aws`: the commands that user data and deployment
// scripts call, without Python's start-up time. Commands, options, output and
// exit codes are the AWS CLI's.
//
// The flow enters in Run. What this package does not know it hands over to a CLI
// found in the image, with the arguments unchanged; where there is none it exits
// 252 and names the command. Nothing is done by halves: an option that is not
// known hands over too. Requests are made by awsclient.
package awscli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/awsclient"
)

// Exit codes of the AWS CLI, version 2.
const (
	exitS3     = 1   // a transfer failed
	exitUsage  = 252 // the command line is wrong, or not known
	exitConfig = 253 // no credentials, no region
	exitClient = 254 // the service answered with an error
	exitOther  = 255
)

// Version is what --version prints: the version whose behaviour is followed, and
// who answers.
const Version = "aws-cli/2.13.0 hardstand-guest"

// CLI runs commands.
type CLI struct {
	Root           guest.Root
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Exec replaces the process by a CLI of the image; syscall.Exec outside of
	// tests.
	Exec    func(program string, argv, env []string) error
	Clock   clock.Clock
	Options awsclient.Options // for tests: where metadata is asked
}

// New returns the CLI of the running instance.
func New() *CLI {
	return &CLI{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Exec: syscall.Exec, Clock: clock.System{}}
}

// errUnknown says that a command line is not for this package.
var errUnknown = errors.New("not known")

// usageError is a command line that is wrong for every CLI.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// call is a parsed command line.
type call struct {
	cli     *CLI
	client  *awsclient.Client
	service string
	command string
	args    []string            // positional
	options map[string][]string // without the dashes; switches have no value
	output  string
	query   string
}

func (c *call) has(name string) bool { _, ok := c.options[name]; return ok }

func (c *call) value(name string) string {
	if v := c.options[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// command describes one command: which options it has, and what it does.
type command struct {
	// values are options with one value, lists those with many, switches those
	// with none.
	values, lists, switches []string
	positional              int // how many positional arguments at most
	run                     func(ctx context.Context, c *call) error
}

// commands are what is known, by service and command.
func commands() map[string]command {
	transfer := command{values: transferValues, switches: transferSwitches, positional: 2, run: runTransfer}
	all := map[string]command{
		"s3 cp": transfer, "s3 mv": transfer, "s3 sync": transfer,
		"s3 rm":                 {values: []string{"exclude", "include"}, switches: []string{"recursive", "quiet", "only-show-errors", "dryrun"}, positional: 1, run: runRemove},
		"s3 ls":                 {switches: []string{"recursive", "human-readable", "summarize"}, positional: 1, run: runList},
		"s3 mb":                 {positional: 1, run: runMakeBucket},
		"s3 rb":                 {switches: []string{"force"}, positional: 1, run: runRemoveBucket},
		"s3 presign":            {values: []string{"expires-in"}, positional: 1, run: runPresign},
		"s3api put-object":      {values: []string{"bucket", "key", "body", "content-type", "acl", "cache-control", "content-encoding", "storage-class"}, run: runPutObject},
		"s3api delete-object":   {values: []string{"bucket", "key", "version-id"}, run: runDeleteObject},
		"s3api list-objects-v2": {values: []string{"bucket", "prefix"}, run: runListObjects},
		"s3api get-object":      {values: []string{"bucket", "key", "version-id", "range"}, positional: 1, run: runGetObject},
		"s3api head-object":     {values: []string{"bucket", "key", "version-id"}, run: runHeadObject},
	}
	maps.Copy(all, observeCommands())
	for name, p := range plainTable() {
		all[name] = p.command()
	}
	return all
}

// global options of every command.
var (
	globalValues = []string{"region", "endpoint-url", "profile", "output", "query", "cli-read-timeout", "cli-connect-timeout",
		"color", "ca-bundle", "cli-input-json"}
	globalSwitches = []string{"no-sign-request", "no-cli-pager", "no-paginate", "no-cli-auto-prompt", "debug", "no-verify-ssl"}
	// refusedGlobals are options that change what a command does and are not
	// handled here.
	refusedGlobals = []string{"cli-input-json", "no-verify-ssl", "debug", "no-paginate"}
)

// Run runs aws with args and returns the exit code.
func (cli *CLI) Run(args []string) int {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Fprintln(cli.Stdout, Version)
		return 0
	}
	if i := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") }); i >= 0 && args[i] == "configure" {
		if code, ok := cli.configure(args[i+1:], append(slices.Clone(args[:i]), args[i+1:]...)); ok {
			return code
		}
		return cli.handOver(args)
	}
	c, cmd, err := cli.parse(args)
	if errors.Is(err, errUnknown) {
		return cli.handOver(args)
	}
	if err == nil {
		err = cli.connect(c)
	}
	if err == nil {
		err = cmd.run(context.Background(), c)
	}
	if errors.Is(err, errUnknown) {
		return cli.handOver(args)
	}
	return cli.report(c, err)
}

func (cli *CLI) connect(c *call) error {
	o := cli.Options
	o.Region, o.Endpoint, o.Profile = c.value("region"), c.value("endpoint-url"), c.value("profile")
	o.Anonymous = c.has("no-sign-request")
	if bundle := c.value("ca-bundle"); bundle != "" {
		if err := os.Setenv("AWS_CA_BUNDLE", bundle); err != nil {
			return err
		}
	}
	settings, err := awsclient.Load(context.Background(), o)
	if err != nil {
		return err
	}
	for _, known := range []string{c.value("output"), os.Getenv("AWS_DEFAULT_OUTPUT"), settings.Setting("output"), "json"} {
		if known != "" {
			c.output = known
			break
		}
	}
	if c.service != "s3" && c.output != "json" && c.output != "text" {
		return errUnknown // tables and YAML are left to a real CLI
	}
	c.query = c.value("query")
	c.client, err = awsclient.New(settings, cli.Clock)
	return err
}

// parse takes a command line apart. Anything that it does not know is errUnknown.
func (cli *CLI) parse(args []string) (*call, command, error) {
	c := &call{cli: cli, options: map[string][]string{}}
	var cmd command
	known := false
	for i := 0; i < len(args); i++ {
		a := args[i]
		name, isOption := strings.CutPrefix(a, "--")
		switch {
		case isOption && name != "":
			name, inline, hasInline := strings.Cut(name, "=")
			n, err := arity(cmd, name)
			if err != nil {
				return c, cmd, err
			}
			if hasInline && n == 0 {
				return c, cmd, &usageError{"aws: error: argument --" + name + ": ignored explicit argument '" + inline + "'"}
			}
			if hasInline {
				c.options[name] = append(c.options[name], inline)
				continue
			}
			values := take(args[i+1:], n)
			if n == 1 && len(values) == 0 {
				return c, cmd, &usageError{"aws: error: argument --" + name + ": expected one argument"}
			}
			c.options[name] = append(c.options[name], values...)
			i += len(values)
		case c.service == "":
			c.service = a
		case c.command == "":
			c.command = a
			if cmd, known = commands()[c.service+" "+a]; !known {
				return c, cmd, errUnknown
			}
		case len(c.args) < cmd.positional:
			c.args = append(c.args, a)
		default:
			return c, cmd, &usageError{"Unknown options: " + a}
		}
	}
	if !known {
		return c, cmd, errUnknown
	}
	return c, cmd, nil
}

// arity is how many values an option takes: 0, 1, or -1 for as many as follow.
func arity(cmd command, name string) (int, error) {
	switch {
	case slices.Contains(refusedGlobals, name):
		return 0, errUnknown
	case slices.Contains(globalValues, name), slices.Contains(cmd.values, name):
		return 1, nil
	case slices.Contains(globalSwitches, name), slices.Contains(cmd.switches, name):
		return 0, nil
	case slices.Contains(cmd.lists, name):
		return -1, nil
	}
	return 0, errUnknown
}

func take(args []string, n int) []string {
	if n >= 0 {
		return args[:min(n, len(args))]
	}
	end := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--") })
	if end < 0 {
		end = len(args)
	}
	return args[:end]
}

// handOver becomes a CLI of the image. It returns only when there is none.
func (cli *CLI) handOver(args []string) int {
	if program, ok := cli.Root.RealProgram("aws"); ok {
		err := cli.Exec(cli.Root.Path(program), append([]string{"aws"}, args...), os.Environ())
		fmt.Fprintf(cli.Stderr, "aws: %s: %v\n", program, err)
		return exitOther
	}
	var known []string
	for name := range commands() {
		known = append(known, name)
	}
	slices.Sort(known)
	fmt.Fprintf(cli.Stderr, "aws: error: hardstand's aws does not know: aws %s\n"+
		"  it knows: configure, %s\n"+
		"  remedy: install the AWS CLI on the host that runs hardstand; commands that are not known here go to it\n",
		strings.Join(args, " "), strings.Join(known, ", "))
	return exitUsage
}

// report prints an error as the CLI does and returns its exit code.
func (cli *CLI) report(c *call, err error) int {
	var usage *usageError
	var failed *transferError
	var answer *awsclient.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(cli.Stderr, "\n%s\n", usage)
		return exitUsage
	case errors.As(err, &failed):
		return exitS3 // what failed has been printed
	case c.service == "s3":
		fmt.Fprintf(cli.Stderr, "fatal error: %v\n", err)
		return exitS3
	case errors.As(err, &answer):
		fmt.Fprintf(cli.Stderr, "\n%v\n", err)
		return exitClient
	case errors.Is(err, awsclient.ErrNoCredentials):
		fmt.Fprintf(cli.Stderr, "\n%v. You can configure credentials by running \"aws configure\".\n", err)
		return exitConfig
	}
	fmt.Fprintf(cli.Stderr, "\n%v\n", err)
	return exitOther
}
