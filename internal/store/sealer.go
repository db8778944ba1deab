package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// sealVersion is the first byte of what Seal returns.
const sealVersion = 1

// Sealer encrypts secrets before they are stored, AES-256-GCM under the data
// dir's master key. A sealed secret opens only under the table and row it was
// sealed for.
type Sealer struct{ aead cipher.AEAD }

// OpenSealer reads dir/secrets/master.key and makes it when it is absent.
func OpenSealer(dir string) (*Sealer, error) {
	secrets := filepath.Join(dir, "secrets")
	if err := os.MkdirAll(secrets, 0o700); err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	key, err := masterKey(filepath.Join(secrets, "master.key"))
	if err != nil {
		return nil, fmt.Errorf("open the master key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead}, nil
}

func masterKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeMasterKey(path)
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: chmod it to 0600, and change the secrets if others may have read it", path, info.Mode().Perm())
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("%s holds %d bytes, not 32", path, len(key))
	}
	return key, nil
}

// makeMasterKey writes a new key. The link makes it appear complete or not at
// all, and never over one that another process has made meanwhile.
func makeMasterKey(path string) ([]byte, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	tmp, err := os.CreateTemp(filepath.Dir(path), ".master-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(key)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); errors.Is(err, os.ErrExist) {
		return masterKey(path)
	} else if err != nil {
		return nil, err
	}
	return key, syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func sealedFor(table, row string) []byte { return []byte(table + "\x00" + row) }

// Seal encrypts plain for a row of a table.
func (s *Sealer) Seal(table, row string, plain []byte) ([]byte, error) {
	out := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	out[0] = sealVersion
	_, _ = rand.Read(out[1:])
	return s.aead.Seal(out, out[1:], plain, sealedFor(table, row)), nil
}

// Open decrypts what Seal made for the same table and row.
func (s *Sealer) Open(table, row string, sealed []byte) ([]byte, error) {
	n := 1 + s.aead.NonceSize()
	if len(sealed) < n || sealed[0] != sealVersion {
		return nil, fmt.Errorf("unseal %s: not a sealed secret", table)
	}
	plain, err := s.aead.Open(nil, sealed[1:n], sealed[n:], sealedFor(table, row))
	if err != nil {
		return nil, fmt.Errorf("unseal %s: sealed for another row or under another key", table)
	}
	return plain, nil
}
