// Package config reads the agent's configuration,
// /etc/codedeploy-agent/conf/codedeployagent.yml, whose keys are written as
// Ruby symbols (`:root_dir:`). A missing file means the defaults; keys that only
// concern the official agents' process model are known and without effect.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Paths that the packages of the official agent use too.
const (
	DefaultFile       = "/etc/codedeploy-agent/conf/codedeployagent.yml"
	DefaultOnPremises = "/etc/codedeploy-agent/conf/codedeploy.onpremises.yml"
	DefaultSignerCA   = "/etc/codedeploy-agent/conf/deployment-signer-ca.pem"
)

// Config is the agent's configuration, defaults filled in.
type Config struct {
	RootDir           string
	LogDir            string
	PidDir            string
	ProgramName       string
	OnPremisesFile    string
	ProxyURI          string
	ControlEndpoint   string // replaces https://codedeploy-commands.<region>.<domain>
	S3Endpoint        string
	EnableAuthPolicy  bool
	DisableIMDSv1     bool
	UseFIPS           bool
	EnableDeployLog   bool
	Verbose           bool
	WaitBetweenRuns   time.Duration
	ReadTimeout       time.Duration // bounds a held poll
	KillWait          time.Duration // how long stop waits for a running command
	MaxRevisions      int
	OngoingDir        string // below RootDir
	SignerCA          string // PEM file; see package spec
	MaxExtractionSize int64  // bytes a bundle may grow to

	// Restrictions that agent 2.x has and that do not apply always here.
	RejectLinks, RejectUnsafeModes, RejectUnconfined, RestrictHookEnv bool

	// Unknown are keys that mean nothing to the agent, Unheeded those that ask for
	// what it does not have.
	Unknown, Unheeded []string
}

// Default returns the configuration of a host without a configuration file.
func Default() Config {
	return Config{
		RootDir: "/opt/codedeploy-agent/deployment-root", LogDir: "/var/log/aws/codedeploy-agent",
		PidDir: "/opt/codedeploy-agent/state/.pid", ProgramName: "codedeploy-agent",
		OnPremisesFile: DefaultOnPremises, SignerCA: DefaultSignerCA,
		EnableDeployLog: true, WaitBetweenRuns: time.Second, ReadTimeout: 80 * time.Second,
		KillWait: 7200 * time.Second, MaxRevisions: 5, OngoingDir: "ongoing-deployment",
		MaxExtractionSize: 16 << 30,
	}
}

// Load reads the file at path. The default path may be missing.
func Load(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && path == DefaultFile {
		return Default(), nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("read agent configuration: %w", err)
	}
	c, err := Parse(data)
	if err != nil {
		return Config{}, fmt.Errorf("agent configuration %s: %w", path, err)
	}
	return c, nil
}

// Parse reads a configuration document.
func Parse(data []byte) (Config, error) {
	raw := map[string]any{}
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return Config{}, err
	}
	c := Default()
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		v := raw[key]
		name := strings.Trim(key, ":")
		if v == nil {
			continue
		}
		if err := c.set(name, strings.TrimSpace(fmt.Sprint(v))); err != nil {
			return Config{}, fmt.Errorf(":%s: %w", name, err)
		}
	}
	return c, c.check()
}

// settled are keys of the official agents that ask for what holds here always, or
// concern how those agents are made.
var settled = []string{
	"ignore_ownership_in_bundle", "reject_path_traversal_in_bundle", "reject_symlink_permission_targets", "strip_loader_env_in_hooks",
	"disable_core_dumps", "disable_powershell_profile_in_hooks", "enable_archive_reuse", "children", "max_runs_per_worker", "plugins", "user", "group",
	"wait_after_error", "wait_after_throttle_error", "wait_after_connection_problem", "wait_between_spawning_children", "shared_dir",
	"codedeploy_test_profile", "use_mock_command_service", "instance_service_region", "instance_service_endpoint", "instance_service_port", "ssl_verify_peer",
}

// missing are those that ask, when true, for what this agent does not have.
var missing = []string{"log_aws_wire", "enable_command_port", "restrict_agent_dir_permissions", "restrict_log_dir_permissions"}

