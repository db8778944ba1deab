package wire_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/wire"
)

func TestReference(t *testing.T) {
	s := newTiny(t)
	for _, svc := range s.services() {
		if svc.Model.Name != "sts" {
			continue
		}
		var b strings.Builder
		if err := wire.WriteReference(&b, svc); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"1 of 11 operations", "| GetCallerIdentity | none: AWS asks for no permission |", "Not implemented: AssumeRole, "} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in\n%s", want, b.String())
			}
		}
	}
}
