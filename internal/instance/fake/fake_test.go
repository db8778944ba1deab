package fake_test

import (
	"testing"

	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/instance/fake"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
)

func TestDriver(t *testing.T) {
	instancetest.All(t, instancetest.Subject{Open: func(t testing.TB, dir string) (instance.Driver, func()) {
		d, err := fake.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d, func() {}
	}})
}

func TestConsoleSaysThatNothingRuns(t *testing.T) {
	d, err := fake.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := instancetest.Spec("#!/bin/bash\n")
	instancetest.Launch(t, d, s)
	instancetest.WaitConsole(t, d, s.ID, "fake driver: user data not run\n")
}
