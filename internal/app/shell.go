package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/instance/container"
)

// Exports returns lines for a POSIX shell that point AWS's tools at the server.
// AWS_PROFILE would win over the keys, so it is unset.
func (a Access) Exports() []string {
	return []string{
		"unset AWS_PROFILE AWS_SESSION_TOKEN",
		"export AWS_ENDPOINT_URL=" + quote(a.Endpoint),
		"export AWS_ACCESS_KEY_ID=" + quote(a.AccessKeyID),
		"export AWS_SECRET_ACCESS_KEY=" + quote(a.SecretAccessKey),
		"export AWS_DEFAULT_REGION=" + quote(a.Region),
		"export AWS_REGION=" + quote(a.Region),
		"export AWS_CA_BUNDLE=" + quote(a.CABundle),
	}
}

// quote makes a word of s that a POSIX shell reads back unchanged.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

var cliVersion = regexp.MustCompile(`aws-cli/(\d+)\.(\d+)`)

// CLIWarning says whether the aws CLI on path is too old to know AWS_ENDPOINT_URL:
// such a one would call real AWS. It is empty when all is well.
func CLIWarning(path string) string {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, "aws")
		if _, err := exec.LookPath(file); err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, file, "--version").CombinedOutput()
		if err != nil {
			return ""
		}
		return judgeCLI(file, string(out))
	}
	return ""
}

func judgeCLI(file, text string) string {
	m := cliVersion.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if (major == 1 && minor >= 29) || (major == 2 && minor >= 13) || major > 2 {
		return ""
	}
	return fmt.Sprintf("%s is aws-cli %d.%d, which ignores AWS_ENDPOINT_URL and would call real AWS: use 1.29, 2.13 or newer, or pass --endpoint-url", file, major, minor)
}

// Banner says where the server listens, how to use it, what it uses of this machine
// and what is in the way there.
func (s *System) Banner() []string {
	lines := []string{
		"hardstand is ready at " + s.Endpoint() + " (http and https), account " + s.cfg.AccountID + ", region " + s.cfg.Region,
		"  use it:     eval \"$(" + s.envCommand() + ")\"; aws sts get-caller-identity",
	}
	if s.cfg.IAM == "audit" {
		lines = append(lines, "  IAM:        AUDIT ONLY: what policies do not allow is logged and done all the same")
	}
	if addr, ok := s.listener.Addr().(*net.TCPAddr); ok && s.cfg.AllowReset && !addr.IP.IsLoopback() {
		lines = append(lines, "  reset:      ANYBODY who reaches "+addr.String()+" may remove everything (--allow-reset)")
	}
	if s.cfg.Instances == InstancesFake {
		return append(lines, "  instances:  FAKE: records only. User data does not run, deployments cannot succeed.")
	}
	users := "a user namespace each"
	if s.cfg.UserNS == "off" {
		users = "NO user namespace (--userns off): root inside is root outside"
	}
	lines = append(lines,
		"  instances:  Linux system containers, "+users+", control groups "+container.Hierarchy(),
		"  network:    public addresses from "+s.cfg.PublicCIDR.String()+", internet "+s.cfg.Egress,
	)
	for _, f := range s.surroundings() {
		lines = append(lines, "  warning:    "+f.Name+": "+f.Detail, "              fix: "+f.Remedy)
	}
	return lines
}

// envCommand is how a shell asks for what it needs.
func (s *System) envCommand() string {
	command := "hardstand env"
	if os.Geteuid() == 0 {
		command = "sudo " + command
	}
	if s.cfg.DataDir != DefaultDataDir() {
		command += " --data-dir " + quote(s.cfg.DataDir)
	}
	return command
}
