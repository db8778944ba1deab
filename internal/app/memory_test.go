package app

import (
	"strings"
	"testing"
)

func TestProgramRanges(t *testing.T) {
	const file = "/usr/bin/hardstand"
	for _, c := range []struct {
		name, line string
		from, to   uintptr
		ok         bool
	}{
		{"constants", "019c9000-0358e000 r--p 015c9000 fe:00 1234                           /usr/bin/hardstand", 0x19c9000, 0x358e000, true},
		{"code", "00400000-019c9000 r-xp 00000000 fe:00 1234                           /usr/bin/hardstand", 0x400000, 0x19c9000, true},
		{"variables", "0358e000-0368e000 rw-p 0318e000 fe:00 1234                           /usr/bin/hardstand", 0, 0, false},
		{"another file", "7f0000000000-7f0000001000 r--p 00000000 fe:00 9 /usr/lib/locale/C.utf8", 0, 0, false},
		{"no file", "7f0000000000-7f0000001000 r--p 00000000 00:00 0", 0, 0, false},
		{"empty", "", 0, 0, false},
	} {
		from, to, ok := program(c.line, file)
		if ok != c.ok || (ok && (from != c.from || to != c.to)) {
			t.Errorf("%s: %x-%x %v, want %x-%x %v", c.name, from, to, ok, c.from, c.to, c.ok)
		}
	}
}

// What is given back is still there for whoever needs it: here, the page's text.
func TestDropProgram(t *testing.T) {
	if err := dropProgram(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(landingPage, "</html>\n") {
		t.Errorf("the landing page ends with %q", landingPage[len(landingPage)-10:])
	}
}
