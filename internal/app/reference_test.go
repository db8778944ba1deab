package app

import (
	"os"
	"path/filepath"
	"testing"
)

// The committed reference is what the tables say today.
func TestReferenceIsCurrent(t *testing.T) {
	fresh := t.TempDir()
	if err := WriteReference(fresh); err != nil {
		t.Fatal(err)
	}
	const committed = "../../docs/reference"
	want := pages(t, fresh)
	got := pages(t, committed)
	for name, text := range want {
		if got[name] != text {
			t.Errorf("docs/reference/%s is not what the tables say; run: go run ./cmd/hardstand reference docs/reference", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("docs/reference/%s belongs to no service", name)
		}
	}
}

func pages(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = string(text)
	}
	return all
}
