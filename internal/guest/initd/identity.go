package initd

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/accounts"
	"github.com/hardstand/hardstand/internal/guest/handover"
)

// loginUsers are those whose authorized_keys get the key of the instance: root
// and the users of Amazon Linux and Ubuntu images, as far as the image has them.
var loginUsers = []string{"root", "ec2-user", "ubuntu"}

// assume makes this instance the one that id names. It all happens inside: what
// the instance's disk holds cannot lead the host's root astray.
func (m *machine) assume(id handover.Identity) error {
	if err := unix.Sethostname([]byte(id.Hostname)); err != nil {
		return fmt.Errorf("set host name %q: %w", id.Hostname, err)
	}
	if err := sizeShared(id.SharedMiB); err != nil {
		return err
	}
	if err := dropCapabilities(m.kept); err != nil {
		return err
	}
	if err := writeNames(id); err != nil {
		// On a disk that ran before, an odd /etc is its owner's affair.
		if id.FirstBoot {
			return err
		}
		fmt.Fprintf(os.Stderr, "hardstand: host name not written: %v\n", err)
	}
	if id.FirstBoot && len(id.AuthorizedKeys) > 0 {
		if err := writeKeys(id.AuthorizedKeys); err != nil {
			return err
		}
	}
	if err := os.WriteFile(guest.InstanceIDFile, []byte(id.InstanceID+"\n"), 0o644); err != nil {
		return err
	}
	if id.UserData == nil {
		return nil
	}
	return os.WriteFile(guest.UserDataFile, id.UserData, 0o600)
}

func writeNames(id handover.Identity) error {
	if err := os.WriteFile("/etc/hostname", []byte(id.Hostname+"\n"), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/hosts", []byte(hostsFile(id.Hostname, id.Address)), 0o644); err != nil {
		return err
	}
	if !id.FirstBoot {
		return nil
	}
	var machine [16]byte
	_, _ = rand.Read(machine[:]) // never fails, by its contract
	if err := os.WriteFile("/etc/machine-id", []byte(hex.EncodeToString(machine[:])+"\n"), 0o444); err != nil {
		return err
	}
	return nil
}

func hostsFile(hostname, address string) string {
	hosts := "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
	if address == "" || hostname == "" {
		return hosts
	}
	hosts += address + " " + hostname
	if short, _, qualified := strings.Cut(hostname, "."); qualified {
		hosts += " " + short
	}
	return hosts + "\n"
}

func writeKeys(keys []string) error {
	content := []byte(strings.Join(keys, "\n") + "\n")
	for _, name := range loginUsers {
		user, err := accounts.LookupUser("", name)
		if errors.Is(err, accounts.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		dir := filepath.Join(user.Home, ".ssh")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		file := filepath.Join(dir, "authorized_keys")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return err
		}
		if err := errors.Join(os.Lchown(dir, user.UID, user.GID), os.Lchown(file, user.UID, user.GID)); err != nil {
			return err
		}
	}
	return nil
}
