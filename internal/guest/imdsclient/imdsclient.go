// Package imdsclient asks the instance metadata service, by IMDSv2.
//
// It owns the session token and nothing else. awscli and cfn take credentials,
// region and identity from it; userdata takes user data that init did not
// deliver. It imports aws/sign for the shape of credentials.
package imdsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws/sign"
)

// ErrNotFound is returned for a path the service does not have: no user data, no
// instance profile.
var ErrNotFound = errors.New("not in the instance metadata")

const (
	defaultBase = "http://169.254.169.254"
	// tokenTTL is the longest that the service gives, in seconds.
	tokenTTL = "21600"
	maxBody  = 1 << 20
)

// Client speaks to one metadata service. It may be used concurrently.
type Client struct {
	base string
	http *http.Client

	mu    sync.Mutex
	token string
}

// New returns a client of the service at base, or of the one that the
// environment names, or of the instance's.
func New(base string) *Client {
	if base == "" {
		base = os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT")
	}
	if base == "" {
		base = defaultBase
	}
	// No proxy: the address is link-local, and a proxy would be asked for its own
	// metadata.
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		http: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// Get returns what lies at path: "meta-data/instance-id", "user-data",
// "dynamic/instance-identity/document".
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	token, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/latest/"+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-aws-ec2-metadata-token", token)
	return c.do(req)
}

func (c *Client) session(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" {
		return c.token, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+"/latest/api/token", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", tokenTTL)
	token, err := c.do(req)
	if err != nil {
		return "", err
	}
	c.token = string(token)
	return c.token, nil
}

func (c *Client) do(req *http.Request) ([]byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("instance metadata: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("instance metadata %s: %w", req.URL.Path, err)
	}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", req.URL.Path, ErrNotFound)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("instance metadata %s: %s", req.URL.Path, resp.Status)
	}
	return body, nil
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
		role, _, _ = strings.Cut(strings.TrimSpace(string(names)), "\n")
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
	if doc.AccessKeyId == "" {
		return sign.Credentials{}, fmt.Errorf("instance credentials of role %s: %s: %s", role, doc.Code, doc.Message)
	}
	return sign.Credentials{
		AccessKeyID: doc.AccessKeyId, SecretAccessKey: doc.SecretAccessKey,
		SessionToken: doc.Token, Expires: doc.Expiration,
	}, nil
}
