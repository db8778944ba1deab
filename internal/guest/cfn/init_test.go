package cfn

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

func TestInit(t *testing.T) {
	h := newHost(t)
	h.files["/files/app.tgz"] = tgz(t, map[string]string{"app/run": "go"})
	h.files["/files/plain"] = "downloaded"
	h.files["/files/moved"] = "-> /files/plain"
	h.files["/bucket/secret"] = "secret"
	write(t, h.Root.Path("/bin/systemctl"), "#!/bin/sh\necho $@ >>"+h.Root.Path("/calls")+"\n[ $1 != is-active ]\n")
	write(t, h.Root.Path("/bin/yum"), "#!/bin/sh\necho yum $@ >>"+h.Root.Path("/calls")+"\n[ \"$4\" != installed ]\n")
	write(t, h.Root.Path("/bin/chkconfig"), "#!/bin/sh\necho chkconfig $@ >>"+h.Root.Path("/calls")+"\n")
	write(t, h.Root.Path("/bin/service"), "#!/bin/sh\necho service $@ >>"+h.Root.Path("/calls")+"\n[ $2 != status ]\n")
	write(t, h.Root.Path("/etc/app.conf"), "old")
	h.metadata = strings.ReplaceAll(strings.ReplaceAll(`{
	"AWS::CloudFormation::Authentication": {"s3": {"type": "S3", "roleName": "web", "buckets": ["bucket"]}},
	"AWS::CloudFormation::Init": {
	 "configSets": {"default": ["one", {"ConfigSet": "more"}], "more": ["two"]},
	 "one": {
	  "packages": {"yum": {"httpd": [], "php": ["5.3"]}, "portage": {"x": []}},
	  "groups": {"web": {"gid": "501"}},
	  "users": {"app": {"groups": ["web"], "homeDir": "/opt/app"}},
	  "sources": {"/srv/site": "URL/files/app.tgz"},
	  "files": {
	   "/etc/app.conf": {"content": {"port": 80}, "mode": "000600", "owner": "root", "group": "root"},
	   "/etc/b64": {"content": "aGVsbG8=", "encoding": "base64"},
	   "/etc/link": {"content": "/etc/b64", "mode": "120644"},
	   "/etc/tpl": {"content": "{{name}} {{{raw}}} {{!no}}{{x.y}}", "context": {"name": "a<b", "raw": "<", "x": {"y": "deep"}}},
	   "/etc/dl": {"source": "URL/files/moved"},
	   "/etc/secret": {"source": "URL/bucket/secret"}
	  },
	  "commands": {
	   "2": {"command": ["/bin/sh", "-c", "echo $X-$HOME >>ROOT/order"], "env": {"X": "two"}},
	   "1": {"command": "[ a == a ] && pwd >>ROOT/order", "cwd": "/usr"},
	   "3": {"command": "echo never >>ROOT/order", "test": "false"},
	   "4": {"command": "false", "ignoreErrors": "true"}
	  },
	  "services": {"sysvinit": {"httpd": {"enabled": "true", "ensureRunning": "true", "files": ["/etc/app.conf"]},
	                            "other": {"ensureRunning": true}, "off": {"enabled": false}},
	               "systemd": {"app": {"enabled": "yes", "ensureRunning": "1", "commands": "1"}, "quiet": {"commands": ["3"]}, "ran": {"groups": ["web"]}}}
	 },
	 "two": {"commands": {"x": {"command": "echo set two >>ROOT/order"}}}
	}}`, "URL", h.url), "ROOT", string(h.Root))
	h.run(t, "cfn-init -v -s s -r R --region eu-west-1 -u URL", 0, "")
	for p, want := range map[string]string{
		"/etc/app.conf": "{\"port\": 80}", "/etc/app.conf.bak": "old", "/etc/b64": "hello", "/etc/tpl": "a&lt;b < deep",
		"/etc/dl": "downloaded", "/etc/secret": "secret", "/srv/site/app/run": "go",
		"/order": "/usr\ntwo-\nset two\n",
		"/calls": "yum -C -y list installed httpd\nyum -C -y --showduplicates list available httpd\n" +
			"yum -C -y list installed php-5.3\nyum -C -y --showduplicates list available php-5.3\nyum -y install httpd php-5.3\n" +
			"daemon-reload\nenable app\nrestart app\nrestart ran\n" +
			"chkconfig httpd on\nservice httpd restart\nchkconfig off off\nservice other status\nservice other start\n",
	} {
		if b, err := os.ReadFile(h.Root.Path(p)); err != nil || string(b) != want {
			t.Errorf("%s = %q, %v", p, b, err)
		}
	}
	if target, err := os.Readlink(h.Root.Path("/etc/link")); err != nil || target != "/etc/b64" {
		t.Errorf("link to %q, %v", target, err)
	}
	if info, err := os.Stat(h.Root.Path("/etc/app.conf")); err != nil || info.Mode() != 0o600 {
		t.Errorf("app.conf: %v, %v", info, err)
	}
	passwd, _ := os.ReadFile(h.Root.Path("/etc/passwd"))
	if !strings.Contains(string(passwd), "app:x:999:999::/opt/app:/sbin/nologin") {
		t.Errorf("passwd %q", passwd)
	}
	for _, log := range []string{initLog, commandLog} {
		if info, err := os.Stat(h.Root.Path(log)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", log, err)
		}
	}
}

