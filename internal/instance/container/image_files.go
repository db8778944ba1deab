package container

import (
	"os"
	"strconv"
	"strings"
)

// Login users of the default image: those of Amazon Linux and of Ubuntu.
const (
	ec2UserID = 1000
	ubuntuID  = 1001
)

var skeletonDirs = []struct {
	path  string
	mode  os.FileMode
	owner int
}{
	{"/", 0o755, 0}, {"/usr", 0o755, 0}, {"/etc", 0o755, 0}, {"/dev", 0o755, 0}, {"/proc", 0o555, 0}, {"/sys", 0o555, 0},
	{"/run", 0o755, 0}, {"/root", 0o700, 0}, {"/tmp", 0o777 | os.ModeSticky, 0}, {"/opt", 0o755, 0}, {"/srv", 0o755, 0},
	{"/mnt", 0o755, 0}, {"/media", 0o755, 0}, {"/home", 0o755, 0},
	{"/home/ec2-user", 0o700, ec2UserID}, {"/home/ubuntu", 0o750, ubuntuID},
	{"/var", 0o755, 0}, {"/var/log", 0o755, 0}, {"/var/lib", 0o755, 0}, {"/var/cache", 0o755, 0}, {"/var/spool", 0o755, 0},
	{"/var/spool/cron", 0o755, 0}, {"/var/mail", 0o775 | os.ModeSetgid, 8}, {"/var/opt", 0o755, 0},
	{"/var/lib/cloud", 0o755, 0}, {"/var/lib/cloud/instances", 0o755, 0}, {"/var/lib/cloud/sem", 0o755, 0},
	{"/var/lib/cloud/scripts", 0o755, 0}, {"/var/lib/cloud/scripts/per-boot", 0o755, 0},
	{"/var/lib/cloud/scripts/per-instance", 0o755, 0}, {"/var/lib/cloud/scripts/per-once", 0o755, 0},
	{"/var/tmp", 0o777 | os.ModeSticky, 0}, {"/var/www", 0o755, 0}, {"/var/www/html", 0o755, 0},
	{"/etc/profile.d", 0o755, 0}, {"/etc/pam.d", 0o755, 0}, {"/etc/sudoers.d", 0o750, 0}, {"/etc/skel", 0o755, 0},
	{"/etc/cron.d", 0o755, 0}, {"/etc/ssh", 0o755, 0}, {"/etc/systemd", 0o755, 0}, {"/etc/default", 0o755, 0},
	{"/usr/lib", 0o755, 0}, {"/usr/lib/hardstand", 0o755, 0}, {"/usr/local", 0o755, 0}, {"/usr/local/bin", 0o755, 0},
}

// hostFiles is the allow-list: what programs in /usr need from /etc to work, and
// what holds no secret and says nothing about the host's owner.
var hostFiles = []string{
	"/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
	"/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates.conf", "/etc/ca-certificates",
	"/etc/python3", "/etc/python3.9", "/etc/python3.10", "/etc/python3.11", "/etc/python3.12", "/etc/python3.13", "/etc/python3.14",
	"/etc/localtime", "/etc/timezone", "/etc/services", "/etc/protocols", "/etc/rpc", "/etc/ethertypes", "/etc/networks",
	"/etc/mime.types", "/etc/magic", "/etc/magic.mime", "/etc/gai.conf", "/etc/host.conf", "/etc/locale.alias",
	"/etc/inputrc", "/etc/terminfo", "/etc/shells", "/etc/login.defs", "/etc/debian_version", "/etc/os-release",
	"/etc/lsb-release", "/etc/security/limits.conf", "/etc/security/pam_env.conf", "/etc/perl", "/etc/fonts",
	"/etc/java-11-openjdk", "/etc/java-17-openjdk", "/etc/java-21-openjdk", "/etc/vim", "/etc/libnl-3", "/etc/iproute2", "/etc/groff", "/etc/manpath.config",
}

// accounts are the users of the image. Groups of the same name and number come
// with them.
var accounts = []struct {
	name        string
	id          int
	home, shell string
}{
	{"root", 0, "/root", "/bin/bash"}, {"daemon", 1, "/usr/sbin", "/usr/sbin/nologin"}, {"bin", 2, "/bin", "/usr/sbin/nologin"},
	{"sys", 3, "/dev", "/usr/sbin/nologin"}, {"mail", 8, "/var/mail", "/usr/sbin/nologin"},
	{"www-data", 33, "/var/www", "/usr/sbin/nologin"}, {"backup", 34, "/var/backups", "/usr/sbin/nologin"},
	{"apache", 48, "/var/www", "/usr/sbin/nologin"}, {"nginx", 101, "/var/lib/nginx", "/usr/sbin/nologin"},
	{"sshd", 102, "/run/sshd", "/usr/sbin/nologin"}, {"messagebus", 103, "/nonexistent", "/usr/sbin/nologin"},
	{"ec2-user", ec2UserID, "/home/ec2-user", "/bin/bash"}, {"ubuntu", ubuntuID, "/home/ubuntu", "/bin/bash"},
	{"nobody", 65534, "/nonexistent", "/usr/sbin/nologin"},
}

