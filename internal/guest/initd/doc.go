// Package initd is PID 1 of an instance. It owns everything between the moment
// the daemon releases a cloned process and the moment the instance ends: the
// mounts, the change of root, the confinement, the processes and their reaping,
// the console and the shutdown.
//
// The flow enters at Run, which cmd/hardstand-guest calls for "init", with a
// socket to the daemon, the exit note and its own binary as open files (package
// handover). It leaves in a process started for "boot", which runs services and
// user data, and ends with the note that tells the daemon why.
//
// It imports the light packages of guest only: whatever it links is paid for by
// every instance, in memory and in milliseconds at launch.
package initd
