package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

// request lays out a call. body is nil for a stream, whose bytes are not known.
func (c *Client) request(ctx context.Context, op *model.Operation, in any) (*http.Request, []byte, error) {
	base, err := c.endpoint()
	if err != nil {
		return nil, nil, err
	}
	switch c.Model.Protocol {
	case model.JSON:
		body, err := codec.AppendJSON(nil, op.Input, in, false)
		if err != nil {
			return nil, nil, err
		}
		req, err := newRequest(ctx, http.MethodPost, base+"/", http.Header{
			"Content-Type": {"application/x-amz-json-" + c.Model.JSONVersion},
			"X-Amz-Target": {c.Model.TargetPrefixes[0] + "." + op.Name}}, body)
		return req, body, err
	case model.RestXML:
		return c.restRequest(ctx, base, op, in)
	}
	form, err := codec.EncodeForm(op.Input, in, c.Model.Protocol == model.EC2)
	if err != nil {
		return nil, nil, err
	}
	form.Set("Action", op.Name)
	form.Set("Version", c.Model.APIVersion)
	body := []byte(form.Encode())
	req, err := newRequest(ctx, http.MethodPost, base+"/", http.Header{
		"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, body)
	return req, body, err
}

// restRequest addresses buckets by path, which works for every name.
func (c *Client) restRequest(ctx context.Context, base string, op *model.Operation, in any) (*http.Request, []byte, error) {
	call, err := codec.EncodeRESTCall(op, in, c.Model.Namespace)
	if err != nil {
		return nil, nil, err
	}
	path, literal, _ := strings.Cut(op.URI, "?")
	for label, value := range call.Labels {
		path = strings.ReplaceAll(path, "{"+label+"}", sign.Escape(value, false))
		path = strings.ReplaceAll(path, "{"+label+"+}", sign.Escape(value, true))
	}
	if strings.Contains(path, "{") {
		return nil, nil, fmt.Errorf("%s: a part of the path %s is not given", op.Name, path)
	}
	query, err := url.ParseQuery(literal)
	if err != nil {
		return nil, nil, err
	}
	for name, values := range call.Query {
		query[name] = values
	}
	target := base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := newRequest(ctx, op.Method, target, call.Header, call.Body)
	if err != nil {
		return nil, nil, err
	}
	if call.Stream != nil {
		req.Body = io.NopCloser(call.Stream)
		if n := call.Header.Get("Content-Length"); n != "" {
			if _, err := fmt.Sscan(n, &req.ContentLength); err != nil {
				return nil, nil, fmt.Errorf("content length: %w", err)
			}
		}
		return req, nil, nil
	}
	return req, call.Body, nil
}

// answer fills out, or returns the error that the answer holds.
func (c *Client) answer(op *model.Operation, resp *http.Response, out any) error {
	streaming := op.Output != nil && op.Output.Payload != nil && op.Output.Payload.Streaming
	if resp.StatusCode < 300 && streaming && out != nil {
		return codec.DecodeRESTAnswer(op, out, resp) // the reader of the stream closes it
	}
	defer resp.Body.Close()
	if resp.StatusCode < 300 && c.Model.Protocol == model.RestXML {
		if out == nil {
			return nil
		}
		return codec.DecodeRESTAnswer(op, out, resp)
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", op.Name, err)
	}
	if resp.StatusCode >= 300 {
		return c.failure(resp, doc)
	}
	if out == nil || op.Output == nil {
		return nil
	}
	if c.Model.Protocol == model.JSON {
		return codec.DecodeJSON(doc, op.Output, out, false)
	}
	root, err := codec.ParseXML(doc)
	if err != nil {
		return fmt.Errorf("the answer of %s: %w", op.Name, err)
	}
	if op.ResultWrapper != "" {
		if root = root.Child(op.ResultWrapper); root == nil {
			return fmt.Errorf("the answer of %s holds no %s", op.Name, op.ResultWrapper)
		}
	}
	return root.Decode(op.Output, out, false)
}

// failure reads an error's envelope, whichever protocol it is in.
func (c *Client) failure(resp *http.Response, doc []byte) error {
	e := &awserr.Error{Code: http.StatusText(resp.StatusCode), Message: resp.Status, Status: resp.StatusCode}
	if c.Model.Protocol == model.JSON {
		readJSONError(e, resp, doc)
		return e
	}
	root, err := codec.ParseXML(doc)
	if err != nil {
		return e
	}
	for _, wrapper := range []string{"Errors", "Error"} {
		if inner := root.Child(wrapper); inner != nil {
			root = inner
		}
	}
	for _, kid := range root.Kids {
		switch kid.Name {
		case "Code":
			e.Code = kid.Text
		case "Message":
			e.Message = kid.Text
		}
	}
	return e
}

func readJSONError(e *awserr.Error, resp *http.Response, doc []byte) {
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	if json.Unmarshal(doc, &body) != nil {
		return
	}
	code := resp.Header.Get("X-Amzn-Errortype")
	if code == "" {
		code = body.Type
	}
	// Some services send namespace#Code, some Code:url.
	if _, after, ok := strings.Cut(code, "#"); ok {
		code = after
	}
	code, _, _ = strings.Cut(code, ":")
	if code != "" {
		e.Code = code
	}
	if e.Message = body.Message; e.Message == "" {
		e.Message = body.Upper
	}
}
