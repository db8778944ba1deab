package appspec

import (
	"slices"
	"testing"
)

func TestPermissionErrors(t *testing.T) {
	perm := func(rest string) string { return head + "permissions:\n  - object: /x\n    " + rest + "\n" }
	const (
		fix = " Update the permissions section of the AppSpec file, and then try again."
		acl = "of a problem with the acls permission settings in the application specification file. "
		mls = " for the context parameter in the permissions section of the application specification file. " +
			"Make corrections in the permissions section of the AppSpec file, and then try again."
	)
	tests := []struct{ name, text, want string }{
		{"no object", head + "permissions:\n  - mode: 644\n", "a permission listed in the application specification file has no object value." + fix},
		{"empty object", head + "permissions:\n  - object: ' '\n", "a permission listed in the application specification file has no object value." + fix},
		{"type", perm("type: [socket]"), "the application specification filespecifies a permission for an object type not supported for permissions (socket)." + fix},
		{"type in capitals", perm("type: [File]"), "the application specification filespecifies a permission for an object type not supported for permissions (File)." + fix},
		{"long mode", perm("mode: 00644"), "the length of a permissions mode (00644) in the application specification file is invalid. Permissions modes must be between one and four characters long." + fix},
		{"mode character", perm("mode: 648"), "the permissions mode (648) in the application specification file contains an invalid character (8)." + fix},
		{"short mode with a wrong character", perm("mode: 9"), "the permissions mode (009) in the application specification file contains an invalid character (9)." + fix},
		{"negative mode", perm("mode: -77"), "the permissions mode (-77) in the application specification file contains an invalid character (-)." + fix},
		{"acl of one part", perm("acls: [bob]"), acl + "Invalid acl entry (bob)."},
		{"acl of five parts", perm("acls: ['d:u:bob:7:7']"), acl + "Invalid acl entry (d:u:bob:7:7)."},
		{"acl tag", perm("acls: ['x:bob:7']"), acl + "Invalid acl entry (x:bob:7)."},
		{"default twice", perm("acls: ['d:d:bob:7']"), acl + "Invalid acl entry (d:d:bob:7)."},
		{"named mask", perm("acls: ['m:bob:7']"), acl + "Invalid acl entry (m:bob:7)."},
		{"named other", perm("acls: ['d:other:bob:7']"), acl + "Invalid acl entry (d:other:bob:7)."},
		{"base user", perm("acls: ['u::r']"), acl + "Use mode to set the base acl entry (u::r)." + fix},
		{"base group", perm("acls: ['group::r']"), acl + "Use mode to set the base acl entry (group::r)." + fix},
		{"base other", perm("acls: ['o::r']"), acl + "Use mode to set the base acl entry (o::r)." + fix},
		{"base user without a tag", perm("acls: [':7']"), acl + "Use mode to set the base acl entry (:7)." + fix},
		{"acl perm", perm("acls: ['u:bob:rq']"), "the access control list (ACL) named u:bob:rq in the application specification file contains an invalid character (q). Correct the ACL in the hooks section of the AppSpec file, and then try again."},
		{"acl digit", perm("acls: ['u:bob:8']"), "the access control list (ACL) named u:bob:8 in the application specification file contains an invalid character (8). Correct the ACL in the hooks section of the AppSpec file, and then try again."},
		{"context type", perm("context: {name: a, range: ~, x: 1}"), `the application specification file specifies an invalid context type ({"name"=>"a", "range"=>nil, "x"=>1}).` + fix},
		{"context role", perm("context: {role: a, type: t}"), "the application specification file specifies a role, but roles are not supported. Remove the role from the AppSpec file, and then try again."},
		{"context no map", perm("context: t"), "the application specification file has no map where one is needed (context, line 5). Correct the AppSpec file, and then try again."},
		{"backwards", perm("context: {type: t, range: s1-s0}"), "of a problem with the SELinux range specified (s1-s0)" + mls},
		{"half a range", perm("context: {type: t, range: 's0:'}"), "of a problem with the SELinux range specified (s0:)" + mls + " (invalid range part s0:)"},
		{"sensitivity", perm("context: {type: t, range: 't0'}"), "of a problem with the SELinux range specified (t0)" + mls + " (invalid sensitivity t0)"},
		{"category", perm("context: {type: t, range: 's0:c1024'}"), "of a problem with the SELinux range specified (s0:c1024)" + mls + " (invalid category c1024)"},
		{"category range", perm("context: {type: t, range: 's0:c2.c1'}"), "of a problem with the SELinux range specified (s0:c2.c1)" + mls + " (invalid category range c2.c1)"},
		{"categories twice", perm("context: {type: t, range: 's0:c1.c3,c2'}"), "of a problem with the SELinux range specified (s0:c1.c3,c2)" + mls + " (duplicate categories)"},
		{"no list of exceptions", perm("except: {a: b}"), "the application specification file has no list where one is needed (except, line 5). Correct the AppSpec file, and then try again."},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { wantError(t, tc.text, tc.want) })
	}
}

