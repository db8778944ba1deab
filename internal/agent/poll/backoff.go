package poll

import (
	"errors"
	"io"
	"math"
	"net"
	"syscall"
	"time"
)

// A service that cannot be reached, as one that restarts, is tried every second at
// first and then every few seconds for as long as it takes: once it is back it
// misses an agent of ours after ten seconds.
const (
	quickRetries = 20
	awayWait     = 5 * time.Second
)

// firstWait follows one failure: hardstand's service misses an agent of ours that
// has had no poll open for ten seconds.
const firstWait = 3 * time.Second

// backoff returns the wait after the n-th failed poll in a row, n from 1:
// 3, 13, 17, 21, 27, 34, 44, 56, 71, 90 s; but for the first as the official
// agents wait.
func backoff(n int, err error) time.Duration {
	if unreachable(err) {
		if n <= quickRetries {
			return time.Second
		}
		return awayWait
	}
	if n == 1 {
		return firstWait
	}
	if n >= 10 {
		return 90 * time.Second
	}
	return time.Duration(math.Floor(90*math.Pow(1.2675, float64(n-10)))) * time.Second
}

// unreachable recognises a server that is not there, or has just gone with a
// held poll. Its name may not be found either: inside an instance the server answers
// that, too.
func unreachable(err error) bool {
	var op *net.OpError
	var name *net.DNSError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) ||
		errors.As(err, &op) && op.Op == "dial" || errors.As(err, &name)
}

// retryWait returns the wait before the n-th repetition of a call that must get
// through, n from 0: 1, 2, 4, 8, 16, then 30 s.
func retryWait(n int) time.Duration {
	return min(time.Second<<min(n, 5), 30*time.Second)
}
