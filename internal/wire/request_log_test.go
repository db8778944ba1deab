package wire_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	awsv2 "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TestLogHoldsNoSecret: whatever a request carries to prove who sends it, and what it
// hands in as a secret, is not in the log, whether it passes or not.
func TestLogHoldsNoSecret(t *testing.T) {
	s := newTiny(t)
	web := httptest.NewServer(s.server)
	defer web.Close()
	const token, value = "c2Vzc2lvbi10b2tlbi10aGF0LWlzLW5vYm9keXM", "parameter-that-is-secret"
	var secrets []string
	send := func(secret, body string, presign bool) {
		t.Helper()
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, web.URL+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		service := "sts"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if strings.HasPrefix(body, "{") {
			service = "ssm"
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", "AmazonSSM.PutParameter")
		}
		sum := sha256.Sum256([]byte(body))
		creds := awsv2.Credentials{AccessKeyID: testKey, SecretAccessKey: secret, SessionToken: token}
		if presign {
			at, _, err := v4.NewSigner().PresignHTTP(context.Background(), creds, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if r.URL, err = url.Parse(at); err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, r.URL.Query().Get("X-Amz-Signature"))
		} else {
			if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
				t.Fatal(err)
			}
			_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			secrets = append(secrets, signature)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	const who = "Action=GetCallerIdentity&Version=2011-06-15"
	put := `{"Name":"/a","Type":"SecureString","Value":"` + value + `"}`
	send(testSecret, who, false)
	send(testSecret, who, true)
	send("another-secret", who, false)
	send("another-secret", who, true)
	send(testSecret, put, false)
	send(testSecret, put[:len(put)-1]+`,"Nothing":"`+value+`"}`, false)
	web.Close()
	logged := s.log.String()
	if !strings.Contains(logged, "GetCallerIdentity") || !strings.Contains(logged, "SignatureDoesNotMatch") || !strings.Contains(logged, "PutParameter") {
		t.Errorf("the log is\n%s", logged)
	}
	for _, secret := range append(secrets, testSecret, "another-secret", token, value) {
		if len(secret) < 10 || strings.Contains(logged, secret) {
			t.Errorf("%q is in the log\n%s", secret, logged)
		}
	}
}
