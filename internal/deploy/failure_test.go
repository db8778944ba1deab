package deploy

import (
	"errors"
	"fmt"
	"testing"
)

func TestFailureText(t *testing.T) {
	f := &Failure{Step: "stack", Cause: "it broke", Evidence: []string{"first\tline", "second \x1b[31mline"}, Fix: "mend it", State: "it stands", Err: errors.New("because")}
	want := "FAILED at stack\n  what:  it broke: because\n  why:   first line\n         second [31mline\n  fix:   mend it\n  now:   it stands\n"
	if got := f.Text(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := (&Failure{Step: "url", Cause: "no"}).Text(); got != "FAILED at url\n  what:  no\n" {
		t.Errorf("%s", got)
	}
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{&Failure{Exit: ExitStack}, 5},
		{fmt.Errorf("wrapped: %w", &Failure{Exit: ExitURL}), 7},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestTail(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, "[]"}, {"one", 3, "[one]"}, {"one\r\n\n  \ntwo  \nthree\n", 2, "[two three]"},
	} {
		if got := fmt.Sprint(tail(c.text, c.n)); got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
}
