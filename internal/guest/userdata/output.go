package userdata

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/hardstand/hardstand/internal/guest"
)

// output is the pipe that scripts write to; what comes through it goes to the
// log and to the console. Scripts get the pipe's end itself, so that they can
// leave processes behind that go on writing when their script has ended.
type output struct {
	log     *os.File
	main    *os.File
	end     *os.File
	pumped  sync.WaitGroup
	console io.Writer
}

func openOutput(root guest.Root, console io.Writer) (*output, error) {
	const flags = os.O_CREATE | os.O_APPEND | os.O_WRONLY
	log, err := os.OpenFile(root.Path(outputLog), flags, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open user data log: %w", err)
	}
	main, err := os.OpenFile(root.Path(mainLog), flags, 0o640)
	if err != nil {
		log.Close()
		return nil, fmt.Errorf("open user data log: %w", err)
	}
	from, end, err := os.Pipe()
	if err != nil {
		log.Close()
		main.Close()
		return nil, fmt.Errorf("user data output: %w", err)
	}
	o := &output{log: log, main: main, end: end, console: console}
	o.pumped.Go(func() { o.pump(from) })
	return o, nil
}

// pump copies until the last holder of the pipe's end has closed it. A console or
// a disk that takes no more must not stop the scripts, so write errors are not
// acted on.
func (o *output) pump(from *os.File) {
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		o.log.Write(buf[:n])
		o.console.Write(buf[:n])
		if err != nil {
			return
		}
	}
}

// file is the end to give to processes.
func (o *output) file() *os.File { return o.end }

func (o *output) line(s string) {
	fmt.Fprintln(o.end, s)
	fmt.Fprintln(o.main, s)
}

// close returns when everything written has been copied. It waits for
// background processes that still hold the pipe, so that their output goes on
// reaching the console; Run has done its work and its markers before that.
func (o *output) close() {
	o.end.Close()
	o.pumped.Wait()
	o.log.Close()
	o.main.Close()
}
