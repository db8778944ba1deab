// Package control is how programs in an instance ask its PID 1 for something:
// start and stop units, run a command as root (sudo), shut down.
//
//	applet --{Request, fds 0 1 2}--> /run/hardstand/control.sock --> Handler in PID 1
//	applet <--{Reply}...---------------------------------------------------------
//
// Requests and replies are JSON, one a line, over a stream socket that everybody
// may connect to; Serve asks the kernel who the peer is (SO_PEERCRED) and refuses
// what that user may not do. Files travel beside a run request. The flow enters
// in Do and Run on the applet's side, in Serve on PID 1's. It imports guest and
// accounts, and nothing of net/http, because PID 1 stays small.
package control

import (
	"os"
	"os/exec"
	"syscall"
)

// Op names what is asked for.
type Op string

// The operations.
const (
	OpUnit     Op = "unit"     // Action on Unit
	OpReload   Op = "reload"   // read unit files anew
	OpList     Op = "list"     // status of all units that were ever started
	OpRun      Op = "run"      // run a command as another user
	OpShutdown Op = "shutdown" // Mode
)

// Action is what to do with a unit.
type Action string

// The actions. Status is the only one that an ordinary user may ask for.
const (
	Start   Action = "start"
	Stop    Action = "stop"
	Restart Action = "restart"
	Reload  Action = "reload"
	Kill    Action = "kill"
	Status  Action = "status"
	// ResetFailed forgets a failure.
	ResetFailed Action = "reset-failed"
)

// Request is what an applet asks.
type Request struct {
	Op     Op     `json:"op"`
	Unit   string `json:"unit,omitempty"`
	Action Action `json:"action,omitempty"`
	Signal int    `json:"signal,omitempty"`
	Mode   string `json:"mode,omitempty"` // poweroff, reboot, halt
	Run    *Run   `json:"run,omitempty"`
}

// Run is a command for another user. Its standard files come with the request.
type Run struct {
	Path string   `json:"path"`
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	User string   `json:"user"`
	// Terminal says that standard input is a terminal of its own that the command
	// shall be in control of.
	Terminal bool `json:"terminal,omitempty"`
}

// Reply answers a request. A run is answered twice: when the command has started
// (PID set) and when it has ended (Done set).
type Reply struct {
	// Error is for people; "" means that the request was carried out.
	Error string `json:"error,omitempty"`
	// Unknown says that the error is a unit that does not exist.
	Unknown bool `json:"unknown,omitempty"`
	// Refused says that the error is a want of permission.
	Refused bool         `json:"refused,omitempty"`
	Units   []UnitStatus `json:"units,omitempty"`
	PID     int          `json:"pid,omitempty"`
	Code    int          `json:"code,omitempty"`
	Done    bool         `json:"done,omitempty"`
}

// UnitStatus is what systemctl shows of a unit.
type UnitStatus struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Path is the unit file or init script.
	Path string `json:"path"`
	// Active is systemd's ActiveState: active, inactive, failed, activating,
	// deactivating.
	Active string `json:"active"`
	// Sub is running, exited, dead, failed, start, auto-restart.
	Sub     string `json:"sub"`
	MainPID int    `json:"mainPid,omitempty"`
	Command string `json:"command,omitempty"`
	// Since is when Active changed, RFC 3339.
	Since string `json:"since,omitempty"`
	// Result tells how the last run ended: "", "exit-code", "signal",
	// "start-limit-hit".
	Result   string `json:"result,omitempty"`
	ExitCode int    `json:"exitCode,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
	// Log is the file that the unit's output goes to.
	Log string `json:"log,omitempty"`
}

// Spawn starts cmd, whose standard files are *os.File or nil, and returns its pid
// and a channel that receives its end. PID 1 gives it, since only PID 1 may wait
// for children.
type Spawn func(cmd *exec.Cmd) (pid int, done <-chan syscall.WaitStatus, err error)

// Units is the unit manager, as Serve uses it.
type Units interface {
	// Unit carries out an action and returns the status after it. An unknown
	// unit is ErrUnknownUnit.
	Unit(name string, action Action, signal int) (UnitStatus, error)
	Reload()
	List() []UnitStatus
}

// Handler is what PID 1 offers.
type Handler struct {
	Units    Units
	Spawn    Spawn
	Shutdown func(mode string)
}

// exitCode is the shell's: the code, or 128 and the signal's number.
func exitCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
