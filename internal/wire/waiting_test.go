package wire_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/wire"
)

// TestWaitingCallsKeepLittleStack guards what twenty thousand held polls cost: with
// net/http's own 1.3 KiB, an operation that waits must have less than 3.2 KiB above
// it, or its stack of 16 KiB is never halved.
func TestWaitingCallsKeepLittleStack(t *testing.T) {
	var outer, inner uintptr
	s := wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: &refuser{}, Account: "123456789012", Region: "us-east-1"})
	err := s.Register(wire.Service{Model: sts.Model(), Operations: []wire.Operation{
		wire.FreeOp("GetCallerIdentity", "AWS asks for no permission",
			func(context.Context, *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
				inner = here()
				return &sts.GetCallerIdentityOutput{}, nil
			}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	for range 2 { // the stack has grown, and does not move any more, the second time
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		sign.Request(r, sign.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, "sts", "us-east-1", sign.Hash([]byte(body)), time.Now())
		w := httptest.NewRecorder()
		outer = here()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
	}
	if depth := outer - inner; depth > 1000 {
		t.Errorf("an operation begins %d bytes below ServeHTTP", depth)
	}
}

// here is where the stack of the caller ends.
//
//go:noinline
func here() uintptr {
	var b byte
	return uintptr(unsafe.Pointer(&b))
}
