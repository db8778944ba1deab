package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/s3"
)

var rootKeys = awssdk.Credentials{AccessKeyID: "AKIAROOT", SecretAccessKey: "akiaroot"}

// signed is a request by root with a body, signed by the SDK.
func (s *system) signed(t *testing.T, method, path string, body []byte, headers map[string]string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(context.Background(), rootKeys, req, hash, "s3", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	return req
}

func answer(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestOneThingChanged signs a good request and changes one thing of it, each in turn.
func TestOneThingChanged(t *testing.T) {
	s := withBucket(t)
	authorization := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			a := strings.Replace(r.Header.Get("Authorization"), from, to, 1)
			r.Header.Set("Authorization", a)
		}
	}
	path, query := "/"+bucketName+"/k", "?x-id=PutObject"
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		code   string
	}{
		{"method", func(r *http.Request) { r.Method = "DELETE" }, "SignatureDoesNotMatch"},
		{"key", func(r *http.Request) { r.URL.Path = path + "2" }, "SignatureDoesNotMatch"},
		{"case of the key", func(r *http.Request) { r.URL.Path = "/" + bucketName + "/K" }, "SignatureDoesNotMatch"},
		{"query value", func(r *http.Request) { r.URL.RawQuery = "x-id=Other" }, "SignatureDoesNotMatch"},
		{"query added", func(r *http.Request) { r.URL.RawQuery += "&tagging=" }, "SignatureDoesNotMatch"},
		{"query removed", func(r *http.Request) { r.URL.RawQuery = "" }, "SignatureDoesNotMatch"},
		{"host", func(r *http.Request) { r.Host = "127.0.0.2:1" }, "SignatureDoesNotMatch"},
		{"signed header", func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "c") }, "SignatureDoesNotMatch"},
		{"signed header removed", func(r *http.Request) { r.Header.Del("X-Amz-Meta-A") }, "SignatureDoesNotMatch"},
		{"header added", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, "AccessDenied"},
		{"date", func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().UTC().Add(time.Minute).Format("20060102T150405Z"))
		}, "SignatureDoesNotMatch"},
		{"old date", func(r *http.Request) {
			now := time.Now().UTC()
			old := now.Add(-16 * time.Minute)
			r.Header.Set("X-Amz-Date", old.Format("20060102T150405Z"))
			// Early in the day it was another day then, which the scope must not contradict.
			authorization(now.Format("/20060102/"), old.Format("/20060102/"))(r)
		}, "RequestTimeTooSkewed"},
		{"body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("wordz")) }, "XAmzContentSHA256Mismatch"},
		{"hash of the body", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64)) }, "SignatureDoesNotMatch"},
		{"no hash", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, "SignatureDoesNotMatch"},
		{"key id", authorization("AKIAROOT", "AKIAUSER"), "SignatureDoesNotMatch"},
		{"unknown key id", authorization("AKIAROOT", "AKIASTRANGER"), "InvalidAccessKeyId"},
		{"region", authorization("/us-east-1/", "/us-west-2/"), "SignatureDoesNotMatch"},
		{"service", authorization("/s3/", "/sts/"), ""},
		{"terminator", authorization("aws4_request", "aws5_request"), "AuthorizationHeaderMalformed"},
		{"algorithm", authorization("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), ""},
		{"signed headers", authorization(";x-amz-meta-a", ""), ""},
		{"signature", authorization("Signature=", "Signature=0"), ""},
		{"length", func(r *http.Request) { r.ContentLength, r.Body = 4, io.NopCloser(strings.NewReader("word")) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := s.signed(t, "PUT", path+query, []byte("words"), map[string]string{"X-Amz-Meta-A": "b"})
			c.change(req)
			status, body := answer(t, req)
			if status < 400 || c.code != "" && !strings.Contains(body, "<Code>"+c.code+"</Code>") {
				t.Errorf("%d %s, want %s", status, body, c.code)
			}
		})
	}
	if n := s.blobs.Len(); n != 0 {
		t.Errorf("%d blobs were stored", n)
	}
	if status, body := answer(t, s.signed(t, "PUT", path+query, []byte("words"), map[string]string{"X-Amz-Meta-A": "b"})); status != 200 {
		t.Errorf("unchanged: %d %s", status, body)
	}
}

