package sudo

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/control"
	"github.com/hardstand/hardstand/internal/guest/pty"
)

// execute runs the command with this process's files, or on a terminal of its own
// when this process is at one.
func execute(root guest.Root, r control.Run) (int, error) {
	stdin := int(os.Stdin.Fd())
	saved, err := unix.IoctlGetTermios(stdin, unix.TCGETS)
	if err != nil {
		return control.RunCommand(root, r, [3]*os.File{os.Stdin, os.Stdout, os.Stderr})
	}
	master, slave, err := pty.Open()
	if err != nil {
		return 1, err
	}
	defer master.Close()
	defer slave.Close()
	raw := *saved
	pty.MakeRaw(&raw)
	if err := unix.IoctlSetTermios(stdin, unix.TCSETS, &raw); err != nil {
		return 1, fmt.Errorf("set terminal: %w", err)
	}
	defer unix.IoctlSetTermios(stdin, unix.TCSETS, saved)
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, saved); err != nil {
		return 1, fmt.Errorf("set terminal: %w", err)
	}
	stop := followSize(stdin, master)
	defer stop()
	// The copy of the input ends with the process; it waits on a read that nothing
	// can end.
	go io.Copy(master, os.Stdin)
	copied := make(chan struct{})
	go func() { defer close(copied); io.Copy(os.Stdout, master) }()

	files := redirected(slave)
	r.Terminal = true
	code, err := control.RunCommand(root, r, files)
	slave.Close() // the last holder's close ends the copy of the output
	<-copied
	return code, err
}

// redirected puts the new terminal where this process has one; a redirected
// output stays redirected.
func redirected(slave *os.File) [3]*os.File {
	files := [3]*os.File{slave, os.Stdout, os.Stderr}
	for i := 1; i < 3; i++ {
		if _, err := unix.IoctlGetTermios(int(files[i].Fd()), unix.TCGETS); err == nil {
			files[i] = slave
		}
	}
	return files
}

// followSize gives the new terminal the size of the old one, now and whenever it
// changes.
func followSize(from int, to *os.File) (stop func()) {
	update := func() {
		if size, err := unix.IoctlGetWinsize(from, unix.TIOCGWINSZ); err == nil {
			pty.Resize(to, size.Row, size.Col)
		}
	}
	update()
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, syscall.SIGWINCH)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-changes:
				update()
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(changes); close(done) }
}
