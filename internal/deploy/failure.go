package deploy

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// Exit codes of `hardstand deploy`, `plan`, `status` and `rollback`.
const (
	ExitOK          = 0
	ExitUnexpected  = 1   // no server answers, or a fault of hardstand's
	ExitUsage       = 2   // the command line
	ExitCheck       = 3   // the project: template, appspec, missing files
	ExitDenied      = 4   // credentials or permissions
	ExitStack       = 5   // the stack did not come up
	ExitDeployment  = 6   // the application was not installed
	ExitURL         = 7   // everything succeeded, but the URL does not answer, or a machine behind it is not well
	ExitTimeout     = 8   // --timeout is over
	ExitInterrupted = 130 // Ctrl-C
)

// Failure is an error as the user needs it: which step, what went wrong, what
// shows it, and what to do.
type Failure struct {
	// Step is the pipeline's step; Run fills it in.
	Step     string
	Cause    string
	Evidence []string // lines: log tails, events
	Fix      string
	// State says what stands now: "the previous revision serves at ...".
	State string
	// See names the commands that show more or lead on from here.
	See  string
	Exit int
	Err  error
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
		cause += ": " + plain(f.Err)
	}
	b.WriteString("  what:  " + printable(cause) + "\n")
	for i, l := range f.Evidence {
		label := "         "
		if i == 0 {
			label = "  why:   "
		}
		b.WriteString(label + printable(l) + "\n")
	}
	if f.Fix != "" {
		b.WriteString("  fix:   " + f.Fix + "\n")
	}
	if f.State != "" {
		b.WriteString("  now:   " + f.State + "\n")
	}
	if f.See != "" {
		b.WriteString("  see:   " + f.See + "\n")
	}
	return b.String()
}

// plain is err in AWS's words, without the SDK's around them.
func plain(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		text, _, _ := strings.Cut(err.Error(), " Encoded authorization failure message:")
		return text
	}
	text := api.ErrorCode()
	if m := api.ErrorMessage(); m != "" {
		text += ": " + m
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		text = op.Operation() + ": " + text
	}
	return text
}

// printable leaves out what could move the cursor or change colours: evidence comes
// from machines that are not to be trusted with the terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' {
			return ' '
		}
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, s)
}

// errorCode returns AWS's code of err, or "".
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if e := awserr.As(err); e != nil { // of internal/wire/client
		return e.Code
	}
	return ""
}

// usage is a fault of the project or of how the command was called.
func usage(format string, args ...any) *Failure {
	return &Failure{Exit: ExitCheck, Cause: fmt.Sprintf(format, args...)}
}

const fixKeys = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL; for a local server: eval \"$(sudo hardstand env)\""

// recognise gives what any step can meet, a missing permission, wrong keys or no
// server at all, its exit code and its remedy.
func (f *Failure) recognise(endpoint string) {
	switch errorCode(f.Err) {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden":
		f.Exit = ExitDenied
		if f.Fix == "" {
			f.Fix = "grant the caller the action that the message names"
		}
	case "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "RequestExpired",
		"UnrecognizedClientException", "InvalidSignatureException", "AuthFailure", "InvalidAccessKeyId":
		f.Exit, f.Fix = ExitDenied, fixKeys
	}
	var unsent *smithyhttp.RequestSendError
	if !errors.As(f.Err, &unsent) {
		return
	}
	f.Exit, f.Err = ExitUnexpected, unsent.Err
	f.Cause, f.Fix = "AWS cannot be reached", "look at the network of this machine; for a local server set AWS_ENDPOINT_URL"
	if endpoint != "" {
		f.Cause, f.Fix = "no server answers at "+endpoint, "start it with `sudo hardstand serve`, or correct AWS_ENDPOINT_URL"
	}
}

// isFault reports whether AWS could not answer, rather than would not.
func isFault(err error) bool {
	status := 0
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	} else if e := awserr.As(err); e != nil { // of internal/wire/client
		status = e.HTTPStatus()
	}
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented
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
	var verdict *Verdict
	if errors.As(err, &verdict) {
		return verdict.Exit
	}
	return ExitUnexpected
}
