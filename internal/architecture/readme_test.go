package architecture

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/guest/pkgshim"
)

var update = flag.Bool("update", false, "write the generated sections of README.md")

// The README's tables are those of the code. With -update they are written.
func TestREADMESections(t *testing.T) {
	file := root + "README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fresh := text
	for name, content := range map[string]string{"services": services(t), "packages": packages()} {
		fresh, err = replaceSection(fresh, name, content)
		if err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(file, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(fresh, text) {
		t.Error("README.md's tables are stale; run: go test ./internal/architecture -run README -update")
	}
}

// replaceSection puts content between the comments that begin and end a section.
func replaceSection(text []byte, name, content string) ([]byte, error) {
	form := regexp.MustCompile(`(?s)(<!-- ` + name + `:[^\n]*-->\n).*?(<!-- end of ` + name + ` -->)`)
	at := form.FindSubmatchIndex(text)
	if at == nil {
		return nil, fmt.Errorf("README.md has no section %s", name)
	}
	return slices.Concat(text[:at[3]], []byte("\n"+content+"\n"), text[at[4]:]), nil
}

var (
	title = regexp.MustCompile(`(?m)^# (.+)$`)
	built = regexp.MustCompile(`(\d+) of (\d+) operations`)
	types = regexp.MustCompile(`The (\d+) types`)
)

// services is a row for each page of docs/reference, which a test of internal/app
// holds to the tables.
func services(t *testing.T) string {
	t.Helper()
	pages, err := filepath.Glob(root + "docs/reference/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("docs/reference: %d pages, %v", len(pages), err)
	}
	var b, last strings.Builder
	b.WriteString("| service | built |\n| --- | --- |\n")
	for _, p := range pages {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		link := fmt.Sprintf("[%s](docs/reference/%s)", title.FindSubmatch(text)[1], filepath.Base(p))
		if m := built.FindSubmatch(text); m != nil {
			fmt.Fprintf(&b, "| %s | %s of %s operations |\n", link, m[1], m[2])
		} else if m := types.FindSubmatch(text); m != nil {
			fmt.Fprintf(&last, "| %s of CloudFormation | %s |\n", link, m[1])
		}
	}
	return b.String() + last.String()
}

// packages is the table of the package shims, a line for each row.
func packages() string {
	var b strings.Builder
	b.WriteString("| packages | what asking for them leads to |\n| --- | --- |\n")
	for _, p := range pkgshim.Table() {
		what := ""
		switch p.Class {
		case pkgshim.Ours:
			what = "ours: " + p.Note
		case pkgshim.Substituted:
			what = "not needed: " + p.Note
		case pkgshim.Present:
			what = "present where the image has `" + strings.Join(p.Evidence, "` or `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.Join(p.Names, "`, `"), strings.ReplaceAll(what, "<", "&lt;"))
	}
	return b.String()
}

func TestReplaceSection(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"empty", "a\n<!-- x: how -->\n<!-- end of x -->\nb", "a\n<!-- x: how -->\n\nnew\n<!-- end of x -->\nb"},
		{"filled", "<!-- x: how -->\n\nold\n<!-- end of x -->", "<!-- x: how -->\n\nnew\n<!-- end of x -->"},
		{"another", "<!-- y: how -->\n<!-- end of y -->", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := replaceSection([]byte(tt.text), "x", "new")
			if string(got) != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