func (c *Config) set(name, v string) error {
	texts, flags, seconds := c.texts(), c.flags(), c.seconds()
	switch {
	case texts[name] != nil:
		*texts[name] = v
	case flags[name] != nil:
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("%q is not true or false", v)
		}
		*flags[name] = b
	case seconds[name] != nil:
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number of seconds", v)
		}
		*seconds[name] = time.Duration(n) * time.Second
	case name == "max_revisions":
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return fmt.Errorf("invalid max_revisions %q: it must be a number of at least 1", v)
		}
		c.MaxRevisions = n
	case name == "archive_max_extraction_size":
		n, err := parseSize(v)
		if err != nil {
			return err
		}
		c.MaxExtractionSize = n
	case slices.Contains(missing, name):
		if on, err := strconv.ParseBool(v); err != nil || on {
			c.Unheeded = append(c.Unheeded, name)
		}
	case !slices.Contains(settled, name):
		c.Unknown = append(c.Unknown, name)
	}
	return nil
}

func (c *Config) texts() map[string]*string {
	return map[string]*string{
		"root_dir": &c.RootDir, "log_dir": &c.LogDir, "pid_dir": &c.PidDir, "program_name": &c.ProgramName,
		"on_premises_config_file": &c.OnPremisesFile, "proxy_uri": &c.ProxyURI,
		"deploy_control_endpoint": &c.ControlEndpoint, "s3_endpoint_override": &c.S3Endpoint,
		"ongoing_deployment_tracking": &c.OngoingDir, "signer_ca_file": &c.SignerCA,
	}
}

func (c *Config) flags() map[string]*bool {
	return map[string]*bool{
		"enable_auth_policy": &c.EnableAuthPolicy, "disable_imds_v1": &c.DisableIMDSv1, "use_fips_mode": &c.UseFIPS,
		"enable_deployments_log": &c.EnableDeployLog, "verbose": &c.Verbose,
		"reject_symlinks_in_bundle": &c.RejectLinks, "reject_unsafe_permissions_in_bundle": &c.RejectUnsafeModes,
		"reject_unconfined_selinux_in_bundle": &c.RejectUnconfined, "restrict_hook_env_to_allowlist": &c.RestrictHookEnv,
	}
}

func (c *Config) seconds() map[string]*time.Duration {
	return map[string]*time.Duration{
		"wait_between_runs": &c.WaitBetweenRuns, "http_read_timeout": &c.ReadTimeout,
		"kill_agent_max_wait_time_seconds": &c.KillWait,
	}
}

// check holds what the rest of the agent relies on.
func (c *Config) check() error {
	if !filepath.IsAbs(c.RootDir) || !filepath.IsAbs(c.LogDir) || !filepath.IsAbs(c.PidDir) {
		return errors.New("root_dir, log_dir and pid_dir must be absolute paths")
	}
	if c.OngoingDir == "" || c.OngoingDir != filepath.Base(c.OngoingDir) {
		return fmt.Errorf("ongoing_deployment_tracking %q is not a directory name", c.OngoingDir)
	}
	for _, u := range []string{c.ControlEndpoint, c.S3Endpoint} {
		if u != "" && !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
			return fmt.Errorf("endpoint %q is neither an https:// nor an http:// URL", u)
		}
	}
	return nil
}

// PidFile is where a running agent leaves its process id.
func (c *Config) PidFile() string { return filepath.Join(c.PidDir, c.ProgramName+".pid") }

// LogFile is the agent's own log.
func (c *Config) LogFile() string { return filepath.Join(c.LogDir, c.ProgramName+".log") }

// parseSize reads bytes, "4GB" (powers of ten) or "1GiB" (powers of two).
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTiBkmgtb ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a size", s)
	}
	unit := strings.ToUpper(strings.TrimSpace(s[len(digits):]))
	base := int64(1000)
	if strings.Contains(unit, "I") {
		base = 1024
	}
	power := strings.IndexByte("BKMGT", (unit + "B")[0])
	for range power {
		if n > 1<<62/base {
			return 0, fmt.Errorf("%q is too large", s)
		}
		n *= base
	}
	return n, nil
}
