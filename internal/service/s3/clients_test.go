package s3_test

import (
	"path/filepath"
	"testing"

	"github.com/hardstand/hardstand/internal/wire/clienttest"
)

// TestBoto3 has AWS's own client library use the service; the script asserts.
func TestBoto3(t *testing.T) {
	clienttest.NeedBoto3(t)
	for _, script := range []string{"buckets", "objects", "listing", "multipart", "access", "versions", "acls", "locks", "lifecycle", "encryption", "conditions", "answers"} {
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

// TestCLI has the stock aws command do what a shell user does.
func TestCLI(t *testing.T) {
	clienttest.NeedCLI(t)
	path, err := filepath.Abs("testdata/cli.sh")
	if err != nil {
		t.Fatal(err)
	}
	s := newSystem(t)
	if out, err := s.run(t, "bash", "-eu", path); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := s.blobs.Len(); n != 0 {
		t.Errorf("%d blobs are left after everything was deleted", n)
	}
}
