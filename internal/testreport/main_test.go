package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
		exit     int
	}{
		{"pass", `{"Action":"output","Package":"p","Test":"A","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Elapsed":1.5}`, []string{"ok    p  1.5s", "1 passed, 0 failed, 0 skipped"}, 0},
		{"fail", `{"Action":"output","Package":"p","Test":"A","Output":"a_test.go:1: broken\n"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"fail","Package":"p"}`, []string{"FAIL  p A", "a_test.go:1: broken", "0 passed, 1 failed"}, 1},
		{"skip", `{"Action":"pass","Package":"p","Test":"B"}
{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:9: needs root\n"}
{"Action":"output","Package":"p","Test":"A","Output":"--- SKIP: A\n"}
{"Action":"skip","Package":"p","Test":"A"}`, []string{"not run here:\n  p A: needs root", "1 skipped"}, 0},
		{"nothing ran", `{"Action":"skip","Package":"p"}`, []string{"0 passed"}, 1},
		{"build", "{\"Action\":\"build-output\",\"ImportPath\":\"p\",\"Output\":\"x.go:1: no\\n\"}\n{\"Action\":\"build-fail\"}", []string{"x.go:1: no"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			r := &report{out: &b, output: map[string][]string{}}
			if err := r.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			if got := r.finish(); got != tt.exit {
				t.Errorf("exit code %d, want %d", got, tt.exit)
			}
			for _, w := range tt.want {
				if !strings.Contains(b.String(), w) {
					t.Errorf("report lacks %q:\n%s", w, b.String())
				}
			}
		})
	}
}
