package app

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"testing"
)

// An identity document counts if this server has signed it, and as it was signed.
func TestVerifyIdentity(t *testing.T) {
	s := start(t, testConfig(t))
	_, key, err := s.identitySigner()
	if err != nil {
		t.Fatal(err)
	}
	const document = `{"accountId": "123456789012", "instanceId": "i-0123456789abcdef0"}`
	sum := sha256.Sum256([]byte(document))
	raw, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	signature := base64.StdEncoding.EncodeToString(raw)
	broken := signature[:60] + "\n" + signature[60:] // as the metadata service lays it out
	for _, c := range []struct {
		name, document, signature string
		ok                        bool
	}{
		{"as signed", document, signature, true},
		{"in lines", document, broken, true},
		{"another instance", `{"accountId": "123456789012", "instanceId": "i-fffffffffffffffff"}`, signature, false},
		{"no signature", document, "", false},
		{"no base64", document, "%%%", false},
		{"another key's", document, base64.StdEncoding.EncodeToString(make([]byte, len(raw))), false},
	} {
		account, instance, err := identities{s.System}.VerifyIdentity(t.Context(), []byte(c.document), []byte(c.signature))
		if (err == nil) != c.ok || (c.ok && (account != "123456789012" || instance != "i-0123456789abcdef0")) {
			t.Errorf("%s: %s %s %v", c.name, account, instance, err)
		}
	}
}