// extraGroups have members or no user of their own.
var extraGroups = []string{
	"adm:x:4:ec2-user,ubuntu", "tty:x:5:", "disk:x:6:", "lp:x:7:", "wheel:x:10:ec2-user,ubuntu", "kmem:x:15:", "cdrom:x:24:", "sudo:x:27:ec2-user,ubuntu",
	"audio:x:29:", "shadow:x:42:", "utmp:x:43:", "video:x:44:", "staff:x:50:", "users:x:100:", "systemd-journal:x:190:ec2-user,ubuntu",
	"input:x:104:", "kvm:x:105:", "netdev:x:106:", "nogroup:x:65534:",
}

func (b *builder) writeFiles() error {
	var passwd, group, shadow strings.Builder
	for _, a := range accounts {
		id := strconv.Itoa(a.id)
		passwd.WriteString(a.name + ":x:" + id + ":" + id + ":" + a.name + ":" + a.home + ":" + a.shell + "\n")
		if a.name != "nobody" {
			group.WriteString(a.name + ":x:" + id + ":\n")
		}
		// No password opens any account: keys do.
		shadow.WriteString(a.name + ":*:19700:0:99999:7:::\n")
	}
	group.WriteString(strings.Join(extraGroups, "\n") + "\n")
	files := []struct {
		path, content string
		mode          os.FileMode
	}{
		{"/etc/passwd", passwd.String(), 0o644}, {"/etc/group", group.String(), 0o644}, {"/etc/shadow", shadow.String(), 0o600},
		{"/etc/gshadow", "", 0o600}, {"/etc/subuid", "", 0o644}, {"/etc/subgid", "", 0o644},
		{"/etc/nsswitch.conf", nsswitch, 0o644}, {"/etc/resolv.conf", "nameserver 169.254.169.253\noptions timeout:2 attempts:2\n", 0o644},
		{"/etc/fstab", "", 0o644}, {"/etc/motd", "", 0o644},
		{"/etc/profile", profile, 0o644}, {"/etc/bash.bashrc", bashrc, 0o644}, {"/etc/profile.d/hardstand.sh", trustProfile(), 0o644},
		{"/etc/environment", trustEnvironment(), 0o644},
		{"/etc/sudoers", sudoers, 0o440}, {"/etc/pam.d/other", pamOther, 0o644},
	}
	for _, f := range files {
		if err := b.write(f.path, f.content, f.mode); err != nil {
			return err
		}
	}
	for _, service := range []string{"sudo", "sudo-i", "su", "su-l", "runuser", "runuser-l", "login", "sshd", "cron", "crond", "atd"} {
		if err := b.write("/etc/pam.d/"+service, pamSession, 0o644); err != nil {
			return err
		}
	}
	return b.writeHomes()
}

// writeHomes gives login users what an interactive shell reads.
func (b *builder) writeHomes() error {
	homes := []struct {
		path  string
		owner int
	}{{"/root", 0}, {"/etc/skel", 0}, {"/home/ec2-user", ec2UserID}, {"/home/ubuntu", ubuntuID}}
	for _, h := range homes {
		for name, content := range map[string]string{".bashrc": ". /etc/bash.bashrc\n", ".profile": "[ -n \"$BASH_VERSION\" ] && . ~/.bashrc\n:\n"} {
			path := h.path + "/" + name
			if err := b.write(path, content, 0o644); err != nil {
				return err
			}
			if err := os.Chown(b.at(path), h.owner, h.owner); err != nil {
				return err
			}
		}
	}
	return nil
}

const nsswitch = `passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
ethers: files
rpc: files
`

const profile = `if [ "$(id -u)" -eq 0 ]; then
  PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
else
  PATH="/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
fi
export PATH
[ -n "$BASH_VERSION" ] && [ -f /etc/bash.bashrc ] && . /etc/bash.bashrc
for script in /etc/profile.d/*.sh; do
  [ -r "$script" ] && . "$script"
done
unset script
`

const bashrc = `case $- in *i*) ;; *) return ;; esac
PS1='[\u@\h \W]\$ '
shopt -s checkwinsize
alias ll='ls -l --color=auto'
alias ls='ls --color=auto'
`

// sudoers lets the login users do everything, as cloud images do, and carries the
// trust of the environment across.
const sudoers = `Defaults env_reset
Defaults env_keep += "AWS_CA_BUNDLE REQUESTS_CA_BUNDLE SSL_CERT_FILE NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE"
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
%wheel ALL=(ALL:ALL) NOPASSWD: ALL
%sudo ALL=(ALL:ALL) NOPASSWD: ALL
@includedir /etc/sudoers.d
`

const pamOther = `auth required pam_deny.so
account required pam_deny.so
password required pam_deny.so
session required pam_deny.so
`

// pamSession is one policy for all that changes user: root may, others by
// password, and the environment of the machine applies.
const pamSession = `auth sufficient pam_rootok.so
auth required pam_unix.so
account required pam_unix.so
password required pam_unix.so
session required pam_env.so readenv=1
session required pam_unix.so
`
