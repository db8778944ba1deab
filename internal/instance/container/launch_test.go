package container_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
)

// BenchmarkLaunch measures from the request to the first line of user data, with
// every isolation on.
func BenchmarkLaunch(b *testing.B) {
	dir := b.TempDir()
	d, err := container.Open(config(b, dir, openNetwork(b)))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	var all, launches []time.Duration
	for b.Loop() {
		s := instancetest.Spec("#!/bin/bash\necho $EPOCHREALTIME > /began\n")
		start := time.Now()
		h, err := d.Launch(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		launched := time.Since(start)
		b.StopTimer()
		took := began(b, filepath.Join(dir, "instances", s.ID, "root/upper/began")).Sub(start)
		all, launches = append(all, took), append(launches, launched)
		h.Kill()
		<-h.Done()
		d.Remove(b.Context(), s.ID)
		b.StartTimer()
	}
	report := func(name string, d []time.Duration) {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(d[len(d)*9/10].Microseconds())/1000, name+"-p90-ms")
	}
	report("launch", launches)
	report("userdata", all)
}

// began waits for the time that user data wrote to path.
func began(t testing.TB, path string) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		text, err := os.ReadFile(path)
		if err == nil && strings.HasSuffix(string(text), "\n") {
			sec, frac, _ := strings.Cut(strings.TrimSpace(string(text)), ".")
			s, _ := strconv.ParseInt(sec, 10, 64)
			us, _ := strconv.ParseInt(frac, 10, 64)
			return time.Unix(s, us*1000)
		}
		if clock.Sleep(ctx, clock.System{}, time.Millisecond) != nil {
			t.Fatal("user data did not run")
		}
	}
}
