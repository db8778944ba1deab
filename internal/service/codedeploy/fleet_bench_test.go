package codedeploy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/agent/poll"
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/clock"
)

// simulated is a host of a fleet that lives in the benchmark's process: the
// agent's own client over HTTP, and commands that do nothing.
type simulated struct {
	client *poll.Client
	busy   time.Duration // how long each command takes
	// waited are the times from when a command could be had to when it was.
	waited []time.Duration
}

// pipes is a network within the process: a fleet needs more connections than a
// process may have sockets.
type pipes chan net.Conn

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p <- far
	return near, nil
}

// Accept implements net.Listener, as the others do.
func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// simulate makes n running instances with their clients.
func (w *world) simulate(n int) []*simulated {
	network := make(pipes)
	server := &http.Server{Handler: w.server, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(network) }()
	w.t.Cleanup(func() { _ = server.Close() })
	const endpoint = "http://127.0.0.1:4566"
	shared := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * n, DialContext: network.dial}}
	out := make([]*simulated, n)
	for i := range out {
		id := fmt.Sprintf("i-%05d", i)
		w.setState(id, "running")
		out[i] = &simulated{client: &poll.Client{HTTP: shared, Endpoint: endpoint, Region: region, Host: *hostARN(id), Version: "simulated",
			Credentials: instanceKeys(id), Clock: clock.System{}}}
	}
	return out
}

// run carries out the commands of one deployment. began is when the deployment
// was asked for.
func (h *simulated) run(ctx context.Context, began func() time.Time) error {
	ready := time.Time{}
	for range installEvents {
		cmd, err := h.client.Poll(ctx)
		if err != nil || cmd == nil {
			return fmt.Errorf("poll: %v, %w", cmd, err)
		}
		if ready.IsZero() {
			ready = began()
		}
		h.waited = append(h.waited, time.Since(ready))
		if _, err := h.client.Specification(ctx, cmd); err != nil {
			return err
		}
		if _, err := h.client.Acknowledge(ctx, cmd, false); err != nil {
			return err
		}
		if h.busy > 0 {
			<-time.After(h.busy)
		}
		if err := h.client.Complete(ctx, cmd.HostCommandIdentifier, poll.Succeeded, poll.Diagnostics{Message: "Succeeded"}); err != nil {
			return err
		}
		ready = time.Now()
	}
	return nil
}

// BenchmarkRollout deploys to a fleet at once. dispatch is the time from a
// command's being due, the completion of the one before it, to its arrival. With
// commands that take no time it is all queueing, and ms/host what counts.
func BenchmarkRollout(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { rollOut(b, n, 0) })
	}
	b.Run("1000, commands of up to 3 s", func(b *testing.B) { rollOut(b, 1000, 3*time.Second) })
}

func rollOut(b *testing.B, n int, longest time.Duration) {
	w := newWorld(b)
	w.setUp(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr(allAtOnce) })
	hosts := w.simulate(n)
	for i, h := range hosts {
		h.busy = longest * time.Duration(i) / time.Duration(n)
	}
	began := processorTime(b)
	for i := range b.N {
		var work sync.WaitGroup
		var asked time.Time
		open := make(chan struct{})
		for _, h := range hosts {
			work.Go(func() {
				if err := h.run(b.Context(), func() time.Time { <-open; return asked }); err != nil {
					b.Error(err)
				}
			})
		}
		w.awaitPolls(n)
		asked = time.Now()
		id := w.deploy(fmt.Sprintf("v%d", i))
		close(open)
		work.Wait()
		w.awaitStatus(id, api.DeploymentStatusSucceeded)
	}
	var first, later []time.Duration
	for _, h := range hosts {
		for i, d := range h.waited {
			if i%installEvents == 0 {
				first = append(first, d)
			} else {
				later = append(later, d)
			}
		}
	}
	slices.Sort(first)
	slices.Sort(later)
	b.ReportMetric(milliseconds(first[len(first)-1]), "ms-last-to-start")
	b.ReportMetric(milliseconds(later[len(later)*99/100]), "ms-dispatch-p99")
	b.ReportMetric(milliseconds(later[len(later)/2]), "ms-dispatch-p50")
	b.ReportMetric(milliseconds(b.Elapsed())/float64(b.N*n), "ms/host")
	b.ReportMetric(milliseconds(processorTime(b)-began)/float64(b.N*n), "cpu-ms/host")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// awaitPolls waits until n hosts hold a poll.
func (w *world) awaitPolls(n int) {
	for {
		w.s.polls.mu.Lock()
		open := 0
		for _, h := range w.s.polls.hosts {
			if h.open > 0 && h.wake != nil {
				open++
			}
		}
		w.s.polls.mu.Unlock()
		if open >= n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// BenchmarkIdlePolls measures what hosts cost that have nothing to do: memory,
// client and server together, and the processor while the polls of the whole
// fleet are answered and made again, which agents do once in holdPoll.
func BenchmarkIdlePolls(b *testing.B) {
	for _, n := range []int{1000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			w.setUp()
			hosts := w.simulate(n)
			ctx, cancel := context.WithCancel(b.Context())
			var work sync.WaitGroup
			var answered atomic.Int64
			for _, h := range hosts {
				work.Go(func() {
					for ctx.Err() == nil {
						if _, err := h.client.Poll(ctx); err != nil && ctx.Err() == nil {
							b.Error(err)
							return
						}
						answered.Add(1)
					}
				})
			}
			w.awaitPolls(n)
			began := processorTime(b)
			for b.Loop() {
				before := answered.Load()
				w.clock.Advance(holdPoll)
				for answered.Load() < before+int64(n) {
					time.Sleep(time.Millisecond)
				}
				w.awaitPolls(n)
			}
			used := processorTime(b) - began
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc+m.StackInuse)/float64(n)/1024, "KiB/host")
			b.ReportMetric(100*used.Seconds()/float64(b.N)/holdPoll.Seconds(), "%core")
			cancel()
			work.Wait()
		})
	}
}

func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
