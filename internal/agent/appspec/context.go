package appspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Context is an SELinux context.
type Context struct {
	User  string
	Type  string
	Range string // "" for none, else in its shortest form
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
			"Remove the role from the AppSpec file, and then try again.")
	}
	if c.Type == "" {
		return nil, fail("the application specification file specifies an invalid context type (%s). "+
			"Update the permissions section of the AppSpec file, and then try again.", v.inspect())
	}
	if c.Range != "" {
		r, why := shortRange(c.Range)
		if why != nil {
			return nil, badRange(c.Range, why)
		}
		c.Range = r
	}
	return c, nil
}

// errBackwards is a range that AWS's sentence needs no reason for.
var errBackwards = fmt.Errorf("the high sensitivity is below the low one")

func badRange(r string, why error) error {
	err := fail("of a problem with the SELinux range specified (%s) for the context parameter in the permissions section of "+
		"the application specification file. Make corrections in the permissions section of the AppSpec file, and then try again.", r)
	if why == errBackwards {
		return err
	}
	return fmt.Errorf("%w (%w)", err, why)
}

// shortRange checks s0[-s1][:c0[.c3][,...]] and returns it with its categories
// sorted and joined.
func shortRange(r string) (string, error) {
	parts, err := halves(r, ":")
	if err != nil {
		return "", err
	}
	bounds, err := halves(parts[0], "-")
	if err != nil {
		return "", err
	}
	low, high := -1, -1
	for _, b := range bounds {
		n, ok := numbered(b, 's', 255)
		if !ok {
			return "", fmt.Errorf("invalid sensitivity %s", b)
		}
		if n < high {
			return "", errBackwards
		}
		if low < 0 {
			low = n
		}
		high = n
	}
	out := "s" + strconv.Itoa(low)
	if high != low {
		out += "-s" + strconv.Itoa(high)
	}
	if len(parts) == 1 {
		return out, nil
	}
	categories, err := readCategories(parts[1])
	if err != nil {
		return "", err
	}
	return out + ":" + joinCategories(categories), nil
}

// halves splits s at sep if it is there; neither half may be empty.
func halves(s, sep string) ([]string, error) {
	parts := strings.SplitN(s, sep, 2)
	if slices.Contains(parts, "") {
		return nil, fmt.Errorf("invalid range part %s", s)
	}
	return parts, nil
}

func readCategories(list string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(list, ",") {
		ends := []string{part}
		if strings.Contains(part, ".") {
			var err error
			if ends, err = halves(part, "."); err != nil {
				return nil, err
			}
		}
		var numbers []int
		for _, e := range ends {
			n, ok := numbered(e, 'c', 1023)
			if !ok {
				return nil, fmt.Errorf("invalid category %s", e)
			}
			numbers = append(numbers, n)
		}
		low, high := numbers[0], numbers[len(numbers)-1]
		if high < low {
			return nil, fmt.Errorf("invalid category range %s", part)
		}
		for c := low; c <= high; c++ {
			all = append(all, c)
		}
	}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		return nil, fmt.Errorf("duplicate categories")
	}
	return all, nil
}

// joinCategories writes runs of sorted numbers as c1.c3.
func joinCategories(sorted []int) string {
	var out []string
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && sorted[j+1] == sorted[j]+1 {
			j++
		}
		run := "c" + strconv.Itoa(sorted[i])
		if j > i {
			run += ".c" + strconv.Itoa(sorted[j])
		}
		out = append(out, run)
		i = j + 1
	}
	return strings.Join(out, ",")
}

func numbered(s string, letter byte, limit int) (int, bool) {
	if len(s) < 2 || s[0] != letter {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:], 10, 16)
	return int(n), err == nil && int(n) <= limit
}
