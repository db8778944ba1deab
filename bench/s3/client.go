package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// body is what a request sends, with its hash.
type body struct {
	bytes []byte
	hash  string
}

var nothing = body{hash: sum(nil)}

func newBody(size int) body {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return body{b, sum(b)}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// client makes signed requests and reads answers to their end.
type client struct {
	endpoint    string
	http        *http.Client
	signer      *v4.Signer
	credentials aws.Credentials
}

func newClient(endpoint string) *client {
	const connections = 64
	return &client{
		endpoint: endpoint, signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		http:        &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10, DisableCompression: true}},
		credentials: aws.Credentials{AccessKeyID: or(os.Getenv("AWS_ACCESS_KEY_ID"), "test"), SecretAccessKey: or(os.Getenv("AWS_SECRET_ACCESS_KEY"), "test")},
	}
}

func or(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}

// do makes a request whose answer does not matter.
func (c *client) do(ctx context.Context, method, path, query string, b body) error {
	resp, err := c.send(ctx, method, path, query, b)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// send makes a request and returns its answer, an error for a status of failure.
func (c *client) send(ctx context.Context, method, path, query string, b body) (*http.Response, error) {
	url := c.endpoint + path
	if query != "" {
		url += "?" + query
	}
	var r io.Reader
	if b.bytes != nil {
		r = bytes.NewReader(b.bytes)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Amz-Content-Sha256", b.hash)
	if err := c.signer.SignHTTP(ctx, c.credentials, req, b.hash, "s3", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("%s %s: %s %s", method, path, resp.Status, text)
	}
	return resp, nil
}

func (c *client) makeBucket(ctx context.Context, name string) error {
	return c.do(ctx, "PUT", "/"+name, "", nothing)
}