func TestInitErrors(t *testing.T) {
	tests := []struct {
		name, init, args, want string
		code                   int
	}{
		{"failing command", `{"config":{"commands":{"a":{"command":"echo why; exit 3"}}}}`, "", "Error occurred during build: Command a failed", 1},
		{"relative file", `{"config":{"files":{"x":{"content":"y"}}}}`, "", "File specified with non-absolute path: x", 1},
		{"no content", `{"config":{"files":{"/x":{}}}}`, "", "File specified without source or content", 1},
		{"circular", `{"configSets":{"default":[{"ConfigSet":"a"}],"a":[{"ConfigSet":"default"}]}}`, "", "At least one circular dependency detected; this is not allowed. Culprits: a, default", 1},
		{"unknown set", `{"configSets":{"default":["x"]},"x":{}}`, "-c other", "Error occurred during build: Error: no ConfigSet named other exists", 1},
		{"unknown config", `{"configSets":{"default":["y"]},"x":{}}`, "", "No configuration found with name: y", 1},
		{"not an archive", `{"config":{"sources":{"/srv":"URL/files/odd"}}}`, "", "Unsupported source file (not zip or tarball)", 1},
		{"absent download", `{"config":{"files":{"/x":{"source":"URL/files/gone"}}}}`, "", "404", 1},
		{"section without end", `{"config":{"files":{"/x":{"content":"{{#a}}","context":{}}}}}`, "", "Failed to render content as a Mustache template", 1},
		{"undefined set", `{"configSets":{"default":{"ConfigSet":"a"}}}`, "", "Configuration set a was referenced but not defined", 1},
		{"not a reference", `{"configSets":{"default":[{"a":"b"}]}}`, "", "Config definitions must be either a config name or a reference in the format {'ConfigSet':<config set name>}", 1},
		{"sets of another kind", `{"configSets":["a"]}`, "", "configSets should be a mapping of name to list", 1},
		{"set without configSets", `{"config":{}}`, "-c other", "Error: no ConfigSet named other exists", 1},
		{"no config", `{"other":{}}`, "", "", 0},
		{"no command", `{"config":{"commands":{"a":{"test":"true"}}}}`, "", "a does not specify the 'command' attribute, which is required", 1},
		{"bad owner", `{"config":{"files":{"/x":{"content":"y","owner":"nobody2"}}}}`, "", "nobody2 is not a valid user name", 1},
		{"bad group", `{"config":{"users":{"x":{"groups":["absent"]}}}}`, "", "absent is not a valid group name", 1},
		{"bad mode", `{"config":{"files":{"/x":{"content":"y","mode":"rw"}}}}`, "", "base 8: 'rw'", 1},
		{"link to nothing", `{"config":{"files":{"/x":{"mode":"120644"}}}}`, "", "Symbolic link specified without a destination", 1},
		{"malformed base64", `{"config":{"files":{"/x":{"content":"y!","encoding":"base64"}}}}`, "", "Malformed base64: y!", 1},
		{"another gid", `{"config":{"groups":{"root":{"gid":"7"}}}}`, "", "Group root exists with gid 0, but gid 7 was requested", 1},
		{"another uid", `{"config":{"users":{"root":{"uid":"7"}}}}`, "", "User root exists with uid 0, but uid 7 was requested", 1},
		{"package that is not there", `{"config":{"packages":{"yum":{"x":[]}}}}`, "", "Yum does not have x available for installation", 1},
		{"package that fails", `{"config":{"packages":{"apt":{"x":["1"]}}}}`, "", "Could not successfully install apt packages (return code 127)", 1},
		{"service that fails", `{"config":{"services":{"systemd":{"x":{"ensureRunning":"true"}}}}}`, "", "Could not start x", 1},
		{"enable that fails", `{"config":{"services":{"sysvinit":{"x":{"enabled":"true"}}}}}`, "", "Could not enable service x", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			write(t, h.Root.Path("/bin/yum"), "#!/bin/sh\nexit 1\n")
			write(t, h.Root.Path("/bin/systemctl"), "#!/bin/sh\n[ $1 = daemon-reload ]\n")
			h.Path = h.Root.Path("/bin")
			h.files["/files/odd"] = "neither"
			h.metadata = strings.ReplaceAll(`{"AWS::CloudFormation::Init":`+tt.init+`}`, "URL", h.url)
			h.run(t, "cfn-init -s s -r R -u URL "+tt.args, tt.code, tt.want)
		})
	}
	h := newHost(t)
	h.metadata = `{"Other": 1}`
	h.run(t, "cfn-init -s s -r R -u URL", 0, "Could not find 'AWS::CloudFormation::Init' key in metadata for R.")
	h.metadata = ""
	h.run(t, "cfn-init -s s -r R -u URL", 1, "Error: R does not specify any metadata")
}

