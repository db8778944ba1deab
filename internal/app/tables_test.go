package app

import (
	"testing"

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
