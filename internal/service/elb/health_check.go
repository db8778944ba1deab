package elb

import (
	"context"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
)

// checkTarget is what "HTTP:80/path" says.
type checkTarget struct {
	protocol string
	port     uint16
	path     string
}

const maxPath = 1024

// parseTarget reads the target of a health check.
func parseTarget(text string) (checkTarget, error) {
	protocol, rest, found := strings.Cut(text, ":")
	t := checkTarget{protocol: strings.ToUpper(protocol)}
	if !found || (!isWeb(t.protocol) && t.protocol != lb.TCP && t.protocol != lb.SSL) {
		return t, errValidation("HealthCheck Target must begin with one of HTTP, TCP, HTTPS, SSL")
	}
	port := rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		port, t.path = rest[:i], rest[i:]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || n == 0:
		return t, errValidation("HealthCheck Target must specify a port between 1 and 65535")
	case isWeb(t.protocol) && t.path == "":
		return t, errValidation("HealthCheck HTTP Target must specify a port followed by a path that begins with a slash. e.g. HTTP:80/ping/this/path")
	case !isWeb(t.protocol) && t.path != "":
		return t, errValidation("HealthCheck %s Target must specify a port and nothing more. e.g. %s:80", t.protocol, t.protocol)
	case len(t.path) > maxPath:
		return t, errValidation("HealthCheck Target path cannot be longer than %d characters", maxPath)
	case strings.ContainsFunc(t.path, func(r rune) bool { return r <= ' ' || r > '~' }):
		return t, errValidation("HealthCheck Target path may hold only printable characters without spaces")
	}
	t.port = uint16(n)
	return t, nil
}

// ConfigureHealthCheck says how instances are asked.
func (s *Service) ConfigureHealthCheck(ctx context.Context, in *api.ConfigureHealthCheckInput) (*api.ConfigureHealthCheckOutput, error) {
	h := in.HealthCheck
	if _, err := s.view(ctx, in.LoadBalancerName); err != nil {
		return nil, err
	}
	if _, err := parseTarget(aws.Val(h.Target)); err != nil {
		return nil, err
	}
	if aws.Val(h.Timeout) >= aws.Val(h.Interval) {
		return nil, errValidation("HealthCheck timeout must be less than interval")
	}
	b, err := s.change(ctx, in.LoadBalancerName, func(_ *store.Tx, _ store.Key, b *balancer) error {
		b.Check = check{Target: aws.Val(h.Target), Interval: aws.Val(h.Interval), Timeout: aws.Val(h.Timeout),
			Healthy: aws.Val(h.HealthyThreshold), Unhealthy: aws.Val(h.UnhealthyThreshold)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.ConfigureHealthCheckOutput{HealthCheck: b.Check.out()}, nil
}

func (c check) out() *api.HealthCheck {
	return &api.HealthCheck{Target: aws.Ptr(c.Target), Interval: aws.Ptr(c.Interval), Timeout: aws.Ptr(c.Timeout),
		HealthyThreshold: aws.Ptr(c.Healthy), UnhealthyThreshold: aws.Ptr(c.Unhealthy)}
}
