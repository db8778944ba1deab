// Package client calls operations over HTTP from the same tables that the server
// works from, against hardstand or real AWS.
//
// deploy reaches EC2 through it, because linking the SDK's EC2 module would cost
// more than the whole server. It owns the requests' layout, the retries and the
// errors; credentials, region and signatures are SDK v2's. It imports aws/model,
// awserr, clock, wire/codec and the SDK's core. A call enters at Call and leaves
// with the output filled in or with an *awserr.Error.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/clock"
)

const (
	maxAttempts = 4
	firstDelay  = 200 * time.Millisecond
	// maxAnswer bounds an answer that is held in memory.
	maxAnswer = 64 << 20
)

// Client calls the operations of one service.
type Client struct {
	Model *model.Service
	// Config brings region, credentials and, in BaseEndpoint, another place than
	// AWS; config.LoadDefaultConfig fills it in from environment and files.
	Config aws.Config
	Clock  clock.Clock // nil = the machine's
}

// Call runs an operation. in is a pointer to its input, out to its output; either
// may be nil where there is none. Idempotency tokens that in lacks are filled in,
// so that a retry is no second call. Errors that the service answered are
// *awserr.Error.
func (c *Client) Call(ctx context.Context, operation string, in, out any) error {
	op := c.Model.Operations[operation]
	if op == nil || !op.Modelled {
		return fmt.Errorf("%s has no modelled operation %s", c.Model.Name, operation)
	}
	fillTokens(op.Input, in)
	delay := firstDelay
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, op, in, out)
		if err == nil || attempt == maxAttempts || !retryable(err) || ctx.Err() != nil {
			return err
		}
		if err := clock.Sleep(ctx, c.clock(), delay); err != nil {
			return err
		}
		delay *= 2
	}
}

func (c *Client) clock() clock.Clock {
	if c.Clock == nil {
		return clock.System{}
	}
	return c.Clock
}

// fillTokens sets the idempotency tokens that in lacks.
func fillTokens(shape *model.Shape, in any) {
	if shape == nil || in == nil {
		return
	}
	for _, m := range shape.Members {
		if !m.Token {
			continue
		}
		f := reflect.ValueOf(in).Elem().FieldByName(m.FieldName())
		if p, ok := f.Interface().(*string); ok && p == nil {
			token := ids.UUID()
			f.Set(reflect.ValueOf(&token))
		}
	}
}

// retryable: the connection broke, or the service says that it may pass.
func retryable(err error) bool {
	e := awserr.As(err)
	if e == nil {
		var broken *url.Error
		return errors.As(err, &broken)
	}
	switch e.HTTPStatus() {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return true
	}
	switch e.Code {
	case "Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestThrottled":
		return true
	}
	return false
}

func (c *Client) attempt(ctx context.Context, op *model.Operation, in, out any) error {
	req, body, err := c.request(ctx, op, in)
	if err != nil {
		return err
	}
	if err := c.sign(ctx, op, req, body); err != nil {
		return err
	}
	var doer interface {
		Do(*http.Request) (*http.Response, error)
	} = http.DefaultClient
	if c.Config.HTTPClient != nil {
		doer = c.Config.HTTPClient
	}
	resp, err := doer.Do(req)
	if err != nil {
		return fmt.Errorf("call %s:%s: %w", c.Model.Name, op.Name, err)
	}
	return c.answer(op, resp, out)
}

// sign signs with the SDK's signer; an operation that needs no credentials is
// sent without when there are none.
func (c *Client) sign(ctx context.Context, op *model.Operation, req *http.Request, body []byte) error {
	if c.Config.Credentials == nil {
		if op.Unsigned {
			return nil
		}
		return errors.New("no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile")
	}
	creds, err := c.Config.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("find credentials: %w", err)
	}
	hash := "UNSIGNED-PAYLOAD"
	if req.Body == nil || body != nil {
		sum := sha256.Sum256(body)
		hash = hex.EncodeToString(sum[:])
	}
	s3 := c.Model.Protocol == model.RestXML
	if s3 {
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	return v4.NewSigner().SignHTTP(ctx, creds, req, hash, c.Model.SigningNames[0], c.signingRegion(), c.clock().Now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s3 })
}

func (c *Client) signingRegion() string {
	if c.Model.Global {
		return "us-east-1"
	}
	return c.Config.Region
}

// endpoint returns the base URL: of this service, of all services, or AWS's own.
func (c *Client) endpoint() (string, error) {
	if own := os.Getenv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(c.Model.ServiceID, " ", "_"))); own != "" {
		return strings.TrimSuffix(own, "/"), nil
	}
	if c.Config.BaseEndpoint != nil {
		return strings.TrimSuffix(*c.Config.BaseEndpoint, "/"), nil
	}
	if c.Config.Region == "" {
		return "", errors.New("no region: set AWS_REGION or give --region")
	}
	domain := ".amazonaws.com"
	if strings.HasPrefix(c.Config.Region, "cn-") {
		domain += ".cn"
	}
	if c.Model.Global {
		return "https://" + c.Model.Label() + domain, nil
	}
	return "https://" + c.Model.Label() + "." + c.Config.Region + domain, nil
}

// newRequest makes a request whose body can be sent again on a redirect.
func newRequest(ctx context.Context, method, target string, header http.Header, body []byte) (*http.Request, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req, nil
}
