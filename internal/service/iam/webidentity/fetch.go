package webidentity

import (
	"context"
	"crypto/sha1" //nolint:gosec // IAM's thumbprints are SHA-1
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchTime bounds both requests to an issuer together.
	fetchTime = 10 * time.Second
	// maxDocument bounds what is read of an issuer's documents.
	maxDocument = 1 << 20
)

// errThumbprint is a certificate that is neither trusted nor registered.
var errThumbprint = errors.New("no certificate that is trusted or registered")

// fetchKeys asks the issuer for its keys.
func fetchKeys(ctx context.Context, p Provider) (jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	c := issuerClient(p)
	defer c.CloseIdleConnections()
	var keys jose.JSONWebKeySet
	var discovery struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := fetch(ctx, c, p.Issuer+"/.well-known/openid-configuration", &discovery); err != nil {
		return keys, unreachable(err)
	}
	if strings.TrimSuffix(discovery.Issuer, "/") != strings.TrimSuffix(p.Issuer, "/") {
		return keys, unreachable(fmt.Errorf("its discovery document names the issuer %q", discovery.Issuer))
	}
	from, err := url.Parse(discovery.JWKSURI)
	if err != nil || from.Host == "" || from.Scheme != "https" && !strings.HasPrefix(p.Issuer, "http://") {
		return keys, unreachable(fmt.Errorf("its discovery document names no https jwks_uri: %q", discovery.JWKSURI))
	}
	if err := fetch(ctx, c, discovery.JWKSURI, &keys); err != nil {
		return keys, unreachable(err)
	}
	return keys, nil
}

func unreachable(err error) error {
	if errors.Is(err, errThumbprint) {
		return &Refusal{Invalid, "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint", err}
	}
	return &Refusal{Communication, "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements", err}
}

func fetch(ctx context.Context, c *http.Client, from string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", from, res.Status)
	}
	return json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(into)
}

// issuerClient trusts what the machine trusts and the registered certificates. It
// follows no redirect: whoever is registered answers.
func issuerClient(p Provider) *http.Client {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host,
			InsecureSkipVerify: true, //nolint:gosec // VerifyConnection judges instead
			VerifyConnection: func(cs tls.ConnectionState) error {
				return verifyChain(cs.PeerCertificates, host, p.Thumbprints)
			}}}
		return d.DialContext(ctx, network, addr)
	}
	return &http.Client{Transport: &http.Transport{DialTLSContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// verifyChain accepts a chain that ends in an authority which the machine trusts or
// in a certificate whose thumbprint is registered. Either way it must hold for the
// host.
func verifyChain(chain []*x509.Certificate, host string, thumbprints []string) error {
	opts := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	if err == nil {
		return nil
	}
	opts.Roots = x509.NewCertPool()
	registered := false
	for _, c := range chain {
		sum := sha1.Sum(c.Raw) //nolint:gosec // IAM's thumbprints are SHA-1
		if slices.Contains(thumbprints, hex.EncodeToString(sum[:])) {
			opts.Roots.AddCert(c)
			registered = true
		}
	}
	if !registered {
		return fmt.Errorf("%w: %w", errThumbprint, err)
	}
	_, err = chain[0].Verify(opts)
	return err
}
