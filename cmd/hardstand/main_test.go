package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/hardstand/hardstand/internal/app"
)

// command runs a command line and returns its exit code and what it wrote.
func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &console{&o, &e})
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		args string
		code int
		errs string // every part between bars is in the error output
	}{
		{"", 2, "expected one of|see: hardstand --help"},
		{"frobnicate", 2, "unexpected argument frobnicate|see: hardstand --help"},
		{"serve --nope", 2, "unknown flag --nope|see: hardstand serve --help"},
		{"serve --iam off", 2, "--iam must be one of|see: hardstand serve --help"},
		{"serve --listen here", 2, `"here" is not host:port|see: hardstand serve --help`},
		{"serve --public-cidr 1.2.3", 2, "not an address range|see: hardstand serve --help"},
		{"serve --account-id 1", 2, "is not 12 digits"},
		{"serve --instances fake --public-cidr 127.0.0.0/8", 1, "overlaps|fix: choose a range"},
		{"account create 12", 2, "it has 12 digits|see: hardstand account create --help"},
		{"account", 2, `expected "create"`},
		{"env --data-dir " + none, 1, "no server has been started|fix: start one with `hardstand serve`"},
		{"reset --data-dir " + none, 1, "no server has been started"},
		{"deploy " + none, 3, "FAILED at check|is not a directory"},
		{"deploy --timeout soon", 2, "invalid duration|see: hardstand deploy --help"},
		{"version", 0, ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, _, errs := command(t, strings.Fields(c.args)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, errs)
			}
			for want := range strings.SplitSeq(c.errs, "|") {
				if !strings.Contains(errs, want) {
					t.Errorf("%q lacks %q", errs, want)
				}
			}
		})
	}
}

// Every command says what it does and what its flags are.
func TestHelp(t *testing.T) {
	for _, args := range []string{"--help", "serve --help", "env --help", "deploy --help", "doctor --help", "account create --help", "reset --help", "version --help"} {
		var out bytes.Buffer
		code := -1
		func() {
			defer func() { _ = recover() }() // kong ends the process after its help
			run(t.Context(), strings.Fields(args), &console{&out, io.Discard}, kong.Exit(func(c int) { code = c; panic("exit") }))
		}()
		if code != 0 || !strings.HasPrefix(out.String(), "Usage: hardstand ") || !strings.Contains(out.String(), "--help") {
			t.Errorf("%s: exit code %d\n%s", args, code, out.String())
		}
	}
}

func TestReport(t *testing.T) {
	var errs bytes.Buffer
	c := &console{io.Discard, &errs}
	if code := c.report(&app.Refusal{Cause: "no", Remedy: "do", Err: errors.New("why")}); code != 1 || errs.String() != "hardstand: no: why\n  fix: do\n" {
		t.Errorf("%d %q", code, errs.String())
	}
}

// lines hands over each line that is written to it.
type lines struct {
	rest bytes.Buffer
	to   chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest.Write(p)
	for {
		line, err := l.rest.ReadString('\n')
		if err != nil {
			l.rest.WriteString(line)
			return len(p), nil
		}
		l.to <- strings.TrimSuffix(line, "\n")
	}
}

// TestServeAndFriends goes through a server's life by the commands alone.
func TestServeAndFriends(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	banner := &lines{to: make(chan string, 100)}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--instances", "fake", "--data-dir", dir, "--listen", "127.0.0.1:0", "--allow-reset"}, &console{banner, io.Discard})
	}()
	if first := <-banner.to; !strings.HasPrefix(first, "hardstand is ready at http://127.0.0.1:") {
		t.Fatalf("the banner begins with %q", first)
	}
	if code, out, errs := command(t, "env", "--data-dir", dir); code != 0 || !strings.Contains(out, "export AWS_ENDPOINT_URL='http://127.0.0.1:") {
		t.Errorf("env: %d %s%s", code, out, errs)
	}
	if code, out, errs := command(t, "account", "create", "--data-dir", dir, "210987654321"); code != 0 || !strings.Contains(out, "export AWS_SECRET_ACCESS_KEY='") {
		t.Errorf("account create: %d %s%s", code, out, errs)
	}
	if code, _, errs := command(t, "reset", "--data-dir", dir); code != 0 {
		t.Errorf("reset: %d %s", code, errs)
	}
	if code, _, errs := command(t, "serve", "--instances", "fake", "--data-dir", dir, "--listen", "127.0.0.1:0"); code != 1 || !strings.Contains(errs, "fix: stop it, or choose another directory") {
		t.Errorf("a second server: %d %s", code, errs)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("serve ended with %d", code)
	}
	if code, _, errs := command(t, "reset", "--data-dir", dir); code != 1 || !strings.Contains(errs, "no server answers") {
		t.Errorf("reset of nothing: %d %s", code, errs)
	}
}

func TestDoctorCommand(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // takes calls and says nothing
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	code, out, errs := command(t, "doctor", "--data-dir", filepath.Join(t.TempDir(), "data"), "--listen", l.Addr().String())
	if code != 1 || !strings.Contains(out, "FAIL  port") || !strings.Contains(out, "fix: stop what listens there") || !strings.Contains(errs, "serve cannot run here") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

func TestTerminalSize(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if terminalSize(f) != nil {
		t.Error("/dev/null was taken for a terminal")
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	size := terminalSize(master)
	if size == nil {
		t.Fatal("a terminal was taken for none")
	}
	if columns, rows := size(); columns != 80 || rows != 24 { // a new one has no size yet
		t.Errorf("%d columns, %d lines", columns, rows)
	}
}
