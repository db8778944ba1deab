package wire_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Version 2 is defined with SHA-1
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/wire"
)

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// TestFormsAreSigned: policies and the last use of a key see who signed a form, and how.
func TestFormsAreSigned(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Second)
	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration": "` + at.Add(time.Hour).Format(time.RFC3339) + `", "conditions": [["starts-with", "$key", ""],
		["starts-with", "$x-amz-algorithm", ""], ["starts-with", "$x-amz-credential", ""], ["starts-with", "$x-amz-date", ""]]}`))
	day, key := at.Format("20060102"), []byte("AWS4"+testSecret)
	for _, part := range []string{day, "us-east-1", "s3", "aws4_request"} {
		key = mac(key, part)
	}
	second := hmac.New(sha1.New, []byte(testSecret))
	second.Write([]byte(policy))
	for _, c := range []struct {
		name   string
		fields [][2]string
		want   aws.Signed
	}{
		{"version 4", [][2]string{{"policy", policy}, {"X-Amz-Algorithm", "AWS4-HMAC-SHA256"}, {"X-Amz-Credential", testKey + "/" + day + "/us-east-1/s3/aws4_request"},
			{"X-Amz-Date", at.Format("20060102T150405Z")}, {"X-Amz-Signature", hex.EncodeToString(mac(key, policy))}},
			aws.Signed{Type: "POST", Version: "AWS4-HMAC-SHA256", At: at}},
		{"version 2", [][2]string{{"policy", policy}, {"AWSAccessKeyId", testKey}, {"signature", base64.StdEncoding.EncodeToString(second.Sum(nil))}},
			aws.Signed{Type: "POST", Version: "AWS"}},
		{"nobody", nil, aws.Signed{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var done, used []aws.Signed
			server := wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: &refuser{}, Account: "123456789012", Region: "us-east-1",
				Used: func(call aws.Call) { used = append(used, call.Signed) }})
			put := func(ctx context.Context, _ *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
				done = append(done, aws.CallFrom(ctx).Signed)
				return &s3.PutObjectOutput{}, nil
			}
			if err := server.Register(wire.Service{Model: s3.Model(), Anonymous: true, Operations: []wire.Operation{wire.Op("PutObject", "s3:PutObject", put, func(context.Context, *s3.PutObjectInput) ([]aws.Check, error) {
				return []aws.Check{{Resource: "arn:aws:s3:::b/public"}}, nil
			})}}); err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			for _, f := range append([][2]string{{"key", "k"}}, append(c.fields, [2]string{"file", "text"})...) {
				if err := form.WriteField(f[0], f[1]); err != nil {
					t.Fatal(err)
				}
			}
			if err := form.Close(); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/b", &body)
			r.Header.Set("Content-Type", form.FormDataContentType())
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			if w.Code != http.StatusNoContent || len(done) != 1 || done[0] != c.want {
				t.Errorf("got %d %s, signed %+v; want %+v", w.Code, w.Body, done, c.want)
			}
			if signed := c.want.Type != ""; signed != (len(used) == 1) {
				t.Errorf("used %+v", used)
			}
		})
	}
}
