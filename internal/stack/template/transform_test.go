package template

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Whatever a template with transforms holds, it is refused with a text for the user
// or becomes a template that Parse may judge.
func FuzzTransform(f *testing.F) {
	files, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(member(a, "template"))
	}
	if len(files) == 0 {
		f.Fatal(os.ErrNotExist)
	}
	f.Fuzz(func(t *testing.T, body string) {
		head, has, err := ParseHead(body)
		if err != nil || !has {
			forUser(t, err)
			return
		}
		values, err := head.Resolve(nil, nil, everywhere{})
		if err != nil {
			forUser(t, err)
			return
		}
		s := Scope{Template: head, Pseudo: map[string]any{"AWS::Region": "us-east-1"}, Parameters: head.RefValues(values)}
		out, err := s.Transform(func(string) (map[string]any, error) {
			return map[string]any{"Included": map[string]any{"Type": "T"}}, nil
		})
		if err == nil {
			_, err = Parse(out)
		}
		forUser(t, err)
	})
}

// forUser fails a test for an error that has no text for the user.
func forUser(t *testing.T, err error) {
	t.Helper()
	if _, ok := Message(err); err != nil && !ok {
		t.Fatalf("%T: %v", err, err)
	}
}
