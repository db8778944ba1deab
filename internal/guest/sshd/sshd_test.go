package sshd

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
)

// TestMain lets the test binary serve sftp, as the guest binary does. Whoever started the
// tests may ignore SIGHUP (nohup); sessions would inherit that, and outlive a hang-up.
func TestMain(m *testing.M) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	if len(os.Args) == 2 && os.Args[1] == "sftp-server" {
		os.Exit(SFTPServer(nil))
	}
	os.Exit(m.Run())
}

// site is a server on a loopback port, with the accounts root and ec2-user, and a
// key that both accept.
type site struct {
	root    guest.Root
	address string
	keyFile string
	signer  ssh.Signer
	host    ssh.PublicKey
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{root: guest.Root(t.TempDir())}
	for dir := string(s.root); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if s.signer, err = ssh.NewSignerFromKey(key); err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	s.keyFile = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(s.keyFile, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	// Root's home is one that the machine does not have: its own would have profiles, and
	// what they do would be part of every session here.
	passwd := fmt.Sprintf("root:x:%d:%d::/home/owner:/bin/bash\nec2-user:x:1000:1000::/home/ec2-user:/bin/bash\n", os.Getuid(), os.Getgid())
	s.write(t, "/etc/passwd", passwd, 0)
	s.write(t, "/etc/group", "root:x:0:\nec2-user:x:1000:\nwheel:x:10:ec2-user\n", 0)
	s.write(t, "/etc/environment", "AWS_CA_BUNDLE=/ca.pem\n", 0)
	s.write(t, "/etc/motd", "welcome\n", 0)
	s.authorize(t, "")
	s.start(t)
	return s
}

func (s *site) write(t *testing.T, p, content string, uid int) {
	t.Helper()
	full := s.root.Path(p)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 && uid != 0 {
		for _, f := range []string{full, filepath.Dir(full), filepath.Dir(filepath.Dir(full))} {
			if err := os.Chown(f, uid, uid); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// authorize accepts the site's key for both accounts, with options before it.
func (s *site) authorize(t *testing.T, options string) {
	t.Helper()
	line := options + string(ssh.MarshalAuthorizedKey(s.signer.PublicKey()))
	s.write(t, "/home/owner/.ssh/authorized_keys", "# comment\nbroken line\n"+line, 0)
	s.write(t, "/home/ec2-user/.ssh/authorized_keys", line, 1000)
}

func (s *site) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := &Server{Root: s.root, Log: io.Discard, Clock: clock.System{}, SFTP: []string{self, "sftp-server"}}
	done := make(chan int, 1)
	go func() { done <- server.listen(l) }()
	t.Cleanup(func() { l.Close(); <-done })
	keys, err := HostKeys(s.root)
	if err != nil {
		t.Fatal(err)
	}
	s.host = keys[0].PublicKey()
}

func (s *site) dial(t *testing.T, user string) *ssh.Client {
	t.Helper()
	c, err := ssh.Dial("tcp", s.address, &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(s.signer)},
		HostKeyCallback: ssh.FixedHostKey(s.host), HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatalf("dial as %s: %v", user, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func output(t *testing.T, c *ssh.Client, command string) (string, error) {
	t.Helper()
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	out, err := session.CombinedOutput(command)
	return string(out), err
}

func TestExec(t *testing.T) {
	s := newSite(t)
	c := s.dial(t, "root")
	out, err := output(t, c, "echo $USER $AWS_CA_BUNDLE ${SSH_CONNECTION%% *}; echo err >&2")
	if err != nil || !strings.Contains(out, "root /ca.pem 127.0.0.1\n") || !strings.Contains(out, "err\n") {
		t.Errorf("%q, %v", out, err)
	}
	_, err = output(t, c, "exit 42")
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 42 {
		t.Errorf("exit 42: %v", err)
	}
	_, err = output(t, c, "kill -TERM $$")
	if !errors.As(err, &exit) || exit.Signal() != "TERM" {
		t.Errorf("killed: %v", err)
	}
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	session.Stdin = strings.NewReader("through")
	if err := session.Setenv("LC_ALL", "C.UTF-8"); err != nil {
		t.Error(err)
	}
	if err := session.Setenv("LD_PRELOAD", "/x"); err == nil {
		t.Error("LD_PRELOAD was taken")
	}
	if got, err := session.Output("cat; echo $LC_ALL"); err != nil || string(got) != "throughC.UTF-8\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// Commands run with the user's real ids and groups.
func TestIdentity(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("not root: everybody is the same user here")
		return
	}
	s := newSite(t)
	out, err := output(t, s.dial(t, "ec2-user"), "id -u; id -G; echo $HOME; touch /root/x 2>/dev/null || echo no")
	if err != nil || out != "1000\n1000 10\n/home/ec2-user\nno\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestTerminal(t *testing.T) {
	s := newSite(t)
	session, err := s.dial(t, "root").NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.RequestPty("xterm", 30, 100, ssh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	in, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	session.Stdout = &out
	if err := session.Shell(); err != nil {
		t.Fatal(err)
	}
	if err := session.WindowChange(40, 120); err != nil {
		t.Fatal(err)
	}
	io.WriteString(in, "stty size; tty; echo term=$TERM; exit 5\n")
	err = session.Wait()
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 5 {
		t.Errorf("Wait: %v", err)
	}
	for _, want := range []string{"40 120", "/dev/pts/", "term=xterm", "welcome\r\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}

func TestSignalAndHangup(t *testing.T) {
	s := newSite(t)
	c := s.dial(t, "root")
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.02; done"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	if err := session.Signal("USR1"); err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := session.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 3 {
		t.Errorf("Wait: %v", err)
	}
	// A client that goes away takes its command along.
	pidFile := s.root.Path("/pid")
	session, err = c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, _ = session.StdoutPipe()
	if err := session.Start("echo $$ >" + pidFile + "; echo ready; exec sleep 1000"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the command outlived its client")
		}
	}
}

func TestSFTP(t *testing.T) {
	s := newSite(t)
	client, err := sftp.NewClient(s.dial(t, "root"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p := s.root.Path("/home/owner/file")
	f, err := client.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "content"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if b, err := os.ReadFile(p); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	if infos, err := client.ReadDir(s.root.Path("/home/owner")); err != nil || len(infos) < 2 {
		t.Errorf("ReadDir: %v, %v", infos, err)
	}
	if _, err := client.Open("/absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestForward(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	c := s.dial(t, "root")
	conn, err := c.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "echo")
	got := make([]byte, 4)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "echo" {
		t.Errorf("%q, %v", got, err)
	}
	conn.Close()
	if _, err := c.Dial("tcp", "127.0.0.1:1"); err == nil {
		t.Error("a closed port was connected")
	}
}

func TestRefusals(t *testing.T) {
	s := newSite(t)
	try := func(user string, auth ...ssh.AuthMethod) error {
		c, err := ssh.Dial("tcp", s.address, &ssh.ClientConfig{User: user, Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 10 * time.Second})
		if err == nil {
			c.Close()
		}
		return err
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(other)
	if err != nil {
		t.Fatal(err)
	}
	if try("root", ssh.PublicKeys(signer)) == nil {
		t.Error("a foreign key was accepted")
	}
	if try("nobody", ssh.PublicKeys(s.signer)) == nil {
		t.Error("an unknown user was accepted")
	}
	if try("root", ssh.Password("x")) == nil {
		t.Error("a password was accepted")
	}
	if err := os.Chmod(s.root.Path("/home/owner/.ssh/authorized_keys"), 0o666); err != nil {
		t.Fatal(err)
	}
	if try("root", ssh.PublicKeys(s.signer)) == nil {
		t.Error("keys that anybody may write were believed")
	}
	if err := os.Chmod(s.root.Path("/home/owner/.ssh/authorized_keys"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.authorize(t, `from="10.0.0.1" `)
	if try("root", ssh.PublicKeys(s.signer)) == nil {
		t.Error("an option that is not understood was passed over")
	}
}

func TestKeyOptions(t *testing.T) {
	s := newSite(t)
	s.authorize(t, `no-pty,no-port-forwarding,command="echo forced \"$SSH_ORIGINAL_COMMAND\"; exit 142",environment="X=y" `)
	c := s.dial(t, "root")
	out, err := output(t, c, "ls")
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 142 || out != "forced ls\n" {
		t.Errorf("%q, %v", out, err)
	}
	session, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.RequestPty("xterm", 1, 1, nil); err == nil {
		t.Error("a terminal was given")
	}
	if _, err := c.Dial("tcp", s.address); err == nil {
		t.Error("a connection was forwarded")
	}
}

func TestHostKeysBelongToTheInstance(t *testing.T) {
	s := newSite(t)
	again, err := HostKeys(s.root)
	if err != nil || !bytes.Equal(again[0].PublicKey().Marshal(), s.host.Marshal()) {
		t.Errorf("a second look gave other keys: %v", err)
	}
	s.write(t, guest.InstanceIDFile, "i-2\n", 0)
	other, err := HostKeys(s.root)
	if err != nil || bytes.Equal(other[0].PublicKey().Marshal(), s.host.Marshal()) {
		t.Errorf("another instance has the same keys: %v", err)
	}
	var out bytes.Buffer
	if err := PrintHostKeys(s.root, &out); err != nil || !strings.Contains(out.String(), "SHA256:") || !strings.Contains(out.String(), "(ED25519)") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// OpenSSH's own client, with its defaults.
func TestOpenSSH(t *testing.T) {
	s := newSite(t)
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(t.TempDir(), "known")
	options := []string{"-i", s.keyFile, "-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + known,
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-F", "/dev/null"}
	run := func(stdin, name string, args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), name, append(append([]string{}, options...), args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run("in", "ssh", "-p", port, "root@"+host, "cat; exit 7"); code != 7 || !strings.HasSuffix(out, "in") {
		t.Errorf("exec: %d, %q", code, out)
	}
	if out, code := run("", "ssh", "-tt", "-p", port, "root@"+host, "tty; stty -a | head -1"); code != 0 || !strings.Contains(out, "/dev/pts/") {
		t.Errorf("terminal: %d, %q", code, out)
	}
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, []byte("copied"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, code := run("", "scp", "-P", port, local, "root@"+host+":"+s.root.Path("/home/owner/copy")); code != 0 {
		t.Errorf("scp: %d, %q", code, out)
	}
	if b, err := os.ReadFile(s.root.Path("/home/owner/copy")); err != nil || string(b) != "copied" {
		t.Errorf("copy: %q, %v", b, err)
	}
	if _, code := run("", "ssh", "-p", port, "other@"+host, "true"); code != 255 {
		t.Errorf("unknown user: %d", code)
	}
}