// The logs have the form in which other tools look for them.
func TestInitLogs(t *testing.T) {
	h := newHost(t)
	h.Clock = atNoon{}
	h.metadata = `{"AWS::CloudFormation::Init":{"configSets":{"default":["one",[{"ConfigSet":"more"}]],"more":"two"},
		"one":{"commands":{"a":{"command":"echo out; echo err >&2"},"b":{"command":"false","ignoreErrors":"yes"},"c":{"command":"true","test":"exit 4"}}},
		"two":{"packages":{"portage":{}},"commands":{"d":{"command":["sh","-c","exit 3"]}},"odd":{}}}}`
	h.run(t, "cfn-init -s s -r R -u URL", 1, "Error occurred during build: Command d failed\n")
	golden(t, h, initLog, "testdata/cfn-init.log")
	golden(t, h, commandLog, "testdata/cfn-init-cmd.log")
	golden(t, h, metadataFile, "testdata/metadata.json")
}

// atNoon is a clock that stands.
type atNoon struct{ clock.System }

func (atNoon) Now() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 34e6, time.UTC) }

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, h *host, path, file string) {
	t.Helper()
	got, err := os.ReadFile(h.Root.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	got = bytes.ReplaceAll(got, fmt.Appendf(nil, " P%d ", os.Getpid()), []byte(" P1 "))
	if *update {
		write(t, file, string(got))
		return
	}
	if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s, %v:\n%s", path, err, got)
	}
}

