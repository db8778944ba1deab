package initd

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openConsole makes /dev/console a FIFO whose content goes to the console log.
// The log itself cannot stand there: user data opens the console with
// "2>/dev/console", which would truncate a regular file.
func (m *machine) openConsole() error {
	const path = "/dev/console"
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	// Read and write, so that the last writer's close is no end of file.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	go copyConsole(os.NewFile(uintptr(fd), path), os.Stdout)
	return nil
}

// copyConsole runs for the life of the instance.
func copyConsole(from io.Reader, to io.Writer) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			// A full disk loses console output; it must not stop writers.
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}