func TestModes(t *testing.T) {
	for written, want := range map[string]string{"4": "004", "64": "064", "644": "644", `"4755"`: "4755", "~": "", "1777": "1777"} {
		s, err := Parse([]byte(head + "permissions:\n  - object: /x\n    mode: " + written + "\n"))
		if err != nil || s.Permissions[0].Mode != want {
			t.Errorf("mode %s: %+v, %v; want %q", written, s, err, want)
		}
	}
}

func TestACLs(t *testing.T) {
	for text, want := range map[string]string{
		"u:bob:7": "user:bob:rwx", "user:bob:r-x": "user:bob:r-x", "group:adm:xw": "group:adm:-wx", "g:adm:0": "group:adm:---",
		"m::rx": "mask::r-x", "m:rx": "mask::r-x", "mask::5": "mask::r-x", "bob:r": "user:bob:r--", "u:bob:": "user:bob:---",
		"d:u:bob:6": "default:user:bob:rw-", "default:group::rwx": "default:group::rwx", "d:o:4": "default:other::r--",
		"d:other::4": "default:other::r--", "d:bob:1": "default:user:bob:--x", "d::7": "default:user::rwx",
	} {
		a, err := parseACL(text)
		if err != nil || a.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, a, err, want)
		}
	}
}

func TestSELinuxRanges(t *testing.T) {
	for text, want := range map[string]string{
		"s0": "s0", "s0-s0": "s0", "s0-s15": "s0-s15", "s0:c1": "s0:c1", "s0:c3,c1,c2": "s0:c1.c3", "s0:c1.c1": "s0:c1",
		"s0-s1:c0.c3,c7": "s0-s1:c0.c3,c7", "s0:c0,c1023": "s0:c0,c1023", "s0:c5.c7,c1.c4": "s0:c1.c7",
	} {
		if got, err := shortRange(text); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %s", text, got, err, want)
		}
	}
}

// The guide says user, AWS's agents read name: ours takes both.
func TestContextUser(t *testing.T) {
	for _, key := range []string{"name", "user"} {
		s, err := Parse([]byte(head + "permissions:\n  - object: /x\n    context: {type: t, " + key + ": system_u}\n"))
		if err != nil || s.Permissions[0].Context.User != "system_u" {
			t.Errorf("%s: %v, %+v", key, err, s)
		}
	}
}

func TestPermissionDefaults(t *testing.T) {
	s, err := Parse([]byte(head + "permissions:\n  - object: ' /x '\n    type: file\n    except: a\n  - object: /y\n"))
	if err != nil {
		t.Fatal(err)
	}
	x, y := s.Permissions[0], s.Permissions[1]
	if x.Object != "/x" || !slices.Equal(x.Types, []string{"file"}) || !slices.Equal(x.Except, []string{"a"}) {
		t.Errorf("a single value is a list of one: %+v", x)
	}
	if y.Pattern != "**" || !slices.Equal(y.Types, []string{"file", "directory"}) || y.Mode != "" || y.ACLs != nil || y.Context != nil {
		t.Errorf("defaults: %+v", y)
	}
}
