package app

import (
	"maps"
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/authref"
	"github.com/hardstand/hardstand/internal/wire"
)

// Every operation that is built names the permission it needs or says why it needs
// none, and its Go types are those of the API.
func TestEveryOperationIsJudged(t *testing.T) {
	operations := 0
	for _, service := range tables() {
		t.Run(service.Model.Name, func(t *testing.T) {
			if err := service.Check(); err != nil {
				t.Error(err)
			}
			if len(service.Operations) == 0 {
				t.Error("no operation is built")
			}
			for _, op := range service.Operations {
				checkJudged(t, op)
			}
		})
		operations += len(service.Operations)
	}
	t.Log(operations, "operations")
}

// Every action is one that AWS's authorization reference knows, but for those of our
// own operations.
func TestActionsAreAWSs(t *testing.T) {
	own := map[string]bool{"codedeploy:RotateDeploymentSigner": true}
	for _, service := range tables() {
		for _, op := range service.Operations {
			if op.Action != "" && authref.ActionOf(op.Action) == nil && !own[op.Action] {
				t.Errorf("%s of %s is judged by %s, which the reference does not know", op.Name, service.Model.Name, op.Action)
			}
		}
	}
}

func checkJudged(t *testing.T, op wire.Operation) {
	switch {
	case op.Action == "" && op.Free == "":
		t.Errorf("%s has neither an action nor a reason", op.Name)
	case op.Action != "" && op.Checks == nil:
		t.Errorf("%s has an action and no resources", op.Name)
	case op.Invoke == nil:
		t.Errorf("%s does nothing", op.Name)
	}
}

// The tables that the reference and the test above are made of are those that a
// server serves.
func TestTablesAreThoseServed(t *testing.T) {
	s, err := Open(t.Context(), Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Instances: InstancesFake})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	served, listed := names(s.world.wire.Services()), names(tables())
	for service, operations := range served {
		if !slices.Equal(operations, listed[service]) {
			t.Errorf("%s serves %d operations, its table lists %d", service, len(operations), len(listed[service]))
		}
	}
	if len(served) != len(listed) {
		t.Errorf("served are %v, listed %v", slices.Sorted(maps.Keys(served)), slices.Sorted(maps.Keys(listed)))
	}
}

// names returns the operations of each service, sorted.
func names(services []wire.Service) map[string][]string {
	all := map[string][]string{}
	for _, service := range services {
		for _, op := range service.Operations {
			all[service.Model.Name] = append(all[service.Model.Name], op.Name)
		}
		slices.Sort(all[service.Model.Name])
	}
	return all
}
