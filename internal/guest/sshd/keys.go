package sshd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/hardstand/hardstand/internal/guest/accounts"
)

// What authorize leaves for the login, in the permissions' extensions.
const (
	extFingerprint = "fingerprint"
	extCommand     = "command"
	extEnvironment = "environment"
)

// authorize decides about a key: it must be in the user's authorized_keys, in a
// file that nobody but the user and root could have written.
func (s *Server) authorize(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	u, err := accounts.LookupUser(s.Root, meta.User())
	if err != nil {
		return nil, fmt.Errorf("invalid user %s", meta.User())
	}
	for _, name := range []string{"authorized_keys", "authorized_keys2"} {
		file := filepath.Join(u.Home, ".ssh", name)
		content, err := os.ReadFile(s.Root.Path(file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := s.private(u, file); err != nil {
			s.say("authentication refused: %v", err)
			return nil, err
		}
		if p, err := matchKey(content, key); p != nil || err != nil {
			return p, err
		}
	}
	return nil, fmt.Errorf("%s is not in authorized_keys of %s", ssh.FingerprintSHA256(key), u.Name)
}

// private checks owner and mode of the file and of the directories up to the home.
func (s *Server) private(u accounts.User, file string) error {
	for p := file; ; p = filepath.Dir(p) {
		info, err := os.Stat(s.Root.Path(p))
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid != 0 && int(st.Uid) != u.UID || info.Mode()&0o022 != 0 {
			return fmt.Errorf("bad ownership or modes for %s", p)
		}
		if p == u.Home || p == "/" {
			return nil
		}
	}
}

// matchKey finds key among the lines of authorized_keys. A line with an option
// that is not known does not count, since the option might have been a
// restriction.
func matchKey(content []byte, key ssh.PublicKey) (*ssh.Permissions, error) {
	wanted := key.Marshal()
	for len(content) > 0 {
		got, _, options, rest, err := ssh.ParseAuthorizedKey(content)
		if err != nil {
			return nil, nil // nothing but unreadable lines left
		}
		content = rest
		if !bytes.Equal(got.Marshal(), wanted) {
			continue
		}
		p := &ssh.Permissions{Extensions: map[string]string{extFingerprint: key.Type() + " " + ssh.FingerprintSHA256(key)}}
		for _, o := range options {
			if err := applyOption(p, o); err != nil {
				return nil, err
			}
		}
		return p, nil
	}
	return nil, nil
}

func applyOption(p *ssh.Permissions, option string) error {
	name, value, _ := strings.Cut(option, "=")
	value = strings.ReplaceAll(strings.Trim(value, `"`), `\"`, `"`)
	switch strings.ToLower(name) {
	case "command":
		p.Extensions[extCommand] = value
	case "environment":
		p.Extensions[extEnvironment] += value + "\n"
	case "no-pty", "no-port-forwarding":
		p.Extensions[strings.ToLower(name)] = ""
	case "restrict":
		p.Extensions["no-pty"], p.Extensions["no-port-forwarding"] = "", ""
	case "pty", "port-forwarding":
		delete(p.Extensions, "no-"+strings.ToLower(name))
	case "no-agent-forwarding", "no-x11-forwarding", "no-user-rc", "agent-forwarding", "x11-forwarding", "user-rc":
		// Neither is offered.
	default:
		return fmt.Errorf("authorized_keys: option %s is not supported by hardstand's sshd", name)
	}
	return nil
}
