package app

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// giveBack returns to the machine what only starting needs: the heap's free pages,
// and the pages of this program's code and constants, the guest binary among them.
// The kernel maps those again from its cache when somebody needs them. That it fails
// is not worth more than a line in the log.
func (s *System) giveBack() {
	debug.FreeOSMemory()
	if err := dropProgram(); err != nil {
		s.cfg.Log.Debug("give memory back", "err", err)
	}
}

func dropProgram() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		from, to, ok := program(lines.Text(), self)
		if !ok {
			continue
		}
		if err := adviseUnneeded(from, to); err != nil {
			return fmt.Errorf("drop %x-%x: %w", from, to, err)
		}
	}
	return lines.Err()
}

// program returns the range that a line of /proc/self/maps describes if it maps file
// and cannot be written, so that nothing is lost with its pages.
func program(line, file string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || (fields[1] != "r--p" && fields[1] != "r-xp") || fields[5] != file {
		return 0, 0, false
	}
	_, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to)
	return from, to, err == nil && from < to
}

// adviseUnneeded uses the bare system call: a slice of memory that Go does not
// manage would have to be forged for the wrapper.
func adviseUnneeded(from, to uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
		return errno
	}
	return nil
}
