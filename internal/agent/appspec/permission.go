package appspec

import (
	"fmt"
	"strings"
)

func readPermissions(root tree, s *Spec) ([]Permission, error) {
	entries, err := root.list("permissions")
	if err != nil {
		return nil, err
	}
	var out []Permission
	for _, e := range entries {
		p, err := readPermission(e, s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func readPermission(e tree, s *Spec) (Permission, error) {
	p := Permission{
		Object: strings.TrimSpace(e.field("object")), Pattern: e.field("pattern"),
		Owner: e.field("owner"), Group: e.field("group"),
	}
	if p.Object == "" {
		return p, fail("a permission listed in the application specification file has no object value. " +
			"Update the permissions section of the AppSpec file, and then try again.")
	}
	if p.Pattern == "" {
		p.Pattern = "**"
	}
	var err error
	if p.Except, err = e.strings("except"); err != nil {
		return p, err
	}
	if p.Types, err = readTypes(e); err != nil {
		return p, err
	}
	if p.Mode, err = readMode(e, s); err != nil {
		return p, err
	}
	if p.ACLs, err = readACLs(e); err != nil {
		return p, err
	}
	p.Context, err = readContext(e)
	return p, err
}

func readTypes(e tree) ([]string, error) {
	types, err := e.strings("type")
	if err != nil {
		return nil, err
	}
	if len(types) == 0 {
		return []string{"file", "directory"}, nil
	}
	for _, t := range types {
		if t != "file" && t != "directory" {
			return nil, fail("the application specification filespecifies a permission for an object type not supported for permissions (%s). "+
				"Update the permissions section of the AppSpec file, and then try again.", t)
		}
	}
	return types, nil
}

func readMode(e tree, s *Spec) (string, error) {
	v, ok := e.get("mode")
	if !ok || v.isNull() {
		return "", nil
	}
	mode := v.text()
	written := mode
	if mode != "" {
		mode = strings.Repeat("0", max(0, 3-len(mode))) + mode
	}
	if len(mode) < 1 || len(mode) > 4 {
		return "", fail("the length of a permissions mode (%s) in the application specification file is invalid. "+
			"Permissions modes must be between one and four characters long. "+
			"Update the permissions section of the AppSpec file, and then try again.", mode)
	}
	for _, c := range mode {
		if c < '0' || c > '7' {
			return "", fail("the permissions mode (%s) in the application specification file contains an invalid character (%c). "+
				"Update the permissions section of the AppSpec file, and then try again.", mode, c)
		}
	}
	if v.isPlain() && len(written) > 1 && written[0] == '0' {
		s.Warnings = append(s.Warnings, fmt.Sprintf("line %d: mode %s without quotes is read as text here and by agent 2.x, "+
			"but as an octal number by agent 1.x; write mode: \"%s\"", v.n.Line, written, written))
	}
	return mode, nil
}
