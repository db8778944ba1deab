package deploy

import (
	"errors"
	"strings"
)

// Exit codes of `hardstand deploy`.
const (
	ExitOK          = 0
	ExitUnexpected  = 1 // a fault of hardstand or of the network
	ExitUsage       = 2 // the command line
	ExitCheck       = 3 // the project: template, appspec, missing files
	ExitDenied      = 4 // credentials or permissions
	ExitStack       = 5 // the stack did not come up
	ExitDeployment  = 6 // the application was not installed
	ExitURL         = 7 // everything succeeded, but the URL does not answer
	ExitTimeout     = 8
	ExitInterrupted = 130
)

// Failure is an error as the user needs it: which step, what went wrong, what
// shows it, and what to do.
type Failure struct {
	Step     string
	Cause    string
	Evidence []string // lines: log tails, events
	Fix      string
	// State says what stands now: "the previous revision serves at ...".
	State string
	Exit  int
	Err   error
}

func (f *Failure) Error() string {
	s := f.Step + ": " + f.Cause
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

func (f *Failure) Unwrap() error { return f.Err }

// Text is the whole report for a terminal, at most a screen long.
func (f *Failure) Text() string {
	var b strings.Builder
	b.WriteString("FAILED at " + f.Step + "\n")
	cause := f.Cause
	if f.Err != nil {
		cause += ": " + f.Err.Error()
	}
	b.WriteString("  what:  " + cause + "\n")
	for i, l := range f.Evidence {
		label := "         "
		if i == 0 {
			label = "  why:   "
		}
		b.WriteString(label + l + "\n")
	}
	if f.Fix != "" {
		b.WriteString("  fix:   " + f.Fix + "\n")
	}
	if f.State != "" {
		b.WriteString("  now:   " + f.State + "\n")
	}
	return b.String()
}

// ExitCode returns the exit code that err stands for.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	var f *Failure
	if errors.As(err, &f) {
		return f.Exit
	}
	return ExitUnexpected
}