// TestStrangeKeys writes keys that mean something to file systems, terminals and URLs.
func TestStrangeKeys(t *testing.T) {
	s := withBucket(t)
	for _, key := range []string{
		"../../../etc/passwd", "..", ".", "/", "//", "/etc/passwd", "a/../b", "a/./b", "\r\n", "a\nb: c", "\x1b[2J", "\x7f", "con", "a\\..\\b",
		strings.Repeat("k", 1024), strings.Repeat("é", 512), "e\u0301", "é", "\ufeff", "%00", "%2e%2e%2f", "a+b c", "?x=y", "#", "é/ñ/日本/\U0001F600", "<script>", "&amp;", "]]>",
	} {
		path := "/" + bucketName + "/" + strings.ReplaceAll(url.PathEscape(key), "+", "%2B")
		if status, body := answer(t, s.signed(t, "PUT", path, []byte(key), nil)); status != 200 {
			t.Errorf("put %q: %d %s", key, status, body)
			continue
		}
		if status, body := answer(t, s.signed(t, "GET", path, nil, nil)); status != 200 || body != key {
			t.Errorf("get %q: %d %q", key, status, body)
		}
		out := must[api.ListObjectsV2Output](t, s, "ListObjectsV2", &api.ListObjectsV2Input{Bucket: aws.Ptr(bucketName)})
		if len(out.Contents) != 1 || *out.Contents[0].Key != key {
			t.Errorf("%q is listed as %d keys", key, len(out.Contents))
		}
		if status, body := answer(t, s.signed(t, "DELETE", path, nil, nil)); status != 204 {
			t.Errorf("delete %q: %d %s", key, status, body)
		}
	}
	for _, c := range []struct{ key, code string }{
		{"a\x00b", "InvalidURI"}, {"\xff\xfe", "InvalidURI"}, {strings.Repeat("k", 1025), "KeyTooLongError"}, {strings.Repeat("é", 513), "KeyTooLongError"},
	} {
		if status, body := answer(t, s.signed(t, "PUT", "/"+bucketName+"/"+url.PathEscape(c.key), []byte("x"), nil)); status != 400 || !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("put %.20q: %d %s, want %s", c.key, status, body, c.code)
		}
	}
}

// TestBombs sends documents and headers that are to cost more than they are.
func TestBombs(t *testing.T) {
	s := withBucket(t)
	lol := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Tagging><TagSet><Tag><Key>k</Key><Value>&b;</Value></Tag></TagSet></Tagging>`
	outside := `<?xml version="1.0"?><!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><Tagging><TagSet><Tag><Key>k</Key><Value>&x;</Value></Tag></TagSet></Tagging>`
	for _, c := range []struct{ name, doc, code string }{
		{"entities", lol, "MalformedXML"},
		{"outside entity", outside, "MalformedXML"},
		{"deep", strings.Repeat("<a>", 100_000), "MalformedXML"},
		{"many", "<Tagging><TagSet>" + strings.Repeat("<Tag><Key>k</Key><Value>v</Value></Tag>", 50_000) + "</TagSet></Tagging>", ""},
		{"not XML", "\x00\x01\x02", "MalformedXML"},
		{"large", strings.Repeat(" ", 5<<20), ""},
	} {
		began := time.Now()
		status, body := answer(t, s.signed(t, "PUT", "/"+bucketName+"?tagging=", []byte(c.doc), nil))
		if status < 400 || status >= 500 || c.code != "" && !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: %d %.200s", c.name, status, body)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s", c.name, took)
		}
	}
	if status, body := answer(t, s.signed(t, "PUT", "/"+bucketName+"/k", []byte("x"), map[string]string{"X-Amz-Meta-A": strings.Repeat("a", 2048)})); status != 400 || !strings.Contains(body, "<Code>MetadataTooLarge</Code>") {
		t.Errorf("metadata: %d %s", status, body)
	}
	if status, _ := answer(t, s.signed(t, "PUT", "/"+bucketName+"/k", []byte("x"), map[string]string{"X-Amz-Meta-A": strings.Repeat("a", 2<<20)})); status != 431 && status != 400 {
		t.Errorf("headers: %d", status)
	}
	if n := s.blobs.Len(); n != 0 {
		t.Errorf("%d blobs were stored", n)
	}
}

// TestDigestsOfDocuments gives a document the digest of another.
func TestDigestsOfDocuments(t *testing.T) {
	s := withBucket(t)
	doc := []byte("<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>")
	for _, c := range []struct{ header, value, code string }{
		{"Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==", "BadDigest"}, {"Content-MD5", "nonsense", "InvalidDigest"}, {"Content-MD5", "", "InvalidDigest"},
		{"X-Amz-Checksum-Crc32", "AAAAAA==", "BadDigest"}, {"X-Amz-Checksum-Sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "BadDigest"},
	} {
		if status, body := answer(t, s.signed(t, "PUT", "/"+bucketName+"?tagging=", doc, map[string]string{c.header: c.value})); status != 400 || !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s %q: %d %s, want %s", c.header, c.value, status, body, c.code)
		}
	}
}
