package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/store"
)

func TestSealer(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenSealer(dir)
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte("wJalrXUtnFEMI")
	sealed, err := s.Seal("iam.accesskey", "AKIA1", plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain) {
		t.Error("sealed secret contains the secret")
	}
	again, err := store.OpenSealer(dir) // the key is on disk
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open("iam.accesskey", "AKIA1", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("open: %q, %v", got, err)
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	other, _ := store.OpenSealer(t.TempDir())
	for _, c := range []struct {
		name, table, row string
		sealer           *store.Sealer
		sealed           []byte
	}{
		{"other row", "iam.accesskey", "AKIA2", s, sealed},
		{"other table", "ssm.parameter", "AKIA1", s, sealed},
		{"other key", "iam.accesskey", "AKIA1", other, sealed},
		{"changed", "iam.accesskey", "AKIA1", s, flipped},
		{"short", "iam.accesskey", "AKIA1", s, sealed[:5]},
		{"empty", "iam.accesskey", "AKIA1", s, nil},
	} {
		if _, err := c.sealer.Open(c.table, c.row, c.sealed); err == nil {
			t.Errorf("%s: opened", c.name)
		}
	}
}

func TestMasterKeyFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := store.OpenSealer(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "secrets", "master.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Fatalf("master.key: %v, %v", info, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("secrets holds %d files", len(entries))
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenSealer(dir); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("readable key: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(path, 0o600)
	if _, err := store.OpenSealer(dir); err == nil {
		t.Error("short key was taken")
	}
}
