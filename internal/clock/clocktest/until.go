// Package clocktest waits in tests for what another process does, which tells nobody
// when it has done it. Nothing of the product imports it.
package clocktest

import (
	"context"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/clock"
)

// Until repeats try, with a pause between, until it is done, fails or limit is over.
func Until(limit, pause time.Duration, what string, try func() (done bool, err error)) error {
	deadline := clock.System{}.Now().Add(limit)
	for {
		done, err := try()
		if done || err != nil {
			return err
		}
		if (clock.System{}).Now().After(deadline) {
			return fmt.Errorf("%s: not within %s", what, limit)
		}
		if err := clock.Sleep(context.Background(), clock.System{}, pause); err != nil {
			return err
		}
	}
}
