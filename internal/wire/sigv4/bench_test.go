package sigv4

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hardstand/hardstand/internal/clock"
)

// BenchmarkVerify reads and verifies the signature of a small call, as the SDK
// signs it.
func BenchmarkVerify(b *testing.B) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	body := []byte("Action=DescribeInstances&Version=2016-11-15")
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://ec2.us-east-1.amazonaws.com/", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := v4.NewSigner().SignHTTP(r.Context(), awssdk.Credentials{AccessKeyID: suiteKey, SecretAccessKey: suiteSecret}, r, hexSum(string(body)), "ec2", "us-east-1", now); err != nil {
		b.Fatal(err)
	}
	v := Verifier{Clock: clock.NewManual(now)}
	b.ReportAllocs()
	for b.Loop() {
		s, err := Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Verify(r, s, Check{Rules: RulesFor("ec2"), Secret: suiteSecret, Region: "us-east-1", Service: "ec2", Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}
