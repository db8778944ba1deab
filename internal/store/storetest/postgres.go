package storetest

import (
	"bufio"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Postgres starts a PostgreSQL server of its own in a temporary directory, on a
// Unix socket, and returns its URL. It is stopped at the end of the test. Where
// no PostgreSQL is installed the test is listed as skipped, with that reason.
func Postgres(t testing.TB) string {
	t.Helper()
	initdb, postgres := postgresBinary("initdb"), postgresBinary("postgres")
	if initdb == "" || postgres == "" {
		t.Skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin (Debian: apt-get install postgresql)")
	}
	// Not t.TempDir: a socket's path may have 107 bytes.
	dir, err := os.MkdirTemp("", "hspg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr, name := postgresUser(t, dir)
	data := filepath.Join(dir, "data")
	cmd := exec.Command(initdb, "-D", data, "-U", name, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	cmd.SysProcAttr, cmd.Dir = attr, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := exec.Command(postgres, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "log_destination=stderr")
	server.SysProcAttr, server.Dir = attr, dir
	runServer(t, server)
	u := url.URL{Scheme: "postgres", User: url.User(name), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	return u.String()
}

// postgresBinary finds a program in PATH or where Debian keeps it.
func postgresBinary(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	path, _ := exec.LookPath(name)
	return path
}

// postgresUser returns how to run as a user that is not root, which PostgreSQL
// refuses, and gives dir to that user.
func postgresUser(t testing.TB, dir string) (*syscall.SysProcAttr, string) {
	t.Helper()
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() != 0 {
		me, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		return attr, me.Username
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr, name
	}
	t.Fatal("neither user postgres nor nobody exists to run PostgreSQL as")
	return nil, ""
}

// runServer starts the server and returns when it accepts connections. One
// locked thread starts and waits for it: the signal at the parent's death is
// bound to the thread.
func runServer(t testing.TB, server *exec.Cmd) {
	t.Helper()
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan error, 1), make(chan struct{})
	logged := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		err := server.Start()
		started <- err
		if err == nil {
			<-logged // Wait would close the pipe under the reader
			_ = server.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown
		<-ended
	})
	lines := bufio.NewReader(stderr)
	var seen strings.Builder
	for {
		line, err := lines.ReadString('\n')
		seen.WriteString(line)
		if err != nil {
			logged <- err
			t.Fatalf("PostgreSQL did not start: %v\n%s", err, seen.String())
		}
		if strings.Contains(line, "ready to accept connections") {
			break
		}
	}
	go func() {
		_, err := io.Copy(io.Discard, lines)
		logged <- err
	}()
}
