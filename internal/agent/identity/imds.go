package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

// DefaultIMDS is the link-local address of the instance metadata service.
const DefaultIMDS = "http://169.254.169.254"

// tokenTTL is the longest life of an IMDSv2 token, in seconds.
const tokenTTL = 21600

// IMDS is a client of the instance metadata service, version 2 first.
type IMDS struct {
	base      string
	allowV1   bool
	clock     clock.Clock
	client    *http.Client
	mu        sync.Mutex
	token     string
	tokenEnds time.Time
}

// NewIMDS returns a client of the service at base. allowV1 permits requests
// without a token where the service has no version 2.
func NewIMDS(base string, allowV1 bool, c clock.Clock) *IMDS {
	// Never through a proxy: the address is link-local.
	transport := &http.Transport{DisableKeepAlives: true}
	return &IMDS{base: base, allowV1: allowV1, clock: c, client: &http.Client{
		Timeout: 10 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type document struct {
	Region     string `json:"region"`
	AccountID  string `json:"accountId"`
	InstanceID string `json:"instanceId"`
}

func (m *IMDS) document(ctx context.Context) (document, error) {
	var d document
	text, err := m.get(ctx, "/latest/dynamic/instance-identity/document")
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return d, fmt.Errorf("instance identity document: %w", err)
	}
	if d.Region == "" || d.AccountID == "" || d.InstanceID == "" {
		return d, errors.New("instance identity document names no region, account or instance")
	}
	return d, nil
}

// retrieve implements provider: the credentials of the instance's role.
func (m *IMDS) retrieve(ctx context.Context) (sign.Credentials, error) {
	const path = "/latest/meta-data/iam/security-credentials/"
	roles, err := m.get(ctx, path)
	role, _, _ := strings.Cut(strings.TrimSpace(roles), "\n")
	if errors.Is(err, errNotFound) || err == nil && role == "" {
		return sign.Credentials{}, errors.New("the instance has no IAM role: attach an instance profile to it, then restart the agent")
	}
	if err != nil {
		return sign.Credentials{}, fmt.Errorf("ask for the instance's role: %w", err)
	}
	text, err := m.get(ctx, path+role)
	if err != nil {
		return sign.Credentials{}, fmt.Errorf("ask for the credentials of role %s: %w", role, err)
	}
	var c struct {
		Code, Message, AccessKeyId, SecretAccessKey, Token string
		Expiration                                         time.Time
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return sign.Credentials{}, fmt.Errorf("credentials of role %s: %w", role, err)
	}
	if c.AccessKeyId == "" || c.SecretAccessKey == "" {
		return sign.Credentials{}, fmt.Errorf("credentials of role %s: %s %s", role, c.Code, c.Message)
	}
	return sign.Credentials{AccessKeyID: c.AccessKeyId, SecretAccessKey: c.SecretAccessKey, SessionToken: c.Token, Expires: c.Expiration}, nil
}

var errNotFound = errors.New("not found")

// get returns the text at path, trying again after 1 and 2 s when the service
// cannot be reached or fails.
func (m *IMDS) get(ctx context.Context, path string) (string, error) {
	var last error
	for attempt := range 3 {
		if attempt > 0 {
			if err := clock.Sleep(ctx, m.clock, time.Duration(attempt)*time.Second); err != nil {
				return "", err
			}
		}
		text, retry, err := m.once(ctx, path)
		if err == nil || !retry {
			return text, err
		}
		last = err
	}
	return "", last
}

func (m *IMDS) once(ctx context.Context, path string) (text string, retry bool, err error) {
	token, err := m.currentToken(ctx)
	if err != nil {
		return "", true, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.base+path, nil)
	if err != nil {
		return "", false, err
	}
	if token != "" {
		r.Header.Set("X-Aws-Ec2-Metadata-Token", token)
	}
	status, body, err := m.do(r)
	switch {
	case err != nil:
		return "", true, err
	case status == http.StatusUnauthorized:
		m.mu.Lock()
		m.token = ""
		m.mu.Unlock()
		return "", true, fmt.Errorf("metadata service refused the token for %s", path)
	case status == http.StatusNotFound:
		return "", false, fmt.Errorf("metadata %s: %w", path, errNotFound)
	case status != http.StatusOK:
		return "", status >= 500, fmt.Errorf("metadata service answered %d for %s", status, path)
	}
	return body, false, nil
}

func (m *IMDS) currentToken(ctx context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token != "" && m.clock.Now().Before(m.tokenEnds) {
		return m.token, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, m.base+"/latest/api/token", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", fmt.Sprint(tokenTTL))
	status, body, err := m.do(r)
	if err != nil {
		return "", fmt.Errorf("metadata service: %w", err)
	}
	if status != http.StatusOK {
		if m.allowV1 {
			return "", nil
		}
		return "", fmt.Errorf("metadata service answered %d to a request for a token", status)
	}
	m.token, m.tokenEnds = body, m.clock.Now().Add((tokenTTL-60)*time.Second)
	return body, nil
}

func (m *IMDS) do(r *http.Request) (int, string, error) {
	resp, err := m.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return resp.StatusCode, string(body), err
}
