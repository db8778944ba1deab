// Package download fetches a revision's bundle: S3 by signed HTTP, GitHub by its
// archive API, local files by copying. It writes to the path given and nowhere
// else; unpacking is package unpack's work.
package download

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/agent/sentence"
	"github.com/hardstand/hardstand/internal/agent/spec"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

// Credentials gives the keys to sign with.
type Credentials interface {
	Get(ctx context.Context) (sign.Credentials, error)
}

// Client downloads bundles.
type Client struct {
	HTTP        *http.Client
	Region      string
	Domain      string
	Endpoint    string // "" for AWS's host names
	FIPS        bool
	Credentials Credentials
	Clock       clock.Clock
	GitHub      string // base URL of GitHub's API
	Once        bool   // whoever waits for the answer would rather hear of a failure than of its repetitions
}

// Fetch writes the bundle of r to path. token is GitHub's.
func (c *Client) Fetch(ctx context.Context, r spec.Revision, token, path string) error {
	switch r.Type {
	case "S3":
		return c.s3(ctx, r, path)
	case "GitHub":
		return c.gitHub(ctx, r, token, path)
	case "Local File":
		return copyFile(r.Location, path)
	}
	return fmt.Errorf("nothing to download for a revision of type %q", r.Type)
}

// objectURL is the virtual-host form for AWS's host names, and the path form for
// buckets with a dot, whose host names no certificate covers, and for endpoints
// given by configuration.
func (c *Client) objectURL(r spec.Revision) (*url.URL, error) {
	host := "s3." + c.Region + "." + c.Domain
	if c.FIPS {
		host = "s3-fips." + c.Region + "." + c.Domain
	}
	u := &url.URL{Scheme: "https", Host: r.Bucket + "." + host}
	prefix := "/"
	if c.Endpoint != "" {
		var err error
		if u, err = url.Parse(strings.TrimSuffix(c.Endpoint, "/")); err != nil {
			return nil, fmt.Errorf("s3_endpoint_override: %w", err)
		}
		prefix = u.Path + "/" + r.Bucket + "/"
	} else if strings.Contains(r.Bucket, ".") {
		u.Host, prefix = host, "/"+r.Bucket+"/"
	}
	u.Path = prefix + r.Key
	u.RawPath = sign.Escape(u.Path, true)
	if r.Version != "" {
		u.RawQuery = "versionId=" + sign.Escape(r.Version, false)
	}
	return u, nil
}

func (c *Client) s3(ctx context.Context, r spec.Revision, path string) error {
	u, err := c.objectURL(r)
	if err != nil {
		return err
	}
	what := "s3://" + r.Bucket + "/" + r.Key
	var last error
	for attempt := range 3 {
		if attempt > 0 {
			if err := clock.Sleep(ctx, c.Clock, time.Duration(attempt)*time.Second); err != nil {
				return err
			}
		}
		again, err := c.s3Once(ctx, u, r.ETag, path)
		if err == nil {
			return nil
		}
		last = fmt.Errorf("download %s: %w", what, err)
		if !again || c.Once {
			break
		}
	}
	return last
}

func (c *Client) s3Once(ctx context.Context, u *url.URL, etag, path string) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false, err
	}
	keys, err := c.Credentials.Get(ctx)
	if err != nil {
		return false, err
	}
	sign.Request(req, keys, "s3", c.Region, sign.Hash(nil), c.Clock.Now())
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode >= 500, s3Error(resp)
	}
	got := resp.Header.Get("ETag")
	if want := strings.Trim(etag, `"`); want != "" && strings.Trim(got, `"`) != want {
		return false, sentence.Errorf("Expected deployment artifact bundle etag %s but was actually %s", etag, got)
	}
	return true, save(resp.Body, resp.ContentLength, path)
}

// s3Error turns S3's error document into "AccessDenied: Access Denied".
func s3Error(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	var doc struct{ Code, Message, Region, Endpoint string }
	if xml.Unmarshal(body, &doc) != nil || doc.Code == "" {
		return fmt.Errorf("S3 answered %s", resp.Status)
	}
	hint := ""
	switch doc.Code {
	case "AccessDenied":
		hint = " (the instance's role needs s3:GetObject on it)"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		hint = " (the bucket must be in the instance's region)"
	}
	return fmt.Errorf("%s: %s%s", doc.Code, doc.Message, hint)
}

// save writes body to path and holds it to the announced length.
func save(body io.Reader, length int64, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, body)
	if err == nil && length >= 0 && n != length {
		err = fmt.Errorf("the connection ended after %d of %d bytes", n, length)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return save(in, -1, to)
}

// gitHub follows GitHub's redirect to the archive; retries are the official
// agent's.
func (c *Client) gitHub(ctx context.Context, r spec.Revision, token, path string) error {
	form := "tarball"
	if r.BundleType == "zip" {
		form = "zipball"
	}
	u := c.GitHub + "/repos/" + url.PathEscape(r.Account) + "/" + url.PathEscape(r.Repository) + "/" + form + "/" + url.PathEscape(r.CommitID)
	var last error
	for _, wait := range []time.Duration{0, 10 * time.Second, 30 * time.Second, 90 * time.Second} {
		if wait > 0 {
			if err := clock.Sleep(ctx, c.Clock, wait); err != nil {
				return err
			}
		}
		again, err := c.gitHubOnce(ctx, u, token, path)
		if err == nil {
			return nil
		}
		last = fmt.Errorf("download %s/%s at %s from GitHub: %w", r.Account, r.Repository, r.CommitID, err)
		if !again || c.Once {
			break
		}
	}
	return last
}

func (c *Client) gitHubOnce(ctx context.Context, u, token, path string) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return false, err
	}
	if token != "" {
		req.Header.Set("Authorization", "token "+token)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode >= 500, fmt.Errorf("GitHub answered %s", resp.Status)
	}
	return true, save(resp.Body, resp.ContentLength, path)
}

// NewHTTP returns a client whose transfers may take long and whose connections
// may not.
func NewHTTP(proxy string) (*http.Client, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout: 5 * time.Second, DisableCompression: true,
	}
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil {
			return nil, fmt.Errorf("proxy_uri: %w", err)
		}
		t.Proxy = http.ProxyURL(u)
	}
	return &http.Client{Transport: t}, nil
}
