// Package imdsclient asks the instance metadata service, by IMDSv2 first.
//
// It owns the session token and nothing else. Everything that runs in an instance
// takes from it: aws and the cfn helpers credentials, region and identity, the
// CodeDeploy agent the same with more patience. It imports aws/sign for the shape of
// credentials, and clock.
package imdsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

// ErrNotFound is returned for a path the service does not have: no user data, no
// instance profile.
var ErrNotFound = errors.New("not in the instance metadata")

const (
	defaultBase = "http://169.254.169.254"
	// tokenTTL is the longest that the service gives, in seconds.
	tokenTTL = 21600
	maxBody  = 1 << 20
)

// Options say how a service is asked. The zero value asks the instance's, once.
type Options struct {
	// Base is where the service is; "" means where the environment says, or else the
	// link-local address.
	Base string
	// AllowV1 permits requests without a token where the service has no version 2.
	AllowV1 bool
	// Tries is how often a request is made in all when the service cannot be reached
	// or fails, after a second, two and so on.
	Tries int
	Clock clock.Clock
}

// Client speaks to one metadata service. It may be used concurrently.
type Client struct {
	Options
	http *http.Client

	mu        sync.Mutex
	token     string
	tokenEnds time.Time
}

// New returns a client of the service at base, "" as for Options.
func New(base string) *Client { return NewWith(Options{Base: base}) }

// NewWith returns a client.
func NewWith(o Options) *Client {
	for _, base := range []string{os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), defaultBase} {
		if o.Base == "" {
			o.Base = base
		}
	}
	o.Base = strings.TrimSuffix(o.Base, "/")
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	// No proxy: the address is link-local, and a proxy would be asked for its own
	// metadata.
	return &Client{Options: o, http: &http.Client{
		Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Get returns what lies at path: "meta-data/instance-id", "user-data",
// "dynamic/instance-identity/document".
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	for try := 1; ; try++ {
		body, again, err := c.once(ctx, path)
		if err == nil || !again || try >= c.Tries {
			return body, err
		}
		if err := clock.Sleep(ctx, c.Clock, time.Duration(try)*time.Second); err != nil {
			return nil, err
		}
	}
}

func (c *Client) once(ctx context.Context, path string) (body []byte, again bool, err error) {
	token, err := c.session(ctx)
	if err != nil {
		return nil, true, err
	}
	status, body, err := c.do(ctx, http.MethodGet, path, "X-aws-ec2-metadata-token", token)
	switch {
	case err != nil:
		return nil, true, err
	case status == http.StatusOK:
		return body, false, nil
	case status == http.StatusNotFound:
		return nil, false, fmt.Errorf("/latest/%s: %w", path, ErrNotFound)
	case status == http.StatusUnauthorized:
		c.mu.Lock()
		c.token = ""
		c.mu.Unlock()
	}
	return nil, status >= 500 || status == http.StatusUnauthorized,
		fmt.Errorf("instance metadata /latest/%s: %d %s", path, status, http.StatusText(status))
}

// session returns the token, "" where the service has none and none is needed.
func (c *Client) session(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && c.Clock.Now().Before(c.tokenEnds) {
		return c.token, nil
	}
	status, body, err := c.do(ctx, http.MethodPut, "api/token", "X-aws-ec2-metadata-token-ttl-seconds", strconv.Itoa(tokenTTL))
	switch {
	case err != nil:
		return "", err
	case status == http.StatusOK:
		c.token, c.tokenEnds = string(body), c.Clock.Now().Add((tokenTTL-60)*time.Second)
		return c.token, nil
	case c.AllowV1:
		return "", nil
	}
	return "", fmt.Errorf("instance metadata answered %d to a request for a token", status)
}

func (c *Client) do(ctx context.Context, method, path, header, value string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+"/latest/"+path, nil)
	if err != nil {
		return 0, nil, err
	}
	if value != "" {
		req.Header.Set(header, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("instance metadata: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("instance metadata /latest/%s: %w", path, err)
	}
	return resp.StatusCode, body, nil
}

// Identity is the part of the instance identity document that is used here.
type Identity struct {
	InstanceID string `json:"instanceId"`
	Region     string `json:"region"`
	AccountID  string `json:"accountId"`
}

// Identity returns who this instance is.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	var id Identity
	doc, err := c.Get(ctx, "dynamic/instance-identity/document")
	if err != nil {
		return id, err
	}
	if err := json.Unmarshal(doc, &id); err != nil {
		return id, fmt.Errorf("instance identity document: %w", err)
	}
	return id, nil
}

// SignedDocument returns the identity document and its signature, as the
// CloudFormation helpers send them.
func (c *Client) SignedDocument(ctx context.Context) (document, signature []byte, err error) {
	document, err = c.Get(ctx, "dynamic/instance-identity/document")
	if err != nil {
		return nil, nil, err
	}
	signature, err = c.Get(ctx, "dynamic/instance-identity/signature")
	return document, signature, err
}

// Credentials returns the temporary credentials of the instance profile's role,
// or of the role named. ErrNotFound means that the instance has no profile.
func (c *Client) Credentials(ctx context.Context, role string) (sign.Credentials, error) {
	const path = "meta-data/iam/security-credentials/"
	if role == "" {
		names, err := c.Get(ctx, path)
		if err != nil {
			return sign.Credentials{}, err
		}
		if role, _, _ = strings.Cut(strings.TrimSpace(string(names)), "\n"); role == "" {
			return sign.Credentials{}, fmt.Errorf("%s: %w", path, ErrNotFound)
		}
	}
	body, err := c.Get(ctx, path+role)
	if err != nil {
		return sign.Credentials{}, err
	}
	var doc struct {
		Code, Message, AccessKeyId, SecretAccessKey, Token string
		Expiration                                         time.Time
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return sign.Credentials{}, fmt.Errorf("instance credentials: %w", err)
	}
	if doc.AccessKeyId == "" || doc.SecretAccessKey == "" {
		return sign.Credentials{}, fmt.Errorf("instance credentials of role %s: %s: %s", role, doc.Code, doc.Message)
	}
	return sign.Credentials{
		AccessKeyID: doc.AccessKeyId, SecretAccessKey: doc.SecretAccessKey,
		SessionToken: doc.Token, Expires: doc.Expiration,
	}, nil
}
