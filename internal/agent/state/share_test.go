package state

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestShare(t *testing.T) {
	large, other := bytes.Repeat([]byte("a"), 2*shareFrom), bytes.Repeat([]byte("b"), 2*shareFrom)
	then := time.Unix(1000, 0)
	type file struct {
		content []byte
		mode    os.FileMode
		time    time.Time
	}
	same := file{large, 0o644, then}
	tests := []struct {
		name     string
		old, own file
		path     string
		shared   bool
	}{
		{"alike", same, same, "deployment-archive/lib/x.so", true},
		{"a bundle of another time", same, file{large, 0o644, then.Add(1e9)}, "bundle.tar", true},
		{"other bytes", same, file{other, 0o644, then}, "deployment-archive/x", false},
		{"another size", same, file{large[1:], 0o644, then}, "deployment-archive/x", false},
		{"another mode", same, file{large, 0o755, then}, "deployment-archive/x", false},
		{"another time", same, file{large, 0o644, then.Add(1e9)}, "deployment-archive/x", false},
		{"small", file{large[:9], 0o644, then}, file{large[:9], 0o644, then}, "deployment-archive/x", false},
		{"a log", same, same, "logs/scripts.log", false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := Dir{Root: t.TempDir()}
			paths := map[string]file{filepath.Join(d.Deployment("g", "d-1"), tc.path): tc.old, filepath.Join(d.Deployment("g", "d-2"), tc.path): tc.own}
			for p, f := range paths {
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, f.content, f.mode); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(p, f.time, f.time); err != nil {
					t.Fatal(err)
				}
			}
			saved, err := d.Share("g", "d-2", d.Deployment("g", "d-1"))
			if err != nil {
				t.Fatal(err)
			}
			old, _ := os.Stat(filepath.Join(d.Deployment("g", "d-1"), tc.path))
			own, _ := os.Stat(filepath.Join(d.Deployment("g", "d-2"), tc.path))
			if os.SameFile(old, own) != tc.shared || (saved > 0) != tc.shared {
				t.Errorf("one file: %v, saved %d, want %v", os.SameFile(old, own), saved, tc.shared)
			}
			if got, err := os.ReadFile(filepath.Join(d.Deployment("g", "d-2"), tc.path)); err != nil || !bytes.Equal(got, tc.own.content) {
				t.Errorf("content changed: %v", err)
			}
		})
	}
}

// Nothing is shared with what lies elsewhere, or with itself.
func TestShareWithNothing(t *testing.T) {
	d := Dir{Root: t.TempDir()}
	for _, earlier := range []string{"", "/etc", d.Deployment("other", "d-1"), d.Deployment("g", "d-2")} {
		if saved, err := d.Share("g", "d-2", earlier); saved != 0 || err != nil {
			t.Errorf("%q: %d, %v", earlier, saved, err)
		}
	}
}
