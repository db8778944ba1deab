package poll

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	refused := errors.New("ClientException")
	for i, want := range []int{3, 13, 17, 21, 27, 34, 44, 56, 71, 90, 90} {
		if got := backoff(i+1, refused); got != time.Duration(want)*time.Second {
			t.Errorf("failure %d: wait %s, want %ds", i+1, got, want)
		}
	}
	if got := backoff(1, fmt.Errorf("poll: %w", io.ErrUnexpectedEOF)); got != time.Second {
		t.Errorf("a held poll that was cut off: wait %s", got)
	}
	for name, err := range map[string]error{
		"no name":         &net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", Name: "codedeploy-commands.us-east-1.amazonaws.com", IsTimeout: true}},
		"no name, bare":   &net.DNSError{Err: "server misbehaving", IsTemporary: true},
		"no answer":       &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded},
		"connection lost": syscall.ECONNRESET,
	} {
		if got := backoff(3, fmt.Errorf("poll: %w", err)); got != time.Second {
			t.Errorf("%s: wait %s", name, got)
		}
	}
	down := fmt.Errorf("poll: %w", syscall.ECONNREFUSED)
	for n, want := range map[int]time.Duration{1: time.Second, quickRetries: time.Second, quickRetries + 1: awayWait, quickRetries + 1000: awayWait} {
		if got := backoff(n, down); got != want {
			t.Errorf("connection refused %d times: wait %s, want %s", n, got, want)
		}
	}
}
