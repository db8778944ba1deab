package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "x.log")
	f, err := Open(path, 20, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if i == 5 { // an agent that was started again goes on where the last one ended
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if f, err = Open(path, 20, 2); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := fmt.Fprintf(f, "line %d of it\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": "8 9", ".1": "6 7", ".2": "4 5", ".3": ""} {
		text, err := os.ReadFile(path + name)
		var got []string
		for line := range strings.Lines(string(text)) {
			got = append(got, strings.Fields(line)[1])
		}
		if strings.Join(got, " ") != want || (err != nil) != (want == "") {
			t.Errorf("x.log%s has lines %q, want %s (%v)", name, got, want, err)
		}
	}
}

func TestLogThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open("/dev/null/x/y.log", 1, 1); err == nil || !strings.HasPrefix(err.Error(), "make log directory: ") {
		t.Error(err)
	}
	if _, err := Open(dir, 1, 1); err == nil || !strings.HasPrefix(err.Error(), "open log: ") {
		t.Error(err)
	}
}
