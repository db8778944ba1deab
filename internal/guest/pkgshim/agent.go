package pkgshim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/units"
)

// agentFiles are what the package holds beside links to the guest binary.
var agentFiles = []struct {
	path    string
	mode    os.FileMode
	config  bool // kept when it is there already
	content string
}{
	{"/etc/codedeploy-agent/conf/codedeployagent.yml", 0o644, true, `---
:log_aws_wire: false
:log_dir: '/var/log/aws/codedeploy-agent/'
:pid_dir: '/opt/codedeploy-agent/state/.pid/'
:program_name: codedeploy-agent
:root_dir: '/opt/codedeploy-agent/deployment-root'
:verbose: false
:wait_between_runs: 1
:proxy_uri:
:max_revisions: 5
`},
	{"/etc/systemd/system/codedeploy-agent.service", 0o644, false, `[Unit]
Description=AWS CodeDeploy Host Agent (hardstand)
After=network.target

[Service]
Type=simple
ExecStart=/opt/codedeploy-agent/bin/codedeploy-agent run
Restart=on-failure
RestartSec=3
# What hooks leave running belongs to the application, not to the agent.
KillMode=process
TimeoutStopSec=7200

[Install]
WantedBy=multi-user.target
`},
	{"/etc/init.d/codedeploy-agent", 0o755, false, `#!/bin/sh
# Start, stop and ask for the CodeDeploy agent.
exec /usr/local/bin/service codedeploy-agent "$@"
`},
}

var agentDirs = []string{"/opt/codedeploy-agent/bin", "/opt/codedeploy-agent/state/.pid",
	"/opt/codedeploy-agent/deployment-root", "/var/log/aws/codedeploy-agent"}

const (
	agentVersionFile = "/opt/codedeploy-agent/.version"
	agentProgram     = "/opt/codedeploy-agent/bin/codedeploy-agent"
	agentLocal       = "/opt/codedeploy-agent/bin/codedeploy-local"
)

// agentInstalled returns the version of the agent that is in place, or "".
func agentInstalled(root guest.Root) string {
	var version string
	b, err := os.ReadFile(root.Path(agentVersionFile))
	if err != nil || !root.Exists(agentProgram) {
		return ""
	}
	if _, err := fmt.Sscanf(string(b), "agent_version: %s", &version); err != nil {
		return ""
	}
	return version
}

// placeAgent puts the agent's files where the official packages have them,
// enables it and starts it. Doing it again replaces all but the configuration.
func (s *Shim) placeAgent(version string) error {
	for _, dir := range agentDirs {
		if err := os.MkdirAll(s.Root.Path(dir), 0o755); err != nil {
			return err
		}
	}
	for _, f := range agentFiles {
		if f.config && s.Root.Exists(f.path) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(s.Root.Path(f.path)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(s.Root.Path(f.path), []byte(f.content), f.mode); err != nil {
			return err
		}
	}
	for _, link := range []string{agentProgram, agentLocal} {
		if err := os.Remove(s.Root.Path(link)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(guest.Binary, s.Root.Path(link)); err != nil {
			return err
		}
	}
	line := "agent_version: " + version + "\n"
	if err := os.WriteFile(s.Root.Path(agentVersionFile), []byte(line), 0o444); err != nil {
		return err
	}
	if _, _, _, err := units.Enable(s.Root, agentPackage); err != nil {
		return err
	}
	return s.agentUnit(control.Restart)
}

// removeAgent undoes placeAgent. Deployments, logs and configuration stay, as
// they do when the official package is removed.
func (s *Shim) removeAgent() error {
	if err := s.agentUnit(control.Stop); err != nil {
		return err
	}
	if _, _, err := units.Disable(s.Root, agentPackage); err != nil {
		return err
	}
	for _, p := range []string{agentProgram, agentLocal, agentVersionFile, agentFiles[1].path, agentFiles[2].path} {
		if err := os.Remove(s.Root.Path(p)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (s *Shim) agentUnit(action control.Action) error {
	r, err := s.Do(control.Request{Op: control.OpUnit, Unit: units.Name(agentPackage), Action: action})
	if err != nil {
		return err
	}
	if r.Error != "" {
		return errors.New(r.Error)
	}
	return nil
}
