package guest

// When tells in which images a link is made.
type When int

const (
	// Always replaces what the image has at that path.
	Always When = iota
	// IfAbsent leaves what the image has.
	IfAbsent
	// OnHostImage replaces what is there in the default image, whose /usr is the
	// host's: its package managers have no database there. In other images it
	// acts as IfAbsent.
	OnHostImage
)

// Link is one symbolic link that makes the guest binary answer to a name.
type Link struct {
	Path   string
	Target string
	When   When
}

// names by the way their links are made. The link in /usr/local/bin comes first
// on PATH, so it is always ours; the one at the absolute path that scripts and
// shebang lines use depends on the image.
var (
	packageManagers = []string{"yum", "dnf", "apt-get", "apt", "rpm", "dpkg", "gdebi"}
	services        = []string{"systemctl", "journalctl"}
	systemServices  = []string{"service", "shutdown", "poweroff", "reboot", "halt"}
	cloudFormation  = []string{"cfn-init", "cfn-signal", "cfn-hup", "cfn-get-metadata"}
	pythons         = []string{"python", "python2", "python2.7"}
	localOnly       = []string{"aws", "cloud-init", "chkconfig", "hardstand-guest", "pip", "pip3", "easy_install"}
)

// Links lists the links that an image needs, in an order in which they can be
// made. Their directories are in Dirs.
func Links() []Link {
	var links []Link
	add := func(when When, dir string, names ...string) {
		for _, name := range names {
			links = append(links, Link{Path: dir + "/" + name, Target: Binary, When: when})
		}
	}
	for _, names := range [][]string{packageManagers, services, systemServices, cloudFormation, localOnly} {
		add(Always, "/usr/local/bin", names...)
	}
	add(OnHostImage, "/usr/bin", packageManagers...)
	add(Always, "/usr/bin", services...)
	add(Always, "/usr/sbin", systemServices...)
	add(Always, "/opt/aws/bin", cloudFormation...)
	add(IfAbsent, "/usr/bin", "aws", "sudo", "cloud-init")
	// A python that the image has is left in its place and preferred to ours.
	add(IfAbsent, "/usr/bin", pythons...)
	return links
}

// Dirs lists the directories that must exist, with mode 0755 and owner root,
// before Links are made and the first applet runs.
func Dirs() []string {
	return []string{
		"/usr/lib/hardstand", "/usr/local/bin", "/opt/aws/bin", "/run/hardstand",
		"/etc/systemd/system", "/etc/init.d", "/var/lib/cloud", "/var/log", UnitDir,
	}
}

// Units are the units that lie in an image without anybody having enabled them, by
// path, and the init scripts that the helper scripts' package brings for templates to
// link to.
func Units() map[string][]byte {
	script := []byte("#!/bin/sh\nexec /usr/local/bin/service cfn-hup \"$@\"\n")
	return map[string][]byte{"/usr/local/init/ubuntu/cfn-hup": script, "/usr/local/init/redhat/cfn-hup": script, UnitDir + "/cfn-hup.service": []byte(`[Unit]
Description=cfn-hup daemon
After=network.target

[Service]
Type=simple
ExecStart=/opt/aws/bin/cfn-hup
Restart=on-failure
RestartSec=10

[Install]
WantedBy=multi-user.target
`)}
}
