package architecture

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// markdown returns the text of every page of the project by its path.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(path, ".md") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			pages[path] = string(text)
		}
		return nil
	})
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	return pages
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)

// Links between pages lead somewhere.
func TestLinksLead(t *testing.T) {
	for page, text := range markdown(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", strings.TrimPrefix(page, root), m[1])
			}
		}
	}
}

var (
	variable = regexp.MustCompile(`(?:env:"|Getenv\(")(HARDSTAND_[A-Z_]+)"`)
	exitCode = regexp.MustCompile(`(?m)^\tExit[A-Z]\w*\s*= (\d+)`)
)

// The README lists every variable that the commands read and every exit code of
// deploy.
func TestREADMEListsVariablesAndCodes(t *testing.T) {
	readme, err := os.ReadFile(root + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, files, cell string
		form              *regexp.Regexp
		least             int
	}{
		{"variables", "cmd/hardstand/*.go", "`%`", variable, 14},
		{"exit codes", "internal/deploy/failure.go", "| % |", exitCode, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files, err := filepath.Glob(root + tt.files)
			if err != nil {
				t.Fatal(err)
			}
			found := 0
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range tt.form.FindAllStringSubmatch(string(text), -1) {
					found++
					if cell := strings.ReplaceAll(tt.cell, "%", m[1]); !strings.Contains(string(readme), cell) {
						t.Errorf("README.md does not list %s", m[1])
					}
				}
			}
			if found < tt.least {
				t.Errorf("found %d, want at least %d: has the notation changed?", found, tt.least)
			}
		})
	}
}
