package cfn

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// version is what --version prints: the helpers whose behaviour is followed.
const version = "aws-cfn-bootstrap 2.0"

// option is one option of a helper. One without a metavariable is a switch.
type option struct {
	long, short, takes, help string
}

// connection are the options that every helper has.
var connection = []option{
	{"credential-file", "f", "CREDENTIAL_FILE", "A file with the keys AWSAccessKeyId and AWSSecretKey, readable only by its owner"},
	{"role", "", "IAM_ROLE", "The role of the instance profile to sign with"},
	{"access-key", "", "ACCESS_KEY", "An AWS access key"},
	{"secret-key", "", "SECRET_KEY", "The secret key of the access key"},
	{"http-proxy", "", "HTTP_PROXY", "A proxy for http, as [scheme://][user:password@]host:port"},
	{"https-proxy", "", "HTTPS_PROXY", "A proxy for https"},
	{"region", "", "REGION", "The region (default: us-east-1)"},
	{"url", "u", "ENDPOINT", "The URL of CloudFormation, which must match the region"},
}

// resourceOptions name the resource that cfn-init and cfn-get-metadata read.
var resourceOptions = []option{
	{"stack", "s", "STACK_NAME", "A CloudFormation stack"},
	{"resource", "r", "LOGICAL_RESOURCE_ID", "The logical id of a resource"},
	{"verbose", "v", "", "Log more"},
}

var everywhere = []option{
	{"help", "h", "", "Show this help and exit"},
	{"version", "", "", "Show the version and exit"},
}

// flags is a parsed command line.
type flags struct {
	program string
	options []option
	values  map[string]string
	args    []string
}

func (f *flags) text(name string) string { return f.values[name] }

func (f *flags) has(name string) bool { _, ok := f.values[name]; return ok }

// parseArgs reads a command line as optparse does: options anywhere on it, long ones
// also shortened, short ones also joined. done says that nothing is left to do but to
// exit with code: the line is wrong, or asked for help.
func (h *Helper) parseArgs(program string, args []string, tables ...[]option) (f *flags, code int, done bool) {
	f = &flags{program: program, values: map[string]string{}, options: slices.Concat(append(tables, everywhere)...)}
	if err := f.parse(args); err != nil {
		fmt.Fprintf(h.Stderr, "Usage: %s [options]\n\n%s: error: %v\n", program, program, err)
		return f, 2, true
	}
	switch {
	case f.has("help"):
		f.usage(h.Stdout)
		return f, 0, true
	case f.has("version"):
		fmt.Fprintln(h.Stdout, version)
		return f, 0, true
	}
	for variable, name := range map[string]string{"HTTP_PROXY": "http-proxy", "HTTPS_PROXY": "https-proxy"} {
		if p := f.text(name); p != "" {
			if err := os.Setenv(variable, p); err != nil {
				return f, h.fail(err), true
			}
		}
	}
	return f, 0, false
}

func (f *flags) parse(args []string) error {
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			f.args = append(f.args, args[i+1:]...)
			return nil
		case a == "-" || !strings.HasPrefix(a, "-"):
			f.args = append(f.args, a)
			continue
		}
		var used int
		var err error
		if strings.HasPrefix(a, "--") {
			used, err = f.long(a[2:], args[i+1:])
		} else {
			used, err = f.short(a[1:], args[i+1:])
		}
		if err != nil {
			return err
		}
		i += used
	}
	return nil
}

// long takes an option that begins with two dashes and returns how many of the words
// that follow belong to it.
func (f *flags) long(text string, rest []string) (int, error) {
	name, value, joined := strings.Cut(text, "=")
	o, err := f.find(name)
	if err != nil {
		return 0, err
	}
	switch {
	case o.takes == "" && joined:
		return 0, fmt.Errorf("--%s option does not take a value", o.long)
	case o.takes == "":
		return 0, f.set(o, "--"+o.long, "true")
	case joined:
		return 0, f.set(o, "--"+o.long, value)
	case len(rest) == 0:
		return 0, fmt.Errorf("--%s option requires 1 argument", o.long)
	}
	return 1, f.set(o, "--"+o.long, rest[0])
}

func (f *flags) find(name string) (option, error) {
	var found []option
	for _, o := range f.options {
		if o.long == name {
			return o, nil
		}
		if strings.HasPrefix(o.long, name) {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return option{}, fmt.Errorf("no such option: --%s", name)
	case 1:
		return found[0], nil
	}
	var names []string
	for _, o := range found {
		names = append(names, "--"+o.long)
	}
	slices.Sort(names)
	return option{}, fmt.Errorf("ambiguous option: --%s (%s?)", name, strings.Join(names, ", "))
}

// short takes a cluster of letters, the last of which may have its value joined.
func (f *flags) short(letters string, rest []string) (int, error) {
	for i := range len(letters) {
		letter := letters[i : i+1]
		at := slices.IndexFunc(f.options, func(o option) bool { return o.short == letter })
		if at < 0 {
			return 0, fmt.Errorf("no such option: -%s", letter)
		}
		o := f.options[at]
		switch value := letters[i+1:]; {
		case o.takes == "":
			if err := f.set(o, "-"+letter, "true"); err != nil {
				return 0, err
			}
		case value != "":
			return 0, f.set(o, "-"+letter, value)
		case len(rest) == 0:
			return 0, fmt.Errorf("-%s option requires 1 argument", letter)
		default:
			return 1, f.set(o, "-"+letter, rest[0])
		}
	}
	return 0, nil
}

func (f *flags) set(o option, as, value string) error {
	switch o.takes {
	case "SUCCESS":
		if value != "true" && value != "false" {
			return fmt.Errorf("option %s: invalid choice: '%s' (choose from 'true', 'false')", as, value)
		}
	case "EXIT_CODE":
		if _, err := strconv.Atoi(strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("option %s: invalid integer value: '%s'", as, value)
		}
	}
	f.values[o.long] = value
	return nil
}

// usage prints the help.
func (f *flags) usage(to io.Writer) {
	fmt.Fprintf(to, "Usage: %s [options]\n\nOptions:\n", f.program)
	for _, o := range f.options {
		name := "--" + o.long
		if o.short != "" {
			name = "-" + o.short + ", " + name
		}
		if o.takes != "" {
			name += "=" + o.takes
		}
		fmt.Fprintf(to, "  %-38s %s\n", name, o.help)
	}
}

// wrong prints an error and the help, as the helpers do for a command line that
// lacks something.
func (h *Helper) wrong(f *flags, message string) int {
	fmt.Fprintln(h.Stderr, "Error: "+message)
	f.usage(h.Stderr)
	return 1
}

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
