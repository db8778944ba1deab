package sshd

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/hardstand/hardstand/internal/guest"
)

const (
	sshDir = "/etc/ssh"
	// ownerFile names the instance that the host keys were made for: a disk that
	// became another instance's must not bring its keys along.
	ownerFile = sshDir + "/.hardstand-instance"
)

// keyKinds are the host keys made, in the order offered.
var keyKinds = []struct {
	name string
	make func() (crypto.PrivateKey, error)
}{
	{"ed25519", func() (crypto.PrivateKey, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}},
	{"ecdsa", func() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
}

func keyFile(kind string) string { return sshDir + "/ssh_host_" + kind + "_key" }

// HostKeys returns this instance's host keys and makes those that are missing.
func HostKeys(root guest.Root) ([]ssh.Signer, error) {
	if err := os.MkdirAll(root.Path(sshDir), 0o755); err != nil {
		return nil, err
	}
	// The first connections may come at the same time.
	lock, err := os.OpenFile(root.Path(ownerFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	id, err := os.ReadFile(root.Path(guest.InstanceIDFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	owner, err := io.ReadAll(lock)
	if err != nil {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	fresh := string(owner) != string(id)
	var signers []ssh.Signer
	for _, kind := range keyKinds {
		signer, err := loadKey(root, kind.name)
		if fresh || errors.Is(err, fs.ErrNotExist) {
			signer, err = makeKey(root, kind.name, kind.make)
		}
		if err != nil {
			return nil, fmt.Errorf("host key %s: %w", kind.name, err)
		}
		signers = append(signers, signer)
	}
	if fresh {
		if err := lock.Truncate(0); err != nil {
			return nil, err
		}
		if _, err := lock.WriteAt(id, 0); err != nil {
			return nil, err
		}
	}
	return signers, nil
}

func loadKey(root guest.Root, kind string) (ssh.Signer, error) {
	content, err := os.ReadFile(root.Path(keyFile(kind)))
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(content)
}

func makeKey(root guest.Root, kind string, make func() (crypto.PrivateKey, error)) (ssh.Signer, error) {
	key, err := make()
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	path := root.Path(keyFile(kind))
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return signer, os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o644)
}

// PrintHostKeys writes fingerprints and keys as cloud-init puts them on the
// console, where people and tools look for them before they first connect.
func PrintHostKeys(root guest.Root, w io.Writer) error {
	signers, err := HostKeys(root)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	var prints, keys strings.Builder
	for i, s := range signers {
		fmt.Fprintf(&prints, "256 %s root@%s (%s)\n", ssh.FingerprintSHA256(s.PublicKey()), host, strings.ToUpper(keyKinds[i].name))
		fmt.Fprintf(&keys, "%s root@%s\n", strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey()))), host)
	}
	_, err = fmt.Fprintf(w, "-----BEGIN SSH HOST KEY FINGERPRINTS-----\n%s-----END SSH HOST KEY FINGERPRINTS-----\n"+
		"-----BEGIN SSH HOST KEY KEYS-----\n%s-----END SSH HOST KEY KEYS-----\n", &prints, &keys)
	return err
}
