package s3_test

import (
	"path/filepath"
	"testing"

	"github.com/hardstand/hardstand/internal/wire/clienttest"
)

// TestBoto3OnTheWeb has boto3 make what browsers send, and ask in the wrong region.
func TestBoto3OnTheWeb(t *testing.T) {
	clienttest.NeedBoto3(t)
	for _, script := range []string{"forms", "regions"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			path, err := filepath.Abs("testdata/" + script + ".py")
			if err != nil {
				t.Fatal(err)
			}
			if out, err := newSystem(t).run(t, "python3", path); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
