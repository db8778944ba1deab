package accounts

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/guest"
)

func tree(t *testing.T) guest.Root {
	t.Helper()
	root := guest.Root(t.TempDir())
	if err := os.MkdirAll(root.Path("/etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nec2-user:x:1000:1000:EC2:/home/ec2-user:/bin/bash\nbroken:line\n",
		"/etc/group":  "root:x:0:\nec2-user:x:1000:\nsudo:x:27:ec2-user\nwheel:x:10:ubuntu,ec2-user",
		"/etc/shadow": "root:*:1::::::\n",
	}
	for p, c := range files {
		if err := os.WriteFile(root.Path(p), []byte(c), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestLookup(t *testing.T) {
	root := tree(t)
	u, err := LookupUser(root, "ec2-user")
	if err != nil || u.UID != 1000 || u.Home != "/home/ec2-user" {
		t.Fatalf("LookupUser = %+v, %v", u, err)
	}
	if byID, err := LookupUser(root, "1000"); err != nil || byID.Name != "ec2-user" {
		t.Errorf("by uid = %+v, %v", byID, err)
	}
	if _, err := LookupUser(root, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown user: %v", err)
	}
	groups, err := Supplementary(root, u)
	if err != nil || !slices.Equal(groups, []uint32{1000, 27, 10}) {
		t.Errorf("Supplementary = %v, %v", groups, err)
	}
	names, err := GroupNames(root, u)
	if err != nil || strings.Join(names, " ") != "ec2-user sudo wheel" {
		t.Errorf("GroupNames = %v, %v", names, err)
	}
}

func TestAddUser(t *testing.T) {
	root := tree(t)
	u, err := AddUser(root, NewUser{Name: "deploy", UID: -1, Groups: []string{"wheel"}})
	if err != nil {
		t.Fatal(err)
	}
	if u.UID != 1001 || u.GID != 1001 || u.Shell != "/bin/bash" {
		t.Errorf("user = %+v", u)
	}
	sys, err := AddUser(root, NewUser{Name: "app", UID: -1, System: true})
	if err != nil || sys.UID != 999 || sys.Shell != "/sbin/nologin" {
		t.Errorf("system user = %+v, %v", sys, err)
	}
	g, err := LookupGroup(root, "wheel")
	if err != nil || !slices.Equal(g.Members, []string{"ubuntu", "ec2-user", "deploy"}) {
		t.Errorf("wheel = %+v, %v", g, err)
	}
	for name, n := range map[string]NewUser{
		"name taken":    {Name: "deploy", UID: -1},
		"uid taken":     {Name: "other", UID: 1000},
		"bad name":      {Name: "a:b", UID: -1},
		"colon in home": {Name: "ok", UID: -1, Home: "/a:b"},
	} {
		if _, err := AddUser(root, n); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := AddUser(root, NewUser{Name: "lost", UID: -1, Groups: []string{"absent"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent group: %v", err)
	}
}

func TestAddGroup(t *testing.T) {
	root := tree(t)
	if g, err := AddGroup(root, "web", 501, false); err != nil || g.GID != 501 {
		t.Errorf("AddGroup = %+v, %v", g, err)
	}
	if _, err := AddGroup(root, "web", -1, false); err == nil {
		t.Error("a second group web was made")
	}
	if err := Join(root, "web", "root"); err != nil {
		t.Error(err)
	}
	if g, _ := LookupGroup(root, "501"); !slices.Equal(g.Members, []string{"root"}) {
		t.Errorf("web = %+v", g)
	}
}

func TestModifyUser(t *testing.T) {
	root := tree(t)
	if err := ModifyUser(root, "ec2-user", []string{"wheel", "root"}, "/srv"); err != nil {
		t.Fatal(err)
	}
	u, err := LookupUser(root, "ec2-user")
	if err != nil || u.Home != "/srv" {
		t.Errorf("user = %+v, %v", u, err)
	}
	if names, err := GroupNames(root, u); err != nil || strings.Join(names, " ") != "root ec2-user wheel" {
		t.Errorf("groups = %v, %v", names, err)
	}
	if b, err := os.ReadFile(root.Path("/etc/passwd")); err != nil || !strings.HasSuffix(string(b), "\nbroken:line\n") {
		t.Errorf("passwd = %q, %v", b, err)
	}
	for name, err := range map[string]error{
		"absent user":   ModifyUser(root, "nobody", nil, "/"),
		"absent group":  ModifyUser(root, "ec2-user", []string{"absent"}, "/"),
		"colon in home": ModifyUser(root, "ec2-user", nil, "/a:b"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
