package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../../"

var (
	// `internal/wire/call.go:Server.run`
	function = regexp.MustCompile("`((?:cmd|internal)/[A-Za-z0-9_./-]+\\.go):([A-Za-z0-9_.]+)`")
	// `internal/wire` or `internal/wire/call.go`
	place = regexp.MustCompile("`((?:cmd|internal|test|docs|examples|scripts|bench)/[A-Za-z0-9_./-]+)`")
	stop  = regexp.MustCompile(`\*\*Stop (\d+), `)
)

// What docs/ARCHITECTURE.md and the checklists name exists.
func TestDocumentsNameWhatExists(t *testing.T) {
	files := []string{"README.md", "CONTRIBUTING.md"}
	for _, pattern := range []string{"docs/*.md", "docs/checklists/*.md", "docs/decisions/*.md"} {
		more, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range more {
			files = append(files, strings.TrimPrefix(f, root))
		}
	}
	named := 0
	for _, file := range files {
		text, err := os.ReadFile(root + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range function.FindAllStringSubmatch(string(text), -1) {
			named++
			if !declared(t, root+m[1])[m[2]] {
				t.Errorf("%s names %s in %s, which is not there", file, m[2], m[1])
			}
		}
		for _, m := range place.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(root + m[1]); err != nil {
				t.Errorf("%s names %s, which is not there", file, m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("the documents name %d functions only: has their notation changed?", named)
	}
}

// The walk from CreateStack to a process has its nine stops, in order, each with a
// function.
func TestWalkHasNineStops(t *testing.T) {
	text, err := os.ReadFile(root + "docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	at := stop.FindAllStringSubmatchIndex(string(text), -1)
	if len(at) != 9 {
		t.Fatalf("%d stops, want 9", len(at))
	}
	for i, m := range at {
		end := strings.Index(string(text[m[0]:]), "\n\n")
		if n, _ := strconv.Atoi(string(text[m[2]:m[3]])); n != i+1 {
			t.Errorf("stop %d stands where %d belongs", n, i+1)
		}
		if !function.Match(text[m[0] : m[0]+end]) {
			t.Errorf("stop %d names no function", i+1)
		}
	}
}

// declared returns the functions of a file: "Name", or "Type.Name" for a method.
func declared(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("parse: %v", err)
		return nil
	}
	names := map[string]bool{}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if fn.Recv == nil {
			names[fn.Name.Name] = true
			continue
		}
		names[receiver(fn.Recv.List[0].Type)+"."+fn.Name.Name] = true
	}
	return names
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
