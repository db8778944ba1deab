// Package applets joins the names that the guest binary answers to with what
// they do. cmd/hardstand-guest takes the table; PID 1 and the CodeDeploy agent
// add their own rows there.
package applets

import (
	"github.com/hardstand/hardstand/internal/guest/awscli"
	"github.com/hardstand/hardstand/internal/guest/boot"
	"github.com/hardstand/hardstand/internal/guest/cfn"
	"github.com/hardstand/hardstand/internal/guest/pkgshim"
	"github.com/hardstand/hardstand/internal/guest/pyshim"
	"github.com/hardstand/hardstand/internal/guest/sshd"
	"github.com/hardstand/hardstand/internal/guest/sudo"
	"github.com/hardstand/hardstand/internal/guest/svcshim"
)

// Table returns the programs by name; each takes the arguments after its name and
// returns its exit code.
func Table() map[string]func(args []string) int {
	table := map[string]func([]string) int{
		"boot":       boot.Run,
		"cloud-init": boot.CloudInit,
		"sudo":       sudo.Run,
		"aws":        func(args []string) int { return awscli.New().Run(args) },
		"systemctl":  func(args []string) int { return svcshim.New().Systemctl(args) },
		"journalctl": func(args []string) int { return svcshim.New().Journal(args) },
		"service":    func(args []string) int { return svcshim.New().Service(args) },
		"chkconfig":  func(args []string) int { return svcshim.New().Chkconfig(args) },
	}
	table["sshd"] = sshd.Run
	table["sftp-server"] = sshd.SFTPServer
	table["cfn-init"] = func(args []string) int { return cfn.New().Init(args) }
	table["cfn-signal"] = func(args []string) int { return cfn.New().Signal(args) }
	table["cfn-hup"] = func(args []string) int { return cfn.New().Hup(args) }
	table["cfn-get-metadata"] = func(args []string) int { return cfn.New().GetMetadata(args) }
	for _, name := range []string{"yum", "dnf", "apt-get", "apt", "rpm", "dpkg", "gdebi", "pip", "pip3", "easy_install"} {
		table[name] = func(args []string) int { return pkgshim.New().Run(name, args) }
	}
	for _, name := range []string{"python", "python2", "python2.7"} {
		table[name] = func(args []string) int { return pyshim.New().Run(name, args) }
	}
	for _, name := range []string{"shutdown", "poweroff", "reboot", "halt"} {
		table[name] = func(args []string) int { return svcshim.New().Power(name, args) }
	}
	return table
}
