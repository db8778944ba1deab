package config

import (
	"reflect"
	"slices"
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
	if len(c.Unknown) != 0 || len(c.Unheeded) != 0 {
		t.Errorf("unknown keys %q, unheeded %q", c.Unknown, c.Unheeded)
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

// Every key of AWS's agents is known: it is heeded, or holds here always, or is
// said to be missing.
func TestOfficialKeys(t *testing.T) {
	text := `---
:program_name: agent
:log_dir: /l
:pid_dir: /p
:root_dir: /r
:on_premises_config_file: /o
:proxy_uri: http://proxy:3128
:s3_endpoint_override: http://s3
:ongoing_deployment_tracking: ongoing
:http_read_timeout: 70
:kill_agent_max_wait_time_seconds: 60
:enable_deployments_log: false
:disable_imds_v1: true
:use_fips_mode: true
:verbose: true
:log_aws_wire: true
:enable_command_port: true
:restrict_agent_dir_permissions: true
:restrict_log_dir_permissions: false
:reject_symlinks_in_bundle: true
:reject_unsafe_permissions_in_bundle: true
:reject_unconfined_selinux_in_bundle: true
:restrict_hook_env_to_allowlist: true
:typo_of_a_key: 1
`
	for _, key := range settled {
		text += ":" + key + ": true\n"
	}
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"enable_command_port", "log_aws_wire", "restrict_agent_dir_permissions"}; !slices.Equal(c.Unheeded, want) || !slices.Equal(c.Unknown, []string{"typo_of_a_key"}) {
		t.Errorf("unheeded %q, unknown %q", c.Unheeded, c.Unknown)
	}
	c.Unheeded, c.Unknown = nil, nil
	want := Config{
		RootDir: "/r", LogDir: "/l", PidDir: "/p", ProgramName: "agent", OnPremisesFile: "/o", ProxyURI: "http://proxy:3128", S3Endpoint: "http://s3",
		DisableIMDSv1: true, UseFIPS: true, Verbose: true, WaitBetweenRuns: time.Second, ReadTimeout: 70 * time.Second, KillWait: time.Minute,
		MaxRevisions: 5, OngoingDir: "ongoing", SignerCA: DefaultSignerCA, MaxExtractionSize: 16 << 30,
		RejectLinks: true, RejectUnsafeModes: true, RejectUnconfined: true, RestrictHookEnv: true,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v\nwant %+v", c, want)
	}
	if c.PidFile() != "/p/agent.pid" || c.LogFile() != "/l/agent.log" {
		t.Errorf("%s, %s", c.PidFile(), c.LogFile())
	}
}

func TestDefaults(t *testing.T) {
	c, err := Parse(nil)
	if err != nil || !reflect.DeepEqual(c, Default()) || c.KillWait != 2*time.Hour || !c.EnableDeployLog || c.MaxRevisions != 5 || c.RootDir != "/opt/codedeploy-agent/deployment-root" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "12B": 12, "4GB": 4e9, "500 MB": 5e8, "1KiB": 1024, "2mib": 2 << 20, "1TB": 1e12, "3TiB": 3 << 40} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "GB", "1.5GB", "99999999999TB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(":root_dir: /r\n:max_revisions: 3\n:proxy_uri:\n:archive_max_extraction_size: 1GiB\n"))
	f.Add([]byte("{log_dir: /l, verbose: true, :wait_between_runs: 1}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err == nil && (c.MaxRevisions < 1 || c.MaxExtractionSize < 1 || c.WaitBetweenRuns < 0 || !strings.HasPrefix(c.RootDir, "/") || strings.Contains(c.OngoingDir, "/")) {
			t.Errorf("accepted %+v", c)
		}
	})
}
