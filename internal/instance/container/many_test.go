package container_test

import (
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
)

// Many instances at once are only queued, and a later daemon finds them all.
func TestManyInstances(t *testing.T) {
	const count = 60
	net := openNetwork(t)
	dir := t.TempDir()
	d, err := container.Open(config(t, dir, net))
	if err != nil {
		t.Fatal(err)
	}
	m := instance.New(instance.Config{Driver: d, Clock: clock.System{}, Log: instancetest.Log(t), OnExit: func(id, reason string) {
		t.Errorf("%s ended: %s", id, reason)
	}})
	specs := make([]instance.Spec, count)
	start := time.Now()
	all(specs, func(s *instance.Spec) {
		*s = instancetest.Spec("#!/bin/bash\necho up\n")
		if err := m.Start(t.Context(), *s); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d instances launched in %v", count, time.Since(start))
	m.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	d, err = container.Open(config(t, dir, net))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	m = instance.New(instance.Config{Driver: d, Clock: clock.System{}, Log: instancetest.Log(t), OnExit: func(id, reason string) {
		t.Errorf("%s ended: %s", id, reason)
	}})
	t.Cleanup(m.Close)
	start = time.Now()
	alive, err := m.Adopt(t.Context(), specs)
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d instances adopted in %v", len(alive), time.Since(start))
	start = time.Now()
	all(specs, func(s *instance.Spec) {
		if !alive[s.ID] {
			t.Errorf("%s is not alive", s.ID)
		}
		if err := m.Terminate(t.Context(), s.ID); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d instances terminated in %v", count, time.Since(start))
}

func all(specs []instance.Spec, f func(*instance.Spec)) {
	var wg sync.WaitGroup
	for i := range specs {
		wg.Go(func() { f(&specs[i]) })
	}
	wg.Wait()
}