// What a run has left is done by --resume: a command that has begun is not run again.
func TestResume(t *testing.T) {
	h := newHost(t)
	h.run(t, "cfn-init --resume", 1, "Error: cannot resume from previous session; no metadata stored")
	h.metadata = strings.ReplaceAll(`{"AWS::CloudFormation::Init":{"configSets":{"default":["one","two"],"last":["three"]},
		"one":{"files":{"ROOT/f":{"content":"x"}},"commands":{"a":{"command":"echo a >>ROOT/order; exit $(cat ROOT/code)"},"b":{"command":"echo b >>ROOT/order"}}},
		"two":{"commands":{"c":{"command":"echo c >>ROOT/order"}}},"three":{"commands":{"d":{"command":"echo d >>ROOT/order"}}}}}`, "ROOT", string(h.Root))
	write(t, h.Root.Path("/code"), "1")
	h.run(t, "cfn-init -s s -r R -u URL -c default,last", 1, "Command a failed")
	h.run(t, "cfn-init --resume", 0, "")
	if b, err := os.ReadFile(h.Root.Path("/order")); err != nil || string(b) != "a\nb\nc\nd\n" {
		t.Errorf("order %q, %v", b, err)
	}
	h.run(t, "cfn-init --resume", 1, "no metadata stored")
}

// Running again changes nothing and restarts nothing.
func TestInitAgain(t *testing.T) {
	h := newHost(t)
	h.metadata = strings.ReplaceAll(`{"AWS::CloudFormation::Init":{"config":{
		"groups":{"web":{}},"users":{"app":{"groups":["web"],"homeDir":"/srv"}},
		"files":{"/srv/f":{"content":"x","mode":"000755"},"/srv/l":{"content":"f","mode":"120600"}},
		"commands":{"a":{"command":"echo a >>ROOT/order","test":"test ! -e ROOT/order"}},
		"services":{"systemd":{"app":{"files":["/srv/f","/srv/l"],"users":["app"],"groups":["web"],"commands":["a"]}}}}}}`, "ROOT", string(h.Root))
	write(t, h.Root.Path("/bin/systemctl"), "#!/bin/sh\necho $@ >>"+h.Root.Path("/calls")+"\n")
	for range 3 {
		h.run(t, "cfn-init -s s -r R -u URL", 0, "")
	}
	for p, want := range map[string]string{"/calls": "daemon-reload\nrestart app\ndaemon-reload\ndaemon-reload\n", "/order": "a\n"} {
		if b, err := os.ReadFile(h.Root.Path(p)); err != nil || string(b) != want {
			t.Errorf("%s = %q, %v", p, b, err)
		}
	}
	// The permissions of a link's mode are its target's.
	if info, err := os.Stat(h.Root.Path("/srv/f")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("f: %v, %v", info, err)
	}
	if h.Root.Exists("/srv/f.bak") || h.Root.Exists("/home/app") {
		t.Error("a backup of what did not change, or a home that nobody asked for")
	}
	h.metadata = `{"AWS::CloudFormation::Init":{"config":{"users":{"app":{"homeDir":"/opt"}}}}}`
	h.run(t, "cfn-init -s s -r R -u URL", 0, "")
	passwd, _ := os.ReadFile(h.Root.Path("/etc/passwd"))
	group, _ := os.ReadFile(h.Root.Path("/etc/group"))
	if !strings.Contains(string(passwd), "/opt:/sbin/nologin") || !strings.Contains(string(group), ":app") {
		t.Errorf("passwd %q, group %q", passwd, group)
	}
}

