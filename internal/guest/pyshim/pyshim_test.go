package pyshim

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/guest"
)

func image(t *testing.T, programs ...string) (*Shim, *string) {
	t.Helper()
	root := guest.Root(t.TempDir())
	if err := os.MkdirAll(root.Path("/usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		if err := os.WriteFile(root.Path("/usr/bin/"+p), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := new(string)
	return &Shim{Root: root, Stderr: &bytes.Buffer{}, Exec: func(program string, argv, _ []string) error {
		*got = strings.TrimPrefix(program, string(root)) + " " + strings.Join(argv[1:], " ")
		return errors.New("exec in a test")
	}}, got
}

func TestRun(t *testing.T) {
	tests := []struct {
		name, image, call, want string
	}{
		{"server", "python3", "python -m SimpleHTTPServer", "/usr/bin/python3 -m http.server"},
		{"server with port", "python3", "python -m SimpleHTTPServer 80", "/usr/bin/python3 -m http.server 80"},
		{"unbuffered", "python3", "python -u -m SimpleHTTPServer 80", "/usr/bin/python3 -u -m http.server 80"},
		{"joined", "python3", "python2 -mSimpleHTTPServer", "/usr/bin/python3 -mhttp.server"},
		{"cgi", "python3", "python -m CGIHTTPServer 81", "/usr/bin/python3 -m http.server --cgi 81"},
		{"command", "python3", "python -c x -m SimpleHTTPServer", "/usr/bin/python3 -c x -m SimpleHTTPServer"},
		{"script", "python3", "python2.7 app.py -m SimpleHTTPServer", "/usr/bin/python3 app.py -m SimpleHTTPServer"},
		{"warning option", "python3", "python -W ignore -m SimpleHTTPServer", "/usr/bin/python3 -W ignore -m http.server"},
		{"real python2", "python3 python2.7", "python2 -m SimpleHTTPServer", "/usr/bin/python2.7 -m SimpleHTTPServer"},
		{"real python", "python3 python", "python -m SimpleHTTPServer", "/usr/bin/python -m SimpleHTTPServer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, got := image(t, strings.Fields(tt.image)...)
			words := strings.Fields(tt.call)
			if code := s.Run(words[0], words[1:]); code != 126 {
				t.Errorf("exit %d", code)
			}
			if *got != tt.want {
				t.Errorf("ran %q, want %q", *got, tt.want)
			}
		})
	}
}

func TestNoPython(t *testing.T) {
	s, _ := image(t)
	if code := s.Run("python", nil); code != 127 {
		t.Errorf("exit %d", code)
	}
}
