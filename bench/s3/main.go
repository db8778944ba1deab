// Command s3 measures a server that speaks S3: one row per operation, object size
// and number of connections. bench/s3.sh runs it against hardstand and its peers
// with the same disk and says how each of them syncs.
//
// Requests are signed with the hash of the body, which is computed once per size, so
// that what is measured is the server. Nothing here is a test.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type options struct {
	duration     time.Duration
	sizes, lanes []int
	listKeys     int
	multipart    int
	pid          int
}

func main() {
	endpoint := flag.String("endpoint", os.Getenv("AWS_ENDPOINT_URL"), "the server to measure")
	rows := flag.String("rows", "objects,list,multipart,memory", "what to measure")
	sizes := flag.String("sizes", "4096,1048576,67108864", "bytes of an object")
	lanes := flag.String("concurrency", "1,16", "requests at a time")
	o := options{}
	flag.DurationVar(&o.duration, "for", 3*time.Second, "how long a row is measured")
	flag.IntVar(&o.listKeys, "keys", 100_000, "keys in the bucket that is listed")
	flag.IntVar(&o.multipart, "multipart", 256<<20, "bytes of the multipart upload")
	flag.IntVar(&o.pid, "pid", 0, "the server's process, for memory")
	flag.Parse()
	o.sizes, o.lanes = numbers(*sizes), numbers(*lanes)
	c := newClient(*endpoint)
	if err := run(context.Background(), c, strings.Split(*rows, ","), o); err != nil {
		fmt.Fprintln(os.Stderr, "s3 bench:", err)
		os.Exit(1)
	}
}

func numbers(list string) []int {
	var out []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			fmt.Fprintf(os.Stderr, "s3 bench: %q is not a list of numbers\n", list)
			os.Exit(2)
		}
		out = append(out, n)
	}
	return out
}

func run(ctx context.Context, c *client, rows []string, o options) error {
	if err := c.makeBucket(ctx, "bench-objects"); err != nil {
		return err
	}
	for _, row := range rows {
		measure := map[string]func(context.Context, *client, options) error{
			"objects": objects, "list": list, "multipart": multipart, "memory": memory,
		}[row]
		if measure == nil {
			return fmt.Errorf("no row is called %s", row)
		}
		if err := measure(ctx, c, o); err != nil {
			return fmt.Errorf("%s: %w", row, err)
		}
	}
	return nil
}

// objects measures PUT, GET, HEAD and DELETE of each size.
func objects(ctx context.Context, c *client, o options) error {
	for _, size := range o.sizes {
		body := newBody(size)
		for _, lanes := range o.lanes {
			written, err := timed(o.duration, lanes, 0, size, "PUT", lanes, func(i int) error {
				return c.do(ctx, "PUT", key(size, lanes, i), "", body)
			})
			if err != nil {
				return err
			}
			for _, method := range []string{"GET", "HEAD"} {
				if _, err := timed(o.duration, lanes, 0, size, method, lanes, func(i int) error {
					return c.do(ctx, method, key(size, lanes, i%written), "", nothing)
				}); err != nil {
					return err
				}
			}
			if _, err := timed(0, lanes, written, size, "DELETE", lanes, func(i int) error {
				return c.do(ctx, "DELETE", key(size, lanes, i), "", nothing)
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

func key(size, lanes, i int) string { return fmt.Sprintf("/bench-objects/%d/%d/%08d", size, lanes, i) }

// timed calls work from several goroutines, for a time or a number of calls, prints
// the row and returns how many calls there were.
func timed(limit time.Duration, lanes, count, size int, name string, shown int, work func(i int) error) (int, error) {
	var next, done atomic.Int64
	var failed atomic.Value
	var mu sync.Mutex
	var took []time.Duration
	began := time.Now()
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			var own []time.Duration
			for failed.Load() == nil && (count > 0 || time.Since(began) < limit) {
				i := int(next.Add(1)) - 1
				if count > 0 && i >= count {
					break
				}
				start := time.Now()
				if err := work(i); err != nil {
					failed.Store(err)
					break
				}
				own = append(own, time.Since(start))
				done.Add(1)
			}
			mu.Lock()
			took = append(took, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	spent := time.Since(began).Seconds()
	slices.Sort(took)
	n := int(done.Load())
	fmt.Printf("%-8s %9d bytes x%-3d %9.0f/s %9.1f MiB/s  median %8.2f ms  99%% %8.2f ms\n", name, size, shown, float64(n)/spent,
		float64(n)*float64(size)/spent/(1<<20), milliseconds(took[n/2]), milliseconds(took[n*99/100]))
	return n, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
