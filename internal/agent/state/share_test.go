package state

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
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
			live(t, d, "d-3", "d-3")
			saved, err := d.ShareDormant("g")
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

// live makes a revision of each name, the last successful and the most recent one.
func live(t *testing.T, d Dir, last, recent string) {
	t.Helper()
	for name, set := range map[string]func(string, string) error{last: d.SetLastSuccessful, recent: d.SetMostRecent} {
		own := d.Deployment("g", name)
		if err := os.MkdirAll(own, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := set("g", own); err != nil {
			t.Fatal(err)
		}
	}
	if last == recent {
		if err := d.SetLastSuccessful("g", d.Deployment("g", last)); err != nil {
			t.Fatal(err)
		}
	}
}

// The scripts of live revisions run, and may write into files beside them: those
// are nobody else's. Nor do two groups ever share a file.
func TestLiveRevisionsShareNothing(t *testing.T) {
	d := Dir{Root: t.TempDir()}
	then := time.Unix(1000, 0)
	file := func(group, name string) string { return filepath.Join(Archive(d.Deployment(group, name)), "data") }
	all := []string{file("g", "d-1"), file("g", "d-2"), file("g", "d-3"), file("g", "d-4"), file("other", "d-1"), file("other", "d-2")}
	for i, p := range all {
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, bytes.Repeat([]byte("a"), shareFrom), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, then, then); err != nil {
			t.Fatal(err)
		}
		at := then.Add(time.Duration(i) * time.Hour)
		if err := os.Chtimes(filepath.Dir(filepath.Dir(p)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	live(t, d, "d-3", "d-4")
	if saved, err := d.ShareDormant("g"); err != nil || saved != shareFrom {
		t.Errorf("saved %d, %v", saved, err)
	}
	if saved, err := d.ShareDormant("g"); err != nil || saved != 0 {
		t.Errorf("saved again %d, %v", saved, err)
	}
	links := map[string]uint64{}
	for _, p := range all {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		links[p] = uint64(info.Sys().(*syscall.Stat_t).Nlink)
	}
	for i, p := range all {
		if want := uint64(1); i >= 2 && links[p] != want || i < 2 && links[p] != 2 {
			t.Errorf("%s has %d links", p, links[p])
		}
	}
}
