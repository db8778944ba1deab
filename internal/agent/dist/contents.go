package dist

import (
	_ "embed"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// built is the time of everything in the packages: their bytes depend on the
// binary and the version only.
var built = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// Scripts and files of the packages.
var (
	//go:embed files/install.sh
	installTemplate string
	//go:embed files/codedeployagent.yml
	configFile []byte
	//go:embed files/codedeploy-agent.service
	unitFile []byte
	//go:embed files/codedeploy-agent.init
	initFile []byte
	//go:embed files/postinst.sh
	postinst string
	//go:embed files/prerm.sh
	prerm string
)

// meta is what both formats say about the package.
type meta struct{ version, arch string }

const (
	summary     = "hardstand's agent for AWS CodeDeploy"
	description = "Polls CodeDeploy for deployments and carries them out on this host."
	homepage    = "https://github.com/hardstand/hardstand"
)

// entry is a file, directory or link of the packages.
type entry struct {
	path   string // absolute
	mode   fs.FileMode
	body   []byte
	link   string
	config bool // kept at an upgrade when it was changed
}

// contents is the package's tree in the order of paths, the layout of the
// official packages.
func contents(version string, binary []byte) []entry {
	const dir = fs.ModeDir | 0o755
	return []entry{
		{path: "/etc/codedeploy-agent", mode: dir},
		{path: "/etc/codedeploy-agent/conf", mode: dir},
		{path: "/etc/codedeploy-agent/conf/codedeployagent.yml", mode: 0o644, body: configFile, config: true},
		{path: "/etc/init.d/codedeploy-agent", mode: 0o755, body: initFile},
		{path: "/opt/codedeploy-agent", mode: dir},
		{path: "/opt/codedeploy-agent/.version", mode: 0o444, body: []byte("agent_version: " + version + "\n")},
		{path: "/opt/codedeploy-agent/bin", mode: dir},
		{path: "/opt/codedeploy-agent/bin/codedeploy-agent", mode: 0o755, body: binary},
		{path: "/opt/codedeploy-agent/bin/codedeploy-local", mode: fs.ModeSymlink | 0o777, link: "codedeploy-agent"},
		{path: "/opt/codedeploy-agent/deployment-root", mode: dir},
		{path: "/usr/lib/systemd/system/codedeploy-agent.service", mode: 0o644, body: unitFile},
	}
}

// installScript is the script with the packages and their digests in it, so that
// what it fetches is verified.
func installScript(m *manifest, all []packages) string {
	var table strings.Builder
	for _, p := range all {
		fmt.Fprintf(&table, "%s)\n\trpm_key=latest/%s rpm_sha256=%s\n\tdeb_key=latest/%s deb_sha256=%s\n\t;;\n",
			machine(p.Arch), p.rpm, m.Files[p.rpm].SHA256, p.deb, m.Files[p.deb].SHA256)
	}
	return strings.Replace(installTemplate, "@PACKAGES@\n", table.String(), 1)
}
