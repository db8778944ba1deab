package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestNoSuchStory holds that a name which is mistyped plays no other story.
func TestNoSuchStory(t *testing.T) {
	dir := t.TempDir()
	if err := run("/nonexistent", dir, "object", 1, 1); err == nil || err.Error() != `no story is called "object"` {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

// TestObjects kills a server a few times while clients write objects. scripts/crash.sh
// does so more often.
func TestObjects(t *testing.T) {
	const kills, seed = 8, 1
	binary := filepath.Join(t.TempDir(), "hardstand")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/hardstand").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := run(binary, "", "objects", kills, seed); err != nil {
		t.Error(err)
	}
}
