package appspec

import "strings"

// ACL is one access-control entry: [default:]tag:[name]:perm.
type ACL struct {
	Default bool
	Tag     string // user, group, mask, other
	Name    string
	Perm    string // "rwx" with dashes
}

// String is the entry as setfacl takes it.
func (a ACL) String() string {
	s := a.Tag + ":" + a.Name + ":" + a.Perm
	if a.Default {
		return "default:" + s
	}
	return s
}

var aclTags = map[string]string{
	"u": "user", "user": "user", "g": "group", "group": "group",
	"m": "mask", "mask": "mask", "o": "other", "other": "other",
}

func readACLs(e tree) ([]ACL, error) {
	entries, err := e.strings("acls")
	if err != nil {
		return nil, err
	}
	var out []ACL
	for _, text := range entries {
		a, err := parseACL(text)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// parseACL reads one entry. As for setfacl, an entry without a tag is a user's,
// and mask and other may leave out the empty name.
func parseACL(text string) (ACL, error) {
	bad := fail("of a problem with the acls permission settings in the application specification file. Invalid acl entry (%s).", text)
	parts := strings.Split(text, ":")
	var a ACL
	if len(parts) > 2 && (parts[0] == "d" || parts[0] == "default") {
		a.Default, parts = true, parts[1:]
	}
	if len(parts) == 2 {
		if tag := aclTags[parts[0]]; tag == "mask" || tag == "other" {
			parts = []string{parts[0], "", parts[1]}
		} else {
			parts = []string{"user", parts[0], parts[1]}
		}
	}
	if len(parts) != 3 || aclTags[parts[0]] == "" {
		return a, bad
	}
	a.Tag, a.Name = aclTags[parts[0]], parts[1]
	if a.Name != "" && (a.Tag == "mask" || a.Tag == "other") {
		return a, bad
	}
	if !a.Default && a.Name == "" && a.Tag != "mask" {
		return a, fail("of a problem with the acls permission settings in the application specification file. "+
			"Use mode to set the base acl entry (%s). Update the permissions section of the AppSpec file, and then try again.", text)
	}
	var ch string
	if a.Perm, ch = aclPerm(parts[2]); ch != "" {
		return a, fail("the access control list (ACL) named %s in the application specification file contains an invalid character (%s). "+
			"Correct the ACL in the hooks section of the AppSpec file, and then try again.", text, ch)
	}
	return a, nil
}

// aclPerm turns 0-7 or the letters rwx into rwx form; bad is the first
// character that is neither.
func aclPerm(s string) (perm, bad string) {
	bits := 0
	if len(s) == 1 && s[0] >= '0' && s[0] <= '7' {
		bits = int(s[0] - '0')
	} else {
		for _, c := range s {
			switch c {
			case 'r':
				bits |= 4
			case 'w':
				bits |= 2
			case 'x':
				bits |= 1
			case '-':
			default:
				return "", string(c)
			}
		}
	}
	out := []byte("---")
	for i, c := range []byte("rwx") {
		if bits&(4>>i) != 0 {
			out[i] = c
		}
	}
	return string(out), ""
}
