package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// stopSignals returns the signals that ask for an orderly end. SIGINT is not among
// them for a program that was started with it ignored, as a shell does for what it
// puts into the background: Ctrl-C is then meant for somebody else.
func stopSignals() []os.Signal {
	if signal.Ignored(os.Interrupt) {
		return []os.Signal{syscall.SIGTERM}
	}
	return []os.Signal{os.Interrupt, syscall.SIGTERM}
}

// untilStopped returns a context that ends with the first signal. After that a
// second Ctrl-C ends the process at once, by way of hurry; SIGTERM never does, as
// whoever stops a server may send it after a Ctrl-C that reached both, and what the
// server has still to take down would stay behind.
func untilStopped(signals <-chan os.Signal, hurry func()) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-signals
		hurry()
		cancel()
	}()
	return ctx
}
