package applets

import (
	"path"
	"testing"

	"github.com/hardstand/hardstand/internal/guest"
)

// A link to a name that nothing answers to would only say so when it is called.
func TestEveryLinkIsAnswered(t *testing.T) {
	table := Table()
	for _, l := range guest.Links() {
		name := path.Base(l.Path)
		if name == path.Base(guest.Binary) {
			continue
		}
		if table[name] == nil {
			t.Errorf("%s: no applet %s", l.Path, name)
		}
	}
}
