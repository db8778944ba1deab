package wire

import (
	"reflect"

	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/plan"
)

// checkTypes makes sure that the Go types of a row were generated from the
// operation's shapes.
func checkTypes(m *model.Operation, op Operation) error {
	if m.Input != nil {
		if _, err := plan.Of(m.Input, reflect.TypeOf(op.New())); err != nil {
			return err
		}
	}
	if m.Output != nil {
		if _, err := plan.Of(m.Output, reflect.TypeOf(op.NewOutput())); err != nil {
			return err
		}
	}
	return nil
}
