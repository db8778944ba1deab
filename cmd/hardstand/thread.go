package main

import "runtime"

// The main thread must never be one that enters a namespace: a locked goroutine
// that ends on it parks the thread for good, and the namespace with it.
func init() { runtime.LockOSThread() }
