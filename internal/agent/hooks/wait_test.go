package hooks

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waitFor waits until a script has written the file at path, and returns its
// text. Scripts cannot signal otherwise; the poll is short and bounded by ctx.
func waitFor(ctx context.Context, t *testing.T, path string) string {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if data, err := os.ReadFile(path); err == nil && (len(data) > 0 || strings.HasSuffix(path, "up")) {
			return strings.TrimSpace(string(data))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s did not appear", path)
		}
	}
}

func killPID(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(n, syscall.SIGKILL)
}
