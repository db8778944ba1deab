package agent

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
)

// Log collectors read the agent's log by the form that AWS's agent writes.
func TestLogLines(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(newLineHandler(&b, "codedeploy-agent", slog.LevelInfo))
	log.Debug("left out")
	log.Info("agent started")
	log.Warn("poll failed\nforged line", "error", errors.New("no route"))
	log.With("host", "h 1").WithGroup("command").Error("hook failed", "name", "Install")
	want := []string{
		`INFO  \[codedeploy-agent\(\d+\)\]: agent started`,
		`WARN  \[codedeploy-agent\(\d+\)\]: poll failed forged line error="no route"`,
		`ERROR \[codedeploy-agent\(\d+\)\]: hook failed host="h 1" command.name=Install`,
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), &b)
	}
	for i, w := range want {
		if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d ` + w + `$`).MatchString(lines[i]) {
			t.Errorf("line %q, want %s", lines[i], w)
		}
	}
}
