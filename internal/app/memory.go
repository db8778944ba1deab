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
// and the pages of this program's constants, the guest binary among them. The
// kernel reads those again from its cache when somebody looks at them.
func giveBack() error {
	debug.FreeOSMemory()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("give memory back: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("give memory back: %w", err)
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		from, to, ok := constants(lines.Text(), self)
		if !ok {
			continue
		}
		if err := adviseUnneeded(from, to); err != nil {
			return fmt.Errorf("give memory back: %w", err)
		}
	}
	return nil
}

// constants returns the range that a line of /proc/self/maps describes if it maps
// file and can be neither written nor executed.
func constants(line, file string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[1] != "r--p" || fields[5] != file {
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
