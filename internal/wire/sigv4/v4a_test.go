package sigv4

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hardstand/hardstand/internal/clock"
)

// TestDeriveA holds the derivation to the vector that AWS's own libraries test with.
func TestDeriveA(t *testing.T) {
	k := deriveA("AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom")
	got, err := k.public.Bytes()
	const want = "04" + "15d242ceebf8d8169fd6a8b5a746c41140414c3b07579038da06af89190fffcb" + "0515242cedd82e94799482e4c0514b505afccf2c0c98d6a553bf539f424c5ec0"
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v", got, err)
	}
}

// privateA derives the key another way: all at once, in numbers.
func privateA(t testing.TB, id, secret string) *ecdsa.PrivateKey {
	t.Helper()
	h := hmac.New(sha256.New, []byte("AWS4A"+secret))
	h.Write(append([]byte("\x00\x00\x00\x01AWS4-ECDSA-P256-SHA256\x00"+id), 1, 0, 0, 1, 0))
	d := new(big.Int).Add(new(big.Int).SetBytes(h.Sum(nil)), big.NewInt(1))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signA(t testing.TB, k *ecdsa.PrivateKey, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	der, err := ecdsa.SignASN1(rand.Reader, k, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(der)
}

// requestA is a signed request of Version 4A; change works on it before it is signed.
func requestA(t *testing.T, payload string, change func(*http.Request)) (*http.Request, *ecdsa.PrivateKey, *Signature) {
	t.Helper()
	r := request(t, "PUT /bucket/a%20key HTTP/1.1\nHost: s3.example\nX-Amz-Date: "+testTime.Format(timeFormat)+"\nX-Amz-Region-Set: eu-west-1,us-*\n\n")
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if change != nil {
		change(r)
	}
	k := privateA(t, testKey, testSecret)
	credential := "Credential=" + testKey + "/" + testTime.Format(dayFormat) + "/s3/aws4_request"
	names := "host"
	for _, n := range []string{"x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length", "x-amz-region-set", "x-amz-trailer"} {
		if r.Header.Get(n) != "" {
			names += ";" + n
		}
	}
	r.Header.Set("Authorization", algorithmA+" "+credential+", SignedHeaders="+names+", Signature=00")
	s, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	s.signature = signA(t, k, s.texts(r, rawPath(r), payload).toSign)
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "=00", "="+s.signature, 1))
	return r, k, s
}

func TestVersion4A(t *testing.T) {
	for _, c := range []struct {
		name   string
		region string
		after  func(*http.Request)
		secret string
		kind   Kind
		ok     bool
	}{
		{name: "in the set", region: "eu-west-1", ok: true},
		{name: "by a pattern", region: "us-east-2", ok: true},
		{name: "another region", region: "ap-south-1", kind: WrongScope},
		{name: "another secret", region: "us-east-1", secret: "other", kind: Mismatch},
		{name: "region set changed", region: "us-east-1", after: func(r *http.Request) { r.Header.Set("X-Amz-Region-Set", "*") }, kind: Mismatch},
		{name: "region set missing", after: func(r *http.Request) { r.Header.Del("X-Amz-Region-Set") }, kind: Malformed},
		{name: "key changed", region: "us-east-1", after: func(r *http.Request) { r.RequestURI = "/bucket/b%20key" }, kind: Mismatch},
		{name: "header added", region: "us-east-1", after: func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, kind: HeadersNotSigned},
		{name: "taken for version 4", region: "us-east-1", after: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), algorithmA, algorithm, 1))
		}, kind: Malformed},
		{name: "chunks of version 4", region: "us-east-1", after: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", streamingSigned) }, kind: InvalidPayloadHash},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, _ := requestA(t, unsignedPayload, nil)
			if c.after != nil {
				c.after(r)
			}
			secret := c.secret
			if secret == "" {
				secret = testSecret
			}
			s, err := Parse(r)
			if err == nil {
				s.Settle(c.region)
				check := Check{Rules: RulesFor("s3"), Secret: secret, Service: "s3"}
				if c.region != "" {
					check.Region = c.region
				}
				_, err = Verifier{Clock: clock.NewManual(testTime)}.Verify(r, s, check)
			}
			var f *Failure
			if c.ok != (err == nil) || err != nil && (!errors.As(err, &f) || f.Kind != c.kind) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	for set, want := range map[string]string{"*": "us-east-1", "eu-*,eu-west-3": "eu-west-3", "ap-*": "", "us-east-1": "us-east-1"} {
		s := &Signature{algorithm: algorithmA}
		if err := s.setRegions(set); err != nil {
			t.Fatal(err)
		}
		if s.Settle("us-east-1"); s.Region != want {
			t.Errorf("%s: %q", set, s.Region)
		}
	}
}

// TestChunksOfVersion4A: each chunk has a signature of its own, padded.
func TestChunksOfVersion4A(t *testing.T) {
	for _, tampered := range []bool{false, true} {
		r, k, s := requestA(t, streamingA, func(r *http.Request) { r.Header.Set("X-Amz-Decoded-Content-Length", "10") })
		var body bytes.Buffer
		previous := s.signature
		for _, chunk := range []string{"hello", "world", ""} {
			previous = signA(t, k, algorithmA+"-PAYLOAD\n"+s.timestamp()+"\n"+s.scope()+"\n"+previous+"\n"+emptySHA256+"\n"+hexSum(chunk))
			fmt.Fprintf(&body, "%x;chunk-signature=%s\r\n%s\r\n", len(chunk), previous+strings.Repeat("*", 144-len(previous)), chunk)
		}
		text := body.String()
		if tampered {
			text = strings.Replace(text, "world", "w0rld", 1)
		}
		r.Body = io.NopCloser(strings.NewReader(text))
		parsed, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := Verifier{Clock: clock.NewManual(testTime)}.Verify(r, parsed, Check{Rules: RulesFor("s3"), Secret: testSecret, Service: "s3"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(reader)
		if tampered == (err == nil) || !tampered && string(got) != "helloworld" {
			t.Errorf("tampered %v: %q, %v", tampered, got, err)
		}
	}
}

// TestSDKSignsVersion4A lets the SDK's own signer judge: it signs calls to a
// multi-region access point with Version 4A.
func TestSDKSignsVersion4A(t *testing.T) {
	seen := 0
	client := s3.New(s3.Options{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""), RetryMaxAttempts: 1,
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			seen++
			r.RequestURI = r.URL.RequestURI()
			if r.Host == "" {
				r.Host = r.URL.Host
			}
			s, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			s.Settle("us-east-1")
			if s.algorithm != algorithmA || s.Region != "us-east-1" {
				t.Errorf("signed with %s for %v", s.algorithm, s.RegionSet)
			}
			if _, err := (Verifier{Clock: clock.System{}}).Verify(r, s, Check{Rules: RulesFor("s3"), Secret: testSecret, Service: "s3", Region: "us-east-1"}); err != nil {
				t.Error(err)
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
		})})
	bucket := aws.String("arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("a key/ä+b")}); err != nil {
		t.Error(err)
	}
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("k"), Body: strings.NewReader("text")}); err != nil {
		t.Error(err)
	}
	if seen != 2 {
		t.Errorf("%d requests", seen)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }
