package boot

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/userdata"
)

func TestCloudInitStatus(t *testing.T) {
	root := guest.Root(t.TempDir())
	c := clock.NewManual(time.Unix(0, 0))
	var out, errs bytes.Buffer
	if code := cloudInit(root, c, []string{"status"}, &out, &errs); code != 0 || out.String() != "status: running\n" {
		t.Errorf("exit %d, %q", code, out.String())
	}
	out.Reset()
	done := make(chan int, 1)
	go func() { done <- cloudInit(root, c, []string{"status", "--wait"}, &out, &errs) }()
	if err := c.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(root.Path("/var/lib/cloud/instance"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root.Path(userdata.FinishedFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c.Advance(poll)
	if code := <-done; code != 0 || out.String() != "status: done\n" {
		t.Errorf("exit %d, %q", code, out.String())
	}
	if code := cloudInit(root, c, []string{"clean"}, &out, &errs); code == 0 {
		t.Error("clean did something")
	}
}
