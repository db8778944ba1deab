package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/blob/blobtest"
)

// shelter starts a server with a bucket for blobs and returns the bucket's URL.
func shelter(t *testing.T) (*server, string) {
	t.Helper()
	s := start(t, testConfig(t))
	if _, err := s.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr("shelter")}); err != nil {
		t.Fatal(err)
	}
	a := s.Access()
	t.Setenv("AWS_ACCESS_KEY_ID", a.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", a.SecretAccessKey)
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1") // is not what --blob means
	return s, "s3://shelter/some/prefix?region=us-east-1&endpoint=" + url.QueryEscape(s.Endpoint())
}

func ptr[T any](v T) *T { return &v }

// TestBlobsInABucket holds the remote store to the suite of all blob stores, with a
// hardstand as its S3 endpoint.
func TestBlobsInABucket(t *testing.T) {
	_, base := shelter(t)
	blobtest.Suite(t, func(t *testing.T) blob.Store {
		r, err := blob.OpenRemote(t.Context(), strings.Replace(base, "prefix", fmt.Sprintf("%x", t.Name()), 1))
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

// TestServerOnABucket has one server keep its objects' bytes in another one's bucket.
func TestServerOnABucket(t *testing.T) {
	below, base := shelter(t)
	cfg := testConfig(t)
	cfg.Blob = base
	above := start(t, cfg)
	ctx := t.Context()
	if _, err := above.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: ptr("goods")}); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 20<<16)
	for key, body := range map[string][]byte{"small": []byte("a few words"), "large": large, "empty": nil} {
		if _, err := above.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: ptr("goods"), Key: &key, Body: bytes.NewReader(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := above.s3().CopyObject(ctx, &s3.CopyObjectInput{Bucket: ptr("goods"), Key: ptr("copy"), CopySource: ptr("goods/large")}); err != nil {
		t.Fatal(err)
	}
	if err := above.finish(); err != nil {
		t.Fatal(err)
	}
	above = start(t, cfg)
	for key, want := range map[string][]byte{"small": []byte("a few words"), "copy": large, "empty": {}} {
		out, err := above.s3().GetObject(ctx, &s3.GetObjectInput{Bucket: ptr("goods"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v, want %d", key, len(got), err, len(want))
		}
	}
	list, err := below.s3().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: ptr("shelter"), Prefix: ptr("some/prefix/")})
	if err != nil || len(list.Contents) != 4 {
		t.Errorf("%d blobs in the bucket below, %v", len(list.Contents), err)
	}
	if err := above.finish(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := Fsck(ctx, FsckConfig{DataDir: cfg.DataDir, Blob: base}, &out); n != 0 || err != nil {
		t.Errorf("fsck: %d, %v\n%s", n, err, out.String())
	}
}

func TestBlobURLs(t *testing.T) {
	for _, c := range []struct{ address, want string }{
		{"s3://key:secret@bucket/x", "credentials do not belong into the URL"},
		{"s3://bucket/x?secret=1", `"secret" is not known`},
		{"http://bucket", "does not begin with s3://"},
		{"s3:///x", "does not begin with s3://"},
		{"s3://buck et", "cannot be read"},
	} {
		cfg := testConfig(t)
		cfg.Blob = c.address
		s, err := Open(t.Context(), cfg)
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "key:secret") {
			t.Errorf("%s: %v", c.address, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}
