package elbv2

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	keyTCPIdle    = "tcp.idle_timeout.seconds"
	keyServer     = "routing.http.response.server.enabled"
	requestStart  = "routing.http.request."
	requestEnd    = ".header_name"
	responseStart = "routing.http.response."
	responseEnd   = ".header_value"
)

// requestHeaders are what the balancer adds to requests, by the middle of the keys
// that rename them. Those of client certificates are never added: mutual
// authentication is refused.
var requestHeaders = map[string]string{
	"x_amzn_mtls_clientcert_serial_number": "X-Amzn-Mtls-Clientcert-Serial-Number",
	"x_amzn_mtls_clientcert_issuer":        "X-Amzn-Mtls-Clientcert-Issuer",
	"x_amzn_mtls_clientcert_subject":       "X-Amzn-Mtls-Clientcert-Subject",
	"x_amzn_mtls_clientcert_validity":      "X-Amzn-Mtls-Clientcert-Validity",
	"x_amzn_mtls_clientcert_leaf":          "X-Amzn-Mtls-Clientcert-Leaf",
	"x_amzn_mtls_clientcert":               "X-Amzn-Mtls-Clientcert",
	"x_amzn_tls_version":                   "X-Amzn-Tls-Version",
	"x_amzn_tls_cipher_suite":              "X-Amzn-Tls-Cipher-Suite",
}

// responseHeaders are what the balancer sets on answers, by the middle of the keys.
var responseHeaders = map[string]string{
	"strict_transport_security":        "Strict-Transport-Security",
	"access_control_allow_origin":      "Access-Control-Allow-Origin",
	"access_control_allow_methods":     "Access-Control-Allow-Methods",
	"access_control_allow_headers":     "Access-Control-Allow-Headers",
	"access_control_allow_credentials": "Access-Control-Allow-Credentials",
	"access_control_expose_headers":    "Access-Control-Expose-Headers",
	"access_control_max_age":           "Access-Control-Max-Age",
	"content_security_policy":          "Content-Security-Policy",
	"x_content_type_options":           "X-Content-Type-Options",
	"x_frame_options":                  "X-Frame-Options",
}

// listenerAttributes are those of listeners, in AWS's order.
var listenerAttributes = func() attributeSet {
	s := attributeSet{word: "Listener", list: []attribute{
		{key: keyTCPIdle, standard: "350", of: ofNLB, judge: between(60, 6000)},
		{key: keyServer, standard: "true", of: ofALB, judge: boolean},
	}}
	for _, middle := range []string{"strict_transport_security", "access_control_allow_origin", "access_control_allow_methods", "access_control_allow_headers",
		"access_control_allow_credentials", "access_control_expose_headers", "access_control_max_age", "content_security_policy", "x_content_type_options", "x_frame_options"} {
		s.list = append(s.list, attribute{key: responseStart + middle + responseEnd, of: ofALB, judge: atMost(1024)})
	}
	for _, middle := range []string{"x_amzn_mtls_clientcert_serial_number", "x_amzn_mtls_clientcert_issuer", "x_amzn_mtls_clientcert_subject", "x_amzn_mtls_clientcert_validity",
		"x_amzn_mtls_clientcert_leaf", "x_amzn_mtls_clientcert", "x_amzn_tls_version", "x_amzn_tls_cipher_suite"} {
		s.list = append(s.list, attribute{key: requestStart + middle + requestEnd, standard: requestHeaders[middle], of: ofALB, judge: headerNameValue})
	}
	return s
}()

func headerNameValue(key, value string) error {
	if !headerName.MatchString(value) || len(value) > maxHeaderName {
		return invalid("'%s' value '%s' is not a valid header name", key, value)
	}
	return nil
}

// attributes are a listener's as operations show them.
func (l *listener) attributes() (out []api.ListenerAttribute) {
	of := ofALB
	if l.Protocol != http && l.Protocol != https {
		of = ofNLB
	}
	for _, p := range listenerAttributes.all(of, l.Attributes) {
		if l.has(p.Key) {
			out = append(out, api.ListenerAttribute{Key: &p.Key, Value: &p.Value})
		}
	}
	return out
}

// has tells whether a listener of this protocol has the attribute.
func (l *listener) has(key string) bool {
	switch {
	case key == keyTCPIdle:
		return l.Protocol == tcp
	case strings.HasPrefix(key, requestStart):
		return l.Protocol == https
	}
	return l.Protocol == http || l.Protocol == https
}

// DescribeListenerAttributes returns the attributes of a listener.
func (s *Service) DescribeListenerAttributes(ctx context.Context, in *api.DescribeListenerAttributesInput) (*api.DescribeListenerAttributesOutput, error) {
	out := &api.DescribeListenerAttributesOutput{}
	err := view(ctx, s, listeners, kindListener, *in.ListenerArn, func(_ *store.Tx, _ store.Key, l *listener) error {
		out.Attributes = l.attributes()
		return nil
	})
	return out, err
}

// ModifyListenerAttributes sets attributes of a listener.
func (s *Service) ModifyListenerAttributes(ctx context.Context, in *api.ModifyListenerAttributesInput) (*api.ModifyListenerAttributesOutput, error) {
	out := &api.ModifyListenerAttributesOutput{}
	err := s.changeListener(ctx, *in.ListenerArn, "attributes", func(_ *store.Tx, _ store.Key, l *listener) error {
		if err := l.set(in.Attributes); err != nil {
			return err
		}
		out.Attributes = l.attributes()
		return nil
	})
	return out, err
}

func (l *listener) set(list []api.ListenerAttribute) error {
	if l.Attributes == nil {
		l.Attributes = map[string]string{}
	}
	for _, p := range list {
		key, value := aws.Val(p.Key), aws.Val(p.Value)
		if _, err := listenerAttributes.find(key); err != nil {
			return err
		}
		if !l.has(key) {
			return badRequest("Listener attribute key '%s' is not supported on listeners with the protocol '%s'", key, l.Protocol)
		}
		if _, err := listenerAttributes.judge(key, value); err != nil {
			return err
		}
		l.Attributes[key] = value
	}
	return nil
}
