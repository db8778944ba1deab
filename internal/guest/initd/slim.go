package initd

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// slim gives back what the start took: PID 1 idles for the rest of its life, in
// every instance.
func slim() {
	debug.SetGCPercent(20)
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return // nothing is lost but memory
	}
	for line := range strings.Lines(string(maps)) {
		if start, end, ok := programText(line); ok {
			// x/sys wants a slice, which the program's own text is not.
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED)
		}
	}
}

// programText recognises, in a line of /proc/self/maps, code and constants of the
// program itself. Their pages are never changed (hardstand-guest is linked to a
// fixed address) and come back from the page cache when they are used again: most
// served the start only.
func programText(line string) (start, end uintptr, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || !strings.HasPrefix(f[5], "/") || (f[1] != "r-xp" && f[1] != "r--p") {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(f[0], "-")
	a, errA := strconv.ParseUint(from, 16, 64)
	b, errB := strconv.ParseUint(to, 16, 64)
	return uintptr(a), uintptr(b), errA == nil && errB == nil && a < b
}
