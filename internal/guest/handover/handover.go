// Package handover is what the daemon and PID 1 of an instance say to each
// other: two messages from the daemon (Config, with the prepared mounts as file
// descriptors, and Identity, which may come much later), a Reply to each, and the
// note that PID 1 leaves when it ends (Exit).
//
// Both sides import it and nothing else of each other. The flow enters in
// instance/container, which sends, and leaves in guest/initd, which receives. A
// running instance keeps the guest binary it was started with, so a daemon of
// another version only ever reads an old Exit, never sends an old PID 1 a
// Config; Version guards the moment of the start.
package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Version is raised with every change that the other side must know about.
const Version = 1

// File descriptors PID 1 starts with, besides its standard ones.
const (
	// SocketFD is a SOCK_SEQPACKET socket: Config comes in, Reply goes out.
	SocketFD = 3
	// ExitFD is the file that takes Exit. It stays writable after pivot_root,
	// when the daemon's directories are out of reach.
	ExitFD = 4
	// BinaryFD is the guest binary, executed as /proc/self/fd/5 because the
	// instance's root may not walk through the daemon's data directory.
	BinaryFD = 5
)

// Config tells PID 1 how to become the root of an instance, any instance.
type Config struct {
	Version int `json:"version"`
	// Mounts name the targets, relative to the new root, of the mounts passed as
	// descriptors, in their order. The first is the root itself (".").
	Mounts []string `json:"mounts"`
	// OwnUsers says that the instance has a user namespace. Without one its
	// root is the host's, and PID 1 gives up far more.
	OwnUsers bool `json:"ownUsers"`
}

// Identity tells PID 1 which instance it is.
type Identity struct {
	InstanceID string `json:"instanceId"`
	Hostname   string `json:"hostname"`
	// Address is the private address, or "".
	Address string `json:"address,omitempty"`
	// SharedMiB bounds the shared memory; 0 leaves it as large as half of the
	// machine's memory.
	SharedMiB int `json:"sharedMiB,omitempty"`
	// FirstBoot says that the disk is new.
	FirstBoot bool `json:"firstBoot"`
	// UserData is what the instance was launched with, base64 decoded.
	UserData []byte `json:"userData,omitempty"`
	// AuthorizedKeys are the lines that log in to the default users.
	AuthorizedKeys []string `json:"authorizedKeys,omitempty"`
}

// Reply is PID 1's answer: an empty Error means that the instance runs.
type Reply struct {
	Version int    `json:"version"`
	Error   string `json:"error,omitempty"`
}

// Reasons why an instance ended by itself.
const (
	ReasonPoweroff = "poweroff"
	ReasonReboot   = "reboot"
	ReasonHalt     = "halt"
)

// Exit is what PID 1 writes to ExitFD as its last act. An instance that ended
// without one was killed.
type Exit struct {
	Reason string `json:"reason"`
	Code   int    `json:"code"`
}

// maxMessage bounds a message: user data is at most 16 KiB, a third more in JSON.
const maxMessage = 96 << 10

// Send sends a Config or an Identity, and descriptors, over the daemon's end of
// the socket.
func Send[M Config | Identity](fd int, message M, fds []int) error {
	doc, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message to PID 1: %w", err)
	}
	if len(doc) > maxMessage {
		return fmt.Errorf("message to PID 1: %d bytes, more than %d", len(doc), maxMessage)
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(fd, doc, oob, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("send message to PID 1: %w", err)
	}
	return nil
}

// ErrAbandoned is returned by the receivers when the daemon closed its end.
var ErrAbandoned = errors.New("the daemon is gone")

// ReceiveConfig waits for the Config and the descriptors that come with it.
func ReceiveConfig(fd int) (Config, []int, error) {
	var c Config
	fds, err := receive(fd, &c)
	switch {
	case err != nil:
	case c.Version != Version:
		err = fmt.Errorf("config has version %d, this guest binary speaks %d", c.Version, Version)
	case len(fds) != len(c.Mounts):
		err = fmt.Errorf("config names %d mounts and brings %d descriptors", len(c.Mounts), len(fds))
	}
	return c, fds, err
}

// ReceiveIdentity waits for the Identity.
func ReceiveIdentity(fd int) (Identity, error) {
	var id Identity
	_, err := receive(fd, &id)
	return id, err
}

func receive(fd int, message any) ([]int, error) {
	buf := make([]byte, maxMessage)
	oob := make([]byte, unix.CmsgSpace(16*4))
	n, oobn, err := retry(func() (int, int, error) {
		n, oobn, _, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
		return n, oobn, err
	})
	if err != nil {
		return nil, fmt.Errorf("receive from the daemon: %w", err)
	}
	if n == 0 {
		return nil, ErrAbandoned
	}
	if err := json.Unmarshal(buf[:n], message); err != nil {
		return nil, fmt.Errorf("decode message of the daemon: %w", err)
	}
	return rights(oob[:oobn])
}

func rights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("descriptors of config: %w", err)
	}
	var fds []int
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, fmt.Errorf("descriptors of config: %w", err)
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// Answer sends the Reply that failure makes: nil means success.
func Answer(fd int, failure error) error {
	r := Reply{Version: Version}
	if failure != nil {
		r.Error = failure.Error()
	}
	doc, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	if err := unix.Sendmsg(fd, doc, nil, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("send reply: %w", err)
	}
	return nil
}

// ParseReply reads what Answer sent; it returns the failure it tells of.
func ParseReply(doc []byte) error {
	if len(doc) == 0 {
		return errors.New("PID 1 ended before it answered; the console log says why")
	}
	var r Reply
	if err := json.Unmarshal(doc, &r); err != nil {
		return fmt.Errorf("decode reply of PID 1: %w", err)
	}
	if r.Error != "" {
		return fmt.Errorf("PID 1: %s", r.Error)
	}
	return nil
}

// WriteExit leaves e in f.
func WriteExit(f *os.File, e Exit) error {
	doc, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode exit: %w", err)
	}
	if _, err := f.WriteAt(doc, 0); err != nil {
		return fmt.Errorf("write exit: %w", err)
	}
	return nil
}

// ReadExit reads the note at path. ok is false when PID 1 left none. The
// instance's root can reach the note through PID 1, so it is taken with care.
func ReadExit(path string) (e Exit, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return Exit{}, false
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil || json.Unmarshal(doc, &e) != nil {
		return Exit{}, false
	}
	switch e.Reason {
	case ReasonPoweroff, ReasonReboot, ReasonHalt:
		return e, true
	}
	return Exit{}, false
}

func retry(f func() (int, int, error)) (int, int, error) {
	for {
		a, b, err := f()
		if !errors.Is(err, unix.EINTR) {
			return a, b, err
		}
	}
}
