// Package awsclient makes signed requests to AWS services, or to hardstand, for
// the programs inside an instance: aws and the cfn-* helpers.
//
// It owns the resolution of credentials, region and endpoint (Settings) and the
// making of a request: signing, retries, errors in one form (Client). It links
// no SDK, since the guest binary must stay small; the shapes of requests are the
// callers'. It imports aws/sign and imdsclient.
package awsclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

// Client makes requests with the settings given.
type Client struct {
	*Settings
	http  *http.Client
	clock clock.Clock
	// tries is how often a request is made in all.
	tries int
}

// New returns a client that trusts AWS_CA_BUNDLE beside the system's
// certificates.
func New(s *Settings, c clock.Clock) (*Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	bundle := firstOf(os.Getenv("AWS_CA_BUNDLE"), s.files["ca_bundle"])
	if bundle != "" {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a signature is for one host only
	}}
	return &Client{Settings: s, http: client, clock: c, tries: 4}, nil
}

// Error is an error answer of a service.
type Error struct {
	Operation string
	Code      string
	Message   string
	Status    int
	// Region is the bucket's, where S3 said that it is another.
	Region string
	// Location is where a redirect leads.
	Location string
}

func (e *Error) Error() string {
	return fmt.Sprintf("An error occurred (%s) when calling the %s operation: %s", e.Code, e.Operation, e.Message)
}

// said is an error in the AWS CLI's own words, which people search for.
type said string

func (s said) Error() string { return string(s) }

// Request is one call.
type Request struct {
	Service   string // signing name
	Operation string // for messages
	Method    string
	URL       string
	Header    http.Header
	Body      io.ReadSeeker // nil means none
	// Unsigned leaves the signature away; Header may hold another kind.
	Unsigned bool
	// PayloadHash is that of the body; "" means to compute it.
	PayloadHash string
}

// Do makes the request, again after failures that pass, and returns an answer of
// status 2xx or 304. The caller closes its body.
func (c *Client) Do(ctx context.Context, r Request) (*http.Response, error) {
	if r.PayloadHash == "" {
		hash, err := hashOf(r.Body)
		if err != nil {
			return nil, err
		}
		r.PayloadHash = hash
	}
	var err error
	for try := range c.tries {
		if try > 0 {
			if err := clock.Sleep(ctx, c.clock, 200*time.Millisecond<<(try-1)); err != nil {
				return nil, err
			}
		}
		var resp *http.Response
		resp, err = c.once(ctx, r)
		if err == nil {
			return resp, nil
		}
		if !passing(err) || ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, err
}

// connectError is a request that got no answer.
type connectError struct {
	url string
	err error
}

func (e *connectError) Error() string {
	return fmt.Sprintf("Could not connect to the endpoint URL: %q: %v", e.url, e.err)
}

func (e *connectError) Unwrap() error { return e.err }

func passing(err error) bool {
	var answer *Error
	if errors.As(err, &answer) {
		return answer.Status >= 500 && answer.Status != http.StatusNotImplemented ||
			answer.Status == http.StatusTooManyRequests || strings.Contains(answer.Code, "Throttl") || answer.Code == "RequestLimitExceeded"
	}
	var connect *connectError
	return errors.As(err, &connect)
}

func (c *Client) once(ctx context.Context, r Request) (*http.Response, error) {
	var body io.Reader
	length := int64(0)
	if r.Body != nil {
		end, err := r.Body.Seek(0, io.SeekEnd)
		if err != nil {
			return nil, err
		}
		if _, err := r.Body.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		// net/http closes bodies that can be closed; this one is read again.
		body, length = io.LimitReader(r.Body, end), end
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = length
	if length == 0 {
		req.Body = http.NoBody
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	if !r.Unsigned && !c.options.Anonymous {
		creds, err := c.Credentials(ctx, c.clock.Now())
		if err != nil {
			return nil, err
		}
		sign.Request(req, creds, r.Service, c.Region, r.PayloadHash, c.clock.Now())
	}
	req.Header.Set("User-Agent", "hardstand-guest")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &connectError{r.URL, errors.Unwrap(err)}
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, parseError(resp, r.Operation)
}

func hashOf(body io.ReadSeeker) (string, error) {
	if body == nil {
		return sign.Hash(nil), nil
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Query makes a call in the query protocol and returns the answer's body.
// "ContentType=JSON" among the values asks for JSON.
func (c *Client) Query(ctx context.Context, service, version, action string, values url.Values) ([]byte, error) {
	if c.Region == "" {
		return nil, errNoRegion
	}
	form := url.Values{"Action": {action}, "Version": {version}}
	for k, v := range values {
		form[k] = v
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	if values.Get("ContentType") == "JSON" {
		header.Set("Accept", "application/json")
	}
	return c.post(ctx, service, action, header, []byte(form.Encode()))
}

// JSON makes a call in the JSON 1.1 protocol; target is the prefix of
// X-Amz-Target.
func (c *Client) JSON(ctx context.Context, service, target, action string, in any) ([]byte, error) {
	if c.Region == "" {
		return nil, errNoRegion
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target + "." + action}}
	return c.post(ctx, service, action, header, body)
}

var errNoRegion = said("You must specify a region. You can also configure your region by running \"aws configure\".")

func (c *Client) post(ctx context.Context, service, action string, header http.Header, body []byte) ([]byte, error) {
	resp, err := c.Do(ctx, Request{Service: service, Operation: action, Method: http.MethodPost,
		URL: c.ServiceURL(service) + "/", Header: header, Body: bytes.NewReader(body)})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// ServiceURL is where requests for service go, without a trailing slash.
func (c *Client) ServiceURL(service string) string {
	if e := c.Endpoint(service); e != "" {
		return e
	}
	return "https://" + service + "." + c.Region + "." + c.Domain()
}

// parseError reads an error answer of any of the protocols.
func parseError(resp *http.Response, operation string) error {
	e := &Error{Operation: operation, Status: resp.StatusCode, Region: resp.Header.Get("X-Amz-Bucket-Region"),
		Location: resp.Header.Get("Location")}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		body = nil
	}
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		parseJSONError(e, body)
	} else {
		parseXMLError(e, body)
	}
	if e.Code == "" {
		e.Code = fmt.Sprint(resp.StatusCode)
	}
	if e.Message == "" {
		e.Message = http.StatusText(resp.StatusCode)
	}
	return e
}

func parseJSONError(e *Error, body []byte) {
	var doc struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Error   struct{ Code, Message string }
	}
	if json.Unmarshal(body, &doc) != nil {
		return
	}
	e.Code = doc.Type[strings.LastIndexByte(doc.Type, '#')+1:]
	e.Code, e.Message = firstOf(e.Code, doc.Error.Code), firstOf(doc.Message, doc.Error.Message)
}

// parseXMLError finds Code and Message at whatever depth the protocol has them.
func parseXMLError(e *Error, body []byte) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	name := ""
	for {
		token, err := dec.Token()
		if err != nil {
			return
		}
		switch t := token.(type) {
		case xml.StartElement:
			name = t.Name.Local
		case xml.EndElement:
			name = ""
		case xml.CharData:
			switch text := strings.TrimSpace(string(t)); {
			case name == "Code" && e.Code == "":
				e.Code = text
			case name == "Message" && e.Message == "":
				e.Message = text
			case name == "Region" && e.Region == "":
				e.Region = text
			}
		}
	}
}
