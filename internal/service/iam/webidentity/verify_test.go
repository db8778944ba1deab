package webidentity

import (
	"errors"
	"testing"
)

// FuzzIssuer: whatever is sent as a token, the answer is an issuer or a refusal.
func FuzzIssuer(f *testing.F) {
	f.Add("")
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.")
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIn0.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		issuer, err := Issuer(token)
		var refusal *Refusal
		if err == nil && issuer == "" || err != nil && !errors.As(err, &refusal) {
			t.Errorf("%q: %q, %v", token, issuer, err)
		}
	})
}
