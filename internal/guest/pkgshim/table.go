package pkgshim

import (
	"path"
	"strings"

	"github.com/hardstand/hardstand/internal/guest"
)

// Class tells what asking for a package leads to.
type Class string

// The classes. A package in none of them cannot be installed.
const (
	// Present packages are in the image when one of their files is.
	Present Class = "present"
	// Ours are answered for by hardstand itself.
	Ours Class = "ours"
	// Substituted packages are not needed, because hardstand does their part; what
	// they contain stays absent where it is.
	Substituted Class = "substituted"
)

// Package is one row of the table. Names may hold * and ?.
type Package struct {
	Names []string
	Class Class
	// Evidence are files of which one proves that a Present package is there.
	Evidence []string
	// Note says for Ours and Substituted what stands in for the package.
	Note string
}

// agentPackage is the one package that is really placed in the file system.
const agentPackage = "codedeploy-agent"

// Table lists the packages that have a row of their own. A package without one is
// Present when /usr/bin or /usr/sbin has a program of its name. The README's
// limits are generated from it.
func Table() []Package {
	return []Package{
		{Names: []string{agentPackage, "codedeploy-agent-*"}, Class: Ours, Note: "hardstand's CodeDeploy agent, also as the rpm and the deb of the aws-codedeploy-<region> bucket"},
		{Names: []string{"aws-cli", "awscli", "awscli-2", "aws-cli-2", "python3-awscli"}, Class: Ours, Note: "hardstand's aws, which hands over to a real one found in the image"},
		{Names: []string{"aws-cfn-bootstrap", "heat-cfntools"}, Class: Ours, Note: "hardstand's cfn-init, cfn-signal, cfn-hup and cfn-get-metadata"},
		{Names: []string{"cloud-init"}, Class: Ours, Note: "hardstand runs user data"},
		{Names: []string{"openssh-server", "openssh"}, Class: Ours, Note: "hardstand's sshd, a part of PID 1"},
		{Names: []string{"gdebi", "gdebi-core"}, Class: Ours, Note: "hardstand's gdebi, for its own packages"},
		{Names: []string{"systemd", "systemd-sysv", "initscripts", "chkconfig"}, Class: Ours, Note: "hardstand's PID 1, systemctl, service and chkconfig"},
		{Names: []string{"ruby", "ruby-*", "ruby[0-9]*", "rubygems", "libruby*"}, Class: Substituted, Note: "hardstand's CodeDeploy agent does not need Ruby"},
		{Names: []string{"python", "python2", "python2.7", "python-minimal", "python2-minimal", "python-is-python3"}, Class: Substituted, Note: "python is answered by the image's python3"},
		{Names: []string{"sudo"}, Class: Substituted, Note: "sudo is answered by hardstand where the image has none"},
		{Names: []string{"apt-transport-https", "ubuntu-standard", "epel-release", "yum-utils", "dnf-plugins-core", "deltarpm"}, Class: Substituted, Note: "there are no repositories to read"},

		{Names: []string{"coreutils", "coreutils-single"}, Class: Present, Evidence: []string{"/usr/bin/ls"}},
		{Names: []string{"ca-certificates"}, Class: Present, Evidence: []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"}},
		{Names: []string{"xz", "xz-utils"}, Class: Present, Evidence: []string{"/usr/bin/xz"}},
		{Names: []string{"procps", "procps-ng"}, Class: Present, Evidence: []string{"/usr/bin/ps", "/bin/ps"}},
		{Names: []string{"python3-pip", "python-pip", "python2-pip"}, Class: Present, Evidence: []string{"/usr/bin/pip3"}},
		{Names: []string{"python3-venv"}, Class: Present, Evidence: []string{"/usr/lib/python3/dist-packages/venv", "/usr/lib/python3.11/ensurepip", "/usr/lib/python3.12/ensurepip", "/usr/lib/python3.13/ensurepip"}},
		{Names: []string{"python3-setuptools"}, Class: Present, Evidence: []string{"/usr/lib/python3/dist-packages/setuptools"}},
		{Names: []string{"python3-minimal"}, Class: Present, Evidence: []string{"/usr/bin/python3"}},
		{Names: []string{"apache2", "httpd"}, Class: Present, Evidence: []string{"/usr/sbin/apache2", "/usr/sbin/httpd"}},
		{Names: []string{"nginx-core", "nginx-light", "nginx-full"}, Class: Present, Evidence: []string{"/usr/sbin/nginx"}},
		{Names: []string{"nodejs"}, Class: Present, Evidence: []string{"/usr/bin/node", "/usr/bin/nodejs"}},
		{Names: []string{"golang", "golang-go"}, Class: Present, Evidence: []string{"/usr/bin/go"}},
		{Names: []string{"default-jre", "default-jdk", "java-*", "openjdk-*"}, Class: Present, Evidence: []string{"/usr/bin/java"}},
		{Names: []string{"php*"}, Class: Present, Evidence: []string{"/usr/bin/php"}},
		{Names: []string{"cronie", "cron"}, Class: Present, Evidence: []string{"/usr/sbin/cron", "/usr/sbin/crond"}},
		{Names: []string{"iproute", "iproute2"}, Class: Present, Evidence: []string{"/usr/sbin/ip", "/usr/bin/ip", "/sbin/ip"}},
		{Names: []string{"iputils", "iputils-ping"}, Class: Present, Evidence: []string{"/usr/bin/ping", "/bin/ping"}},
		{Names: []string{"net-tools"}, Class: Present, Evidence: []string{"/usr/bin/netstat", "/bin/netstat"}},
		{Names: []string{"bind-utils", "dnsutils", "bind9-dnsutils"}, Class: Present, Evidence: []string{"/usr/bin/dig"}},
		{Names: []string{"nmap-ncat", "netcat", "netcat-openbsd", "netcat-traditional", "nc"}, Class: Present, Evidence: []string{"/usr/bin/nc", "/bin/nc", "/usr/bin/ncat"}},
		{Names: []string{"gnupg", "gnupg2", "gpg"}, Class: Present, Evidence: []string{"/usr/bin/gpg"}},
		{Names: []string{"vim", "vim-enhanced", "vim-tiny", "vim-minimal"}, Class: Present, Evidence: []string{"/usr/bin/vim", "/usr/bin/vi"}},
		{Names: []string{"lsb-release", "redhat-lsb-core"}, Class: Present, Evidence: []string{"/usr/bin/lsb_release"}},
		{Names: []string{"software-properties-common"}, Class: Present, Evidence: []string{"/usr/bin/add-apt-repository"}},
		{Names: []string{"openssh-client", "openssh-clients"}, Class: Present, Evidence: []string{"/usr/bin/ssh"}},
		{Names: []string{"build-essential", "gcc", "gcc-c++", "g++"}, Class: Present, Evidence: []string{"/usr/bin/g++"}},
		{Names: []string{"shadow-utils", "passwd"}, Class: Present, Evidence: []string{"/usr/sbin/useradd"}},
		{Names: []string{"util-linux"}, Class: Present, Evidence: []string{"/usr/bin/mount", "/bin/mount"}},
		{Names: []string{"tzdata"}, Class: Present, Evidence: []string{"/usr/share/zoneinfo/UTC"}},
		{Names: []string{"gawk"}, Class: Present, Evidence: []string{"/usr/bin/awk"}},
		{Names: []string{"findutils"}, Class: Present, Evidence: []string{"/usr/bin/find"}},
		{Names: []string{"diffutils"}, Class: Present, Evidence: []string{"/usr/bin/diff"}},
		{Names: []string{"acl"}, Class: Present, Evidence: []string{"/usr/bin/setfacl", "/bin/setfacl"}},
	}
}

// verdict is what is known about one package in one image.
type verdict struct {
	class Class // "" when it cannot be installed
	note  string
}

// judge decides about a package name as given on a command line.
func judge(root guest.Root, name string) verdict {
	name = plainName(name)
	for _, row := range Table() {
		if !row.matches(name) {
			continue
		}
		if row.Class != Present {
			return verdict{row.Class, row.Note}
		}
		for _, file := range row.Evidence {
			if root.Exists(file) {
				return verdict{class: Present}
			}
		}
		return verdict{}
	}
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/"} {
		if root.Executable(dir+name) && !root.IsOurs(dir+name) {
			return verdict{class: Present}
		}
	}
	return verdict{}
}

func (p Package) matches(name string) bool {
	for _, pattern := range p.Names {
		if ok, err := path.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}

// plainName takes off what may follow a package's name: =version and :arch of
// apt, .arch of yum.
func plainName(name string) string {
	name, _, _ = strings.Cut(name, "=")
	name, _, _ = strings.Cut(name, ":")
	for _, arch := range []string{".x86_64", ".noarch", ".aarch64", ".i686"} {
		name = strings.TrimSuffix(name, arch)
	}
	return name
}
