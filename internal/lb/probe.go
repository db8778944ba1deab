package lb

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// probe makes one health check from a node and says what is wrong, or nil.
func probe(ctx context.Context, n *node, t *target, spec HealthCheck) *Health {
	at := t.addr()
	if spec.Port != 0 {
		at = netip.AddrPortFrom(t.Addr, spec.Port)
	}
	c, err := n.DialContext(ctx, "tcp4", at.String())
	if err != nil {
		return failureOf(ctx, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	switch spec.Protocol {
	case TCP:
		return nil
	case HTTPS, TLS, SSL:
		next := []string{"http/1.1"}
		if spec.Version == "HTTP2" || spec.Version == "GRPC" {
			next = []string{"h2"}
		}
		session := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, NextProtos: next}) //nolint:gosec // as on AWS
		if err := session.HandshakeContext(ctx); err != nil {
			return failureOf(ctx, err)
		}
		if spec.Protocol != HTTPS {
			return nil
		}
		c = session
	}
	if spec.Version == "HTTP2" || spec.Version == "GRPC" {
		return probeHTTP2(ctx, c, at, spec)
	}
	return probeHTTP(ctx, c, at, spec, n.balancer.kind())
}

// failureOf tells silence from refusal.
func failureOf(ctx context.Context, err error) *Health {
	var timeout net.Error
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()) {
		return &Health{State: Unhealthy, Reason: reasonTimeout, Description: textTimeout}
	}
	return &Health{State: Unhealthy, Reason: reasonFailed, Description: textFailed}
}

// probeHTTP asks for a page, in the words of AWS's health checkers.
func probeHTTP(ctx context.Context, c net.Conn, at netip.AddrPort, spec HealthCheck, k Kind) *Health {
	agent := "ELB-HealthChecker/2.0"
	if k == Classic {
		agent = "ELB-HealthChecker/1.0"
	}
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nUser-Agent: %s\r\nAccept-Encoding: gzip, compressed\r\n\r\n",
		pathOf(spec), at, agent)
	if err != nil {
		return failureOf(ctx, err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(c, maxHeader)), nil) // or a target could fill the memory
	if err != nil {
		return failureOf(ctx, err)
	}
	answer.Body.Close()
	return matchCode(spec.Matcher, answer.StatusCode)
}

func pathOf(spec HealthCheck) string {
	if spec.Path == "" {
		return "/"
	}
	return spec.Path
}

// probeHTTP2 asks over HTTP/2; a gRPC target by the path of a method, and its answer
// counts by the status in its trailer.
func probeHTTP2(ctx context.Context, c net.Conn, at netip.AddrPort, spec HealthCheck) *Health {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true) // c is decrypted
	way := &http.Transport{Protocols: &p, DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	defer way.CloseIdleConnections()
	method := http.MethodGet
	if spec.Version == "GRPC" {
		method = http.MethodPost
	}
	ask, err := http.NewRequestWithContext(ctx, method, "http://"+at.String()+pathOf(spec), http.NoBody)
	if err != nil {
		return failureOf(ctx, err)
	}
	ask.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	if spec.Version == "GRPC" {
		ask.Header.Set("Content-Type", "application/grpc")
		ask.Header.Set("Te", "trailers")
	}
	answer, err := way.RoundTrip(ask)
	if err != nil {
		return failureOf(ctx, err)
	}
	defer answer.Body.Close()
	if spec.Version != "GRPC" {
		return matchCode(spec.Matcher, answer.StatusCode)
	}
	return matchGRPC(spec.Matcher, answer)
}

// matchGRPC judges the status of a gRPC answer, which comes in the trailer or, in an
// answer without a body, in the header.
func matchGRPC(matcher string, answer *http.Response) *Health {
	status := answer.Header.Get("Grpc-Status")
	if status == "" {
		buffer := make([]byte, 4096)
		for {
			if _, err := answer.Body.Read(buffer); err != nil {
				break
			}
		}
		status = answer.Trailer.Get("Grpc-Status")
	}
	code, err := strconv.Atoi(status)
	if err != nil {
		return &Health{State: Unhealthy, Reason: reasonFailed, Description: textFailed}
	}
	return matchCode(matcher, code)
}

// matchCode judges a status code by a matcher.
func matchCode(matcher string, code int) *Health {
	if matcher == "" {
		matcher = "200"
	}
	for _, part := range strings.Split(matcher, ",") {
		low, high, ranged := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.Atoi(low)
		if err != nil {
			continue
		}
		to := from
		if ranged {
			if to, err = strconv.Atoi(high); err != nil {
				continue
			}
		}
		if code >= from && code <= to {
			return nil
		}
	}
	return &Health{
		State: Unhealthy, Reason: reasonMismatch,
		Description: "Health checks failed with these codes: [" + strconv.Itoa(code) + "]",
	}
}
