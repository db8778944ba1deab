package cfn

import (
	"os"
	"strings"
	"testing"
)

const hupConf = "[main]\nstack=s\nregion=eu-west-1\ninterval=1\nverbose=true\nurl="

func (h *host) hupFiles(t *testing.T, hooks string) {
	t.Helper()
	write(t, h.Root.Path("/etc/cfn/cfn-hup.conf"), hupConf+h.url+"\n")
	write(t, h.Root.Path("/etc/cfn/hooks.d/a.conf"), strings.ReplaceAll(hooks, "RAN", h.Root.Path("/ran")))
}

// A hook runs when what it looks at is added, changes or goes, with the old and the
// new value in its environment.
func TestHup(t *testing.T) {
	h := newHost(t)
	h.hupFiles(t, `[add]
triggers=post.add
path=Resources.R.Metadata.x
action=echo add ${CFN_OLD_METADATA-none} $CFN_NEW_METADATA >>RAN
[update]
triggers = post.add, post.update
path = Resources.R.Metadata.x
action = echo update "$CFN_OLD_METADATA" "$CFN_NEW_METADATA" >>RAN
runas = root
[remove]
triggers=post.remove
path=Resources.R.Metadata.x
action=echo remove $CFN_OLD_METADATA ${CFN_NEW_METADATA-none} >>RAN
[id]
triggers=post.add
path=Resources.R.PhysicalResourceId
action=echo id $CFN_NEW_PHYSICAL_RESOURCE_ID >>RAN
[failing]
triggers=post.update
path=Resources.R.Metadata.y
action=echo failing >>RAN; exit 3
[lost]
triggers=post.update
path=Resources.R
`)
	for _, step := range []struct{ metadata, status, want string }{
		{`{"x":1,"y":1}`, "CREATE_IN_PROGRESS", ""},
		{`{"x":1,"y":1}`, "CREATE_COMPLETE", "add none 1\nupdate  1\nid i-0abc\n"},
		{`{"x":1,"y":1}`, "CREATE_COMPLETE", ""},
		{`{"x":{"b":[2.50,"é"],"a":true},"y":2}`, "UPDATE_COMPLETE", `update 1 {"a": true, "b": [2.50, "\u00e9"]}` + "\nfailing\n"},
		{`{"x":{"b":[2.50,"é"],"a":true},"y":2}`, "UPDATE_COMPLETE", "failing\n"},
		{`{"y":1}`, "UPDATE_COMPLETE", `remove {"a": true, "b": [2.50, "\u00e9"]} none` + "\n"},
	} {
		h.metadata, h.status = step.metadata, step.status
		h.run(t, "cfn-hup --no-daemon", 0, "")
		ran, err := os.ReadFile(h.Root.Path("/ran"))
		if err != nil && !os.IsNotExist(err) || string(ran) != step.want {
			t.Errorf("%s: ran %q, want %q", step.metadata, ran, step.want)
		}
		os.Remove(h.Root.Path("/ran"))
	}
	log, err := os.ReadFile(h.Root.Path(hupLog))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" [ERROR] No action specified for hook lost\n", " [INFO] Running action for update\n",
		" [WARNING] Action for failing exited with exit status 3; will retry on next iteration\n", "[DEBUG] Skipping resource R in s as it is in status CREATE_IN_PROGRESS"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	if info, err := os.Stat(h.Root.Path(hupCache)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", hupCache, info, err)
	}
}

func TestHupConfiguration(t *testing.T) {
	const good = "[h]\ntriggers=post.update\npath=Resources.R.Metadata\naction=true\n"
	for _, tt := range []struct{ name, conf, hooks, want string }{
		{"no file", "", good, "Error: Could not find main configuration at "},
		{"no stack", "[main]\nregion=x\n", good, "Error: [main] section must contain stack option"},
		{"no sections", "stack=s\n", good, "File contains no section headers"},
		{"bad line", "[main]\nstack\n", good, "File contains parsing errors"},
		{"interval", "[main]\nstack=s\ninterval=0\n", good, "Invalid interval (must be 1 minute or greater): 0"},
		{"umask", "[main]\nstack=s\numask=9\n", good, "Invalid umask: 9"},
		{"no hooks", "[main]\nstack=s\n", "", "No hook configurations found at "},
		{"no valid hook", "[main]\nstack=s\n", "[h]\naction=true\n", "No valid hooks found"},
		{"command service", "[main]\nstack=s\n", "[h]\ntriggers=on.command\npath=x\naction=true\n", "on.command is not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			if tt.conf != "" {
				write(t, h.Root.Path("/etc/cfn/cfn-hup.conf"), tt.conf)
			}
			if tt.hooks != "" {
				write(t, h.Root.Path("/etc/cfn/hooks.conf"), tt.hooks)
			}
			h.run(t, "cfn-hup", 1, tt.want)
		})
	}
}

// A path that leads nowhere is told in the log and stops no other hook.
func TestHupPaths(t *testing.T) {
	h := newHost(t)
	h.metadata, h.status = `{"x":1}`, "CREATE_COMPLETE"
	h.hupFiles(t, "[a]\ntriggers=post.add\npath=Outputs.X\naction=true\n[b]\ntriggers=post.add\npath=Resources.R.Type\naction=true\n"+
		"[c]\ntriggers=post.add\npath=Resources.R\naction=echo $CFN_NEW_LAST_UPDATED\n  >>RAN\n[d]\ntriggers=post.add\npath=Resources\naction=true\n")
	h.run(t, "cfn-hup --no-daemon", 0, "")
	log, _ := os.ReadFile(h.Root.Path(hupLog))
	for _, want := range []string{"only changes to Resources are supported (path: Outputs.X)",
		"only Metadata or PhysicalResourceId can be specified after LogicalResourceId (path: Resources.R.Type)", "Input: Resources\n"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	if !strings.Contains(string(log), "Running action for c") {
		t.Errorf("c did not run:\n%s", log)
	}
}

func FuzzINI(f *testing.F) {
	f.Add("[main]\nstack = s\n  more\n# no\nkey: v%%\n")
	f.Add("[a]\nb=c\n[a]\nb=d\n[")
	f.Fuzz(func(t *testing.T, text string) {
		sections, err := parseINI(text, nil)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, s := range sections {
			if seen[s.name] {
				t.Errorf("two sections %q", s.name)
			}
			seen[s.name] = true
		}
	})
}