// Packages and credentials as templates have them.
func TestManagers(t *testing.T) {
	h := newHost(t)
	for _, name := range []string{"dpkg", "apt-get", "rpm", "gem", "pip3", "dnf"} {
		write(t, h.Root.Path("/bin/"+name), "#!/bin/sh\necho "+name+" $@ >>"+h.Root.Path("/calls")+
			"\ncase \"$*\" in *here*|*available*) exit 0;; -s*|*list*) exit 1;; esac\n")
	}
	h.metadata = `{"AWS::CloudFormation::Init":{"config":{"packages":{
		"rubygems":{"chef":["0.10.2","0.10.4"],"here":[]}, "python":{"flask":["2.0","https://x/flask.whl"],"six":""},
		"apt":{"mysql":["5.6"],"here":[""]}, "rpm":{"epel":"http://x/epel.rpm"}, "dnf":{"a":["1","2"],"here":[]}}}}}`
	h.run(t, "cfn-init -s s -r R -u URL", 0, "")
	want := "rpm -U --quiet --nosignature --replacepkgs http://x/epel.rpm\n" +
		"dpkg -s here\ndpkg -s mysql=5.6\napt-get -q -y install mysql=5.6\n" +
		"dnf -C -y list installed a-2\ndnf -C -y --showduplicates list available a-2\ndnf -C -y list installed here\ndnf -y install a-2\n" +
		"pip3 install flask==2.0 https://x/flask.whl six\n" +
		"gem list -i ^chef$ -v 0.10.2\ngem install -b --no-document chef -v = 0.10.2\n" +
		"gem list -i ^chef$ -v 0.10.4\ngem install -b --no-document chef -v = 0.10.4\ngem list -i ^here$\n"
	if b, err := os.ReadFile(h.Root.Path("/calls")); err != nil || string(b) != want {
		t.Errorf("calls\n%s, %v", b, err)
	}
}

func TestDownloads(t *testing.T) {
	h := newHost(t)
	h.files["/basic/x"], h.files["/bucket/x"] = "Hello {{name}}", "y"
	host := strings.TrimPrefix(h.url, "http://")
	for _, tt := range []struct{ name, auth, file, want string }{
		{"basic by address", `{"type":"basic","username":"u","password":"p","uris":["` + host + `"]}`, `{"source":"URL/basic/x"}`, "Basic dTpw"},
		{"basic by prefix", `{"type":"Basic","username":"u","password":"p","uris":["URL/basic"]}`, `{"source":"URL/basic/x"}`, "Basic dTpw"},
		{"basic by name", `{"type":"basic","username":"u","password":"p"}`, `{"source":"URL/basic/x","authentication":"a"}`, "Basic dTpw"},
		{"unknown name", `{"type":"basic","username":"u","password":"p"}`, `{"source":"URL/basic/x","authentication":"b"}`, ""},
		{"another address", `{"type":"basic","username":"u","password":"p","uris":["x"]}`, `{"source":"URL/basic/x"}`, ""},
		{"keys", `{"type":"S3","accessKeyId":"AKIAMETA","secretKey":"s","buckets":["bucket"]}`, `{"source":"URL/bucket/x"}`, "AWS4-HMAC-SHA256 Credential=AKIAMETA/"},
		{"role", `{"type":"S3","roleName":"web","buckets":"bucket"}`, `{"source":"URL/bucket/x"}`, "AWS4-HMAC-SHA256 Credential=ASIAROLE/"},
		{"another bucket", `{"type":"S3","roleName":"web","buckets":["other"]}`, `{"source":"URL/bucket/x"}`, ""},
	} {
		h.auth = "none"
		h.metadata = strings.ReplaceAll(`{"AWS::CloudFormation::Authentication":{"a":`+tt.auth+`},"AWS::CloudFormation::Init":{"config":{"files":{"/x":`+tt.file+`}}}}`, "URL", h.url)
		metadata := h.metadata
		write(t, h.Root.Path("/m.json"), metadata)
		h.run(t, "cfn-init "+h.Root.Path("/m.json"), 0, "")
		if tt.want == "" && h.auth != "" || !strings.HasPrefix(h.auth, tt.want) {
			t.Errorf("%s: Authorization %q", tt.name, h.auth)
		}
	}
	h.Stdin = strings.NewReader(strings.ReplaceAll(`{"AWS::CloudFormation::Init":{"config":{"files":{"/x":{"source":"URL/basic/x","context":{"name":"you"}}}}}}`, "URL", h.url))
	h.run(t, "cfn-init -", 0, "")
	if b, err := os.ReadFile(h.Root.Path("/x")); err != nil || string(b) != "Hello you" {
		t.Errorf("x = %q, %v", b, err)
	}
}
