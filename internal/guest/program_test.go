package guest

import (
	"bytes"
	"os"
	"slices"
	"testing"
)

// The test's own binary is one that Go's linker has made.
func TestOpenProgram(t *testing.T) {
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenProgram(bytes.NewReader(own), int64(len(own)))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := p.Read(); err != nil || !bytes.Equal(b, own) {
		t.Errorf("Read: %d bytes, %v; want the %d of the binary", len(b), err, len(own))
	}
	at := bytes.Index(own, noteOwner) + len(noteOwner)
	other := slices.Clone(own)
	other[at]++ // the first byte of the build ID
	q, err := OpenProgram(bytes.NewReader(other), int64(len(other)))
	if err != nil || q.ID == p.ID {
		t.Errorf("another build has the ID %s of the first (%v)", q.ID, err)
	}
	if longer, err := OpenProgram(bytes.NewReader(own), int64(len(own))+1); err != nil || longer.ID == p.ID {
		t.Errorf("another size has the ID of the first (%v)", err)
	}
}

func TestOpenProgramRefuses(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "short": "\x7fELF", "not Go's": "\x7fELF" + string(make([]byte, headSize))} {
		if p, err := OpenProgram(bytes.NewReader([]byte(content)), int64(len(content))); err == nil {
			t.Errorf("%s: taken as %s", name, p.ID)
		}
	}
}
