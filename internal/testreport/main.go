// Command testreport reads `go test -json` from standard input. It prints a line
// for each package, everything that a failing test printed, and at the end the
// tests that could not run here, each with its reason, so that nothing is passed
// over in silence. It exits with 1 when something failed or nothing ran.
//
// It is part of `make test` and imports the standard library only.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type report struct {
	out            io.Writer
	output         map[string][]string // by package and test, until it is known to pass
	passed, failed int
	skipped        []string
	broken         bool
}

func main() {
	r := &report{out: os.Stdout, output: map[string][]string{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	os.Exit(r.finish())
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			// What is not JSON comes from the build.
			fmt.Fprintln(r.out, lines.Text())
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		r.output[key] = append(r.output[key], e.Output)
	case "build-fail":
		r.broken = true
		r.dump(key)
	case "fail":
		r.broken = true
		if e.Test != "" {
			r.failed++
		}
		fmt.Fprintf(r.out, "FAIL  %s  %.1fs\n", strings.TrimSpace(key), e.Elapsed)
		r.dump(key)
	case "skip":
		if e.Test != "" {
			r.skipped = append(r.skipped, strings.TrimSpace(key)+": "+reason(r.output[key]))
		}
		delete(r.output, key)
	case "pass":
		if e.Test == "" {
			fmt.Fprintf(r.out, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
		} else {
			r.passed++
		}
		delete(r.output, key)
	}
}

func (r *report) dump(key string) {
	for _, l := range r.output[key] {
		fmt.Fprint(r.out, "      ", l)
	}
	delete(r.output, key)
}

// reason finds what t.Skip said.
func reason(output []string) string {
	for _, l := range slices.Backward(output) {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "---") && !strings.HasPrefix(l, "===") {
			if _, text, ok := strings.Cut(l, ".go:"); ok {
				if _, said, ok := strings.Cut(text, ": "); ok {
					return said
				}
			}
			return l
		}
	}
	return "no reason given"
}

func (r *report) finish() int {
	if len(r.skipped) > 0 {
		fmt.Fprintln(r.out, "\nnot run here:")
		for _, s := range r.skipped {
			fmt.Fprintln(r.out, "  "+s)
		}
	}
	fmt.Fprintf(r.out, "\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped))
	if r.broken || r.passed == 0 {
		return 1
	}
	return 0
}
