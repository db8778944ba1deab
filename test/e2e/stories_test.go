package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
)

const (
	waitLimit = 60 * time.Second
	pause     = 100 * time.Millisecond
)

// teller tells stories through the SDK.
type teller struct {
	clients map[string]any
	run     string
	called  map[string]bool // service and operation
}

func TestStories(t *testing.T) {
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		t.Fatal("AWS_ENDPOINT_URL is not set: run `make e2e`, or start a server and eval its env")
	}
	all, err := clients(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	teller := &teller{clients: all, run: fmt.Sprintf("go%d", time.Now().UnixMilli()), called: map[string]bool{}}
	files, err := filepath.Glob("stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { teller.tell(t, file) })
	}
	if !t.Failed() {
		teller.checkComplete(t)
	}
}

func (w *teller) tell(t *testing.T, file string) {
	s, err := readStory(file)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	vars := map[string]string{"run": w.run, "now": strconv.FormatInt(now.UnixMilli(), 10),
		"before": now.Add(-time.Hour).UTC().Format(time.RFC3339), "after": now.Add(time.Hour).UTC().Format(time.RFC3339)}
	for name, text := range s.texts {
		vars[name] = strings.ReplaceAll(text, "${run}", w.run)
	}
	for _, step := range s.steps {
		w.called[step.service+" "+step.operation] = true
		if err := w.take(t.Context(), step, vars); err != nil {
			t.Fatalf("%s:%d: %s %s: %v", file, step.line, step.service, step.operation, err)
		}
	}
}

// take makes a call, again where the story waits for something.
func (w *teller) take(ctx context.Context, s step, vars map[string]string) error {
	input, err := fill(s.input, vars, true)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(waitLimit)
	for {
		answer, err := call(ctx, w.clients[s.service], s.operation, input)
		if len(s.checks) == 1 && s.checks[0].verb == "fails" {
			return failsWith(err, s.checks[0].path)
		}
		if err != nil {
			return err
		}
		again, err := judge(answer, s.checks, vars)
		if err == nil {
			return keep(answer, s.checks, vars)
		}
		if !again || time.Now().After(deadline) {
			return fmt.Errorf("%w\n%s", err, text(answer))
		}
		time.Sleep(pause)
	}
}

func failsWith(err error, code string) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("it must fail with %s: %w", code, err)
	}
	if api.ErrorCode() != code {
		return fmt.Errorf("it must fail with %s, not %s: %s", code, api.ErrorCode(), api.ErrorMessage())
	}
	return nil
}

var row = regexp.MustCompile(`(?m)^\| ([A-Z]\w+) \|`)

// checkComplete compares what was called with what docs/reference lists.
func (w *teller) checkComplete(t *testing.T) {
	for _, service := range slices.Sorted(maps.Keys(w.clients)) {
		page, err := os.ReadFile(filepath.Join("../../docs/reference", service+".md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range row.FindAllSubmatch(page, -1) {
			if operation := string(m[1]); !w.called[service+" "+operation] {
				t.Errorf("no story calls %s %s", service, operation)
			}
		}
	}
}
