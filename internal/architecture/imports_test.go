// Package architecture holds the tests that keep the code in the shape that
// docs/ARCHITECTURE.md describes.
package architecture

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/hardstand/hardstand/"

// layers are ordered from the top; a package may import packages of lower layers
// and of its own tree, nothing else. Packages in one layer do not import each
// other.
var layers = [][]string{
	{"cmd/hardstand"},
	{"internal/app"},
	{"internal/service/*", "internal/console", "internal/deploy"},
	{"internal/stack", "internal/wire", "internal/instance"},
	{"internal/network", "internal/lb", "internal/policy", "internal/store", "internal/blob", "internal/agent", "internal/guest"},
	{"internal/aws", "internal/clock"},
}

// apart lists packages outside the layers, with all that they may import.
var apart = map[string][]string{
	"cmd/hardstand-guest":   {"internal/guest", "internal/agent", "internal/aws", "internal/clock"},
	"internal/awsgen":       {"internal/aws"},
	"internal/architecture": nil,
	"internal/testreport":   nil,
}

// tree returns the layer entry that pkg belongs to and its layer, or -1.
func tree(pkg string) (string, int) {
	for i, layer := range layers {
		for _, entry := range layer {
			base := entry
			if prefix, ok := strings.CutSuffix(entry, "/*"); ok {
				rest, ok := strings.CutPrefix(pkg, prefix+"/")
				if !ok {
					continue
				}
				name, _, _ := strings.Cut(rest, "/")
				base = prefix + "/" + name
			}
			if pkg == base || strings.HasPrefix(pkg, base+"/") {
				return base, i
			}
		}
	}
	return "", -1
}

func allowed(from, to string) bool {
	for base, may := range apart {
		if from == base || strings.HasPrefix(from, base+"/") {
			for _, m := range append(may, base) {
				if to == m || strings.HasPrefix(to, m+"/") {
					return true
				}
			}
			return false
		}
	}
	fromTree, fromLayer := tree(from)
	toTree, toLayer := tree(to)
	if fromLayer < 0 || toLayer < 0 {
		return false
	}
	return fromTree == toTree || toLayer > fromLayer || (fromLayer == len(layers)-1 && toLayer == fromLayer)
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestLawOfImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "../../cmd/...", "../../internal/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		seen++
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			if ours && !allowed(from, to) {
				t.Errorf("%s must not import %s (docs/ARCHITECTURE.md, law of imports)", from, to)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("go list named %d packages only", seen)
	}
}

func TestLawJudges(t *testing.T) {
	tests := []struct {
		from, to string
		want     bool
	}{
		{"internal/service/ec2", "internal/stack", true},
		{"internal/service/ec2", "internal/service/iam", false},
		{"internal/stack", "internal/wire", false},
		{"internal/stack/template", "internal/stack", true},
		{"internal/wire", "internal/policy", true},
		{"internal/policy", "internal/wire", false},
		{"internal/store", "internal/blob", false},
		{"internal/aws", "internal/clock", true},
		{"cmd/hardstand-guest", "internal/agent/poll", true},
		{"cmd/hardstand-guest", "internal/store", false},
		{"internal/app", "internal/awsgen", false},
	}
	for _, tt := range tests {
		if got := allowed(tt.from, tt.to); got != tt.want {
			t.Errorf("allowed(%s, %s) = %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}
