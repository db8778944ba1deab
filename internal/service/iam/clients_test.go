package iam_test

import (
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestBoto3 lets the stock SDK judge the wire: what it reads is compared with
// testdata/clients.golden.
func TestBoto3(t *testing.T) {
	service, server := serve(t, clock.System{})
	web := httptest.NewServer(server)
	defer web.Close()
	key, err := service.RootKey(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "testdata/clients.py", web.URL, key.ID, key.Secret)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3 with boto3 judges the wire: %v\n%s", err, out)
	}
	compareGolden(t, "testdata/clients.golden", string(out))
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "", ""
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Errorf("line %d\ngot  %s\nwant %s", i+1, g, w)
		}
	}
}
