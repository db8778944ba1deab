package config

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	c, err := Parse([]byte("---\n:log_aws_wire: false\n:root_dir: '/r'\n:max_revisions: 3\n:wait_between_runs: 1\n:enable_auth_policy: true\n" +
		":deploy_control_endpoint: http://127.0.0.1:4566\n:proxy_uri:\n:archive_max_extraction_size: 1GiB\nlog_dir: /l\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.RootDir != "/r" || c.LogDir != "/l" || c.MaxRevisions != 3 || c.WaitBetweenRuns != time.Second || !c.EnableAuthPolicy ||
		c.ControlEndpoint != "http://127.0.0.1:4566" || c.MaxExtractionSize != 1<<30 || c.ReadTimeout != 80*time.Second {
		t.Errorf("got %+v", c)
	}
	if len(c.Unknown) != 1 || c.Unknown[0] != "log_aws_wire" {
		t.Errorf("unknown keys %q", c.Unknown)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		":max_revisions: 0":                          "invalid max_revisions",
		":max_revisions: many":                       "invalid max_revisions",
		":wait_between_runs: soon":                   "not a number of seconds",
		":verbose: maybe":                            "not true or false",
		":root_dir: here":                            "must be absolute paths",
		":deploy_control_endpoint: ftp://x":          "neither an https:// nor an http:// URL",
		":ongoing_deployment_tracking: ../elsewhere": "is not a directory name",
		":archive_max_extraction_size: big":          "is not a size",
		"- a list":                                   "",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v, want %q", text, err, want)
		}
	}
}

func TestLoadWithoutFile(t *testing.T) {
	if _, err := Load("/nonexistent/agent.yml"); err == nil {
		t.Error("a file that was asked for may not be missing")
	}
}
