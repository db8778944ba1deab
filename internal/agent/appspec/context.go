package appspec

import (
	"strconv"
	"strings"
)

// Context is an SELinux context.
type Context struct {
	User  string
	Type  string
	Range string // "" for none, else checked text
}

func readContext(e tree) (*Context, error) {
	v, ok := e.get("context")
	if !ok || v.isNull() {
		return nil, nil
	}
	if _, err := v.pairs("context"); err != nil {
		return nil, err
	}
	c := &Context{User: v.field("name"), Type: v.field("type"), Range: v.field("range")}
	if c.User == "" {
		c.User = v.field("user") // the guide's name for it; agents before ours read name only
	}
	if v.field("role") != "" {
		return nil, fail("the application specification file specifies a role, but roles are not supported. " +
			"Update the permissions section of the AppSpec file, and then try again.")
	}
	if c.Type == "" {
		return nil, fail("the application specification file specifies an invalid context type (%s). "+
			"Update the permissions section of the AppSpec file, and then try again.", c.Type)
	}
	if c.Range != "" {
		if why := checkRange(c.Range); why != "" {
			return nil, fail("of a problem with the SELinux range specified (%s): %s. "+
				"Update the permissions section of the AppSpec file, and then try again.", c.Range, why)
		}
	}
	return c, nil
}

// checkRange checks s0[-s1][:c0[.c3][,...]] and says what is wrong, or "".
func checkRange(r string) string {
	parts := strings.SplitN(r, ":", 2)
	bounds := strings.Split(parts[0], "-")
	if len(bounds) > 2 {
		return "invalid range part " + parts[0]
	}
	last := -1
	for _, b := range bounds {
		n, ok := numbered(b, 's', 15)
		if !ok {
			return "invalid sensitivity " + b
		}
		if n < last {
			return "the high sensitivity is below the low one"
		}
		last = n
	}
	if len(parts) == 2 {
		return checkCategories(parts[1])
	}
	return ""
}

func checkCategories(list string) string {
	seen := map[int]bool{}
	for part := range strings.SplitSeq(list, ",") {
		ends := strings.Split(part, ".")
		if len(ends) > 2 {
			return "invalid range part " + part
		}
		low, ok := numbered(ends[0], 'c', 1023)
		if !ok {
			return "invalid category " + ends[0]
		}
		high := low
		if len(ends) == 2 {
			if high, ok = numbered(ends[1], 'c', 1023); !ok {
				return "invalid category " + ends[1]
			}
			if high <= low {
				return "invalid category range " + part
			}
		}
		for c := low; c <= high; c++ {
			if seen[c] {
				return "duplicate categories"
			}
			seen[c] = true
		}
	}
	return ""
}

func numbered(s string, letter byte, limit int) (int, bool) {
	if len(s) < 2 || s[0] != letter {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:], 10, 16)
	return int(n), err == nil && int(n) <= limit
}
