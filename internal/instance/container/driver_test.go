package container_test

import (
	"testing"

	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
)

func subject(t *testing.T) instancetest.Subject {
	net := openNetwork(t)
	return instancetest.Subject{Open: func(t testing.TB, dir string) (instance.Driver, func()) {
		d, err := container.Open(config(t, dir, net))
		if err != nil {
			t.Fatal(err)
		}
		return d, func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	}}
}

func TestDriver(t *testing.T)          { instancetest.All(t, subject(t)) }
func TestDriverExecuting(t *testing.T) { instancetest.Executing(t, subject(t)) }
