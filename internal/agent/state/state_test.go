package state

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPrune(t *testing.T) {
	d := Dir{Root: t.TempDir(), Ongoing: "ongoing"}
	for i, name := range []string{"d-1", "d-2", "d-3", "d-4"} {
		p := d.Deployment("g", name)
		if err := os.MkdirAll(p, 0o755); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(1000+i), 0)
		if err := os.Chtimes(p, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.SetLastSuccessful("g", d.Deployment("g", "d-1")); err != nil {
		t.Fatal(err)
	}
	if err := d.Prune("g", "d-5", 3); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(d.Deployment("g", "*"))
	if len(left) != 2 || filepath.Base(left[0]) != "d-1" || filepath.Base(left[1]) != "d-4" {
		t.Errorf("left %q: with d-5 there may be 3, and d-1 is the last successful", left)
	}
	if err := d.Prune("other", "d-5", 3); err != nil {
		t.Errorf("a new group: %v", err)
	}
}

func TestPointers(t *testing.T) {
	d := Dir{Root: t.TempDir(), Ongoing: "ongoing"}
	if p, err := d.LastSuccessful("g"); p != "" || err != nil {
		t.Errorf("nothing installed: %q, %v", p, err)
	}
	own := d.Deployment("g", "d-1")
	if err := d.SetMostRecent("g", own); err != nil {
		t.Fatal(err)
	}
	if p, err := d.MostRecent("g"); p != "" || err != nil {
		t.Errorf("pruned by hand: %q, %v", p, err)
	}
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if p, err := d.MostRecent("g"); p != own || err != nil {
		t.Errorf("%q, %v", p, err)
	}
	if err := d.SetLastSuccessful("g", "/etc"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.LastSuccessful("g"); err == nil {
		t.Error("a pointer out of root_dir was believed")
	}
}

func TestTracking(t *testing.T) {
	d := Dir{Root: t.TempDir(), Ongoing: "ongoing"}
	if err := d.Track("d-1", "command-1"); err != nil {
		t.Fatal(err)
	}
	got, err := d.Tracked()
	if err != nil || len(got) != 1 || got["d-1"] != "command-1" {
		t.Errorf("%v, %v", got, err)
	}
	for range 2 { // forgetting twice is no error
		if err := d.Untrack("d-1"); err != nil {
			t.Error(err)
		}
	}
}
