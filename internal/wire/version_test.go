package wire_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/wire"
)

// Two APIs that share a signing name and a host are told apart by Version, inside by
// their names; to policies they are one service.
func TestVersionTellsAPIs(t *testing.T) {
	var called aws.Call
	s := wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: &refuser{}, Account: "123456789012", Region: "us-east-1"})
	old := wire.Service{Model: elb.Model(), Anonymous: true, Operations: []wire.Operation{
		wire.FreeOp("DescribeLoadBalancers", "a test", func(ctx context.Context, _ *elb.DescribeLoadBalancersInput) (*elb.DescribeLoadBalancersOutput, error) {
			called = aws.CallFrom(ctx)
			return &elb.DescribeLoadBalancersOutput{}, nil
		})}}
	v2 := wire.Service{Model: elbv2.Model(), Anonymous: true, Operations: []wire.Operation{
		wire.FreeOp("DescribeLoadBalancers", "a test", func(ctx context.Context, _ *elbv2.DescribeLoadBalancersInput) (*elbv2.DescribeLoadBalancersOutput, error) {
			_, err := s.Invoke(ctx, "elb", "DescribeLoadBalancers", &elb.DescribeLoadBalancersInput{})
			return &elbv2.DescribeLoadBalancersOutput{}, err
		})}}
	if err := s.Register(old, v2); err != nil {
		t.Fatal(err)
	}
	const oldNamespace, newNamespace = "/doc/2012-06-01/", "/doc/2015-12-01/"
	cases := []struct{ name, host, version, want string }{
		{"classic by host", "elasticloadbalancing.us-east-1.amazonaws.com", "2012-06-01", oldNamespace},
		{"v2 by host", "elasticloadbalancing.us-east-1.amazonaws.com", "2015-12-01", newNamespace},
		{"classic by version", "127.0.0.1:4566", "2012-06-01", oldNamespace},
		{"v2 by version", "127.0.0.1:4566", "2015-12-01", newNamespace},
		{"neither", "elasticloadbalancing.us-east-1.amazonaws.com", "2001-01-01", "Could not find operation DescribeLoadBalancers for version 2001-01-01"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://"+c.host+"/", strings.NewReader("Action=DescribeLoadBalancers&Version="+c.version))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("got %s, want %s", w.Body, c.want)
			}
		})
	}
	if called.Service != "elasticloadbalancing" || len(called.Via) > 0 {
		t.Errorf("the other API saw service %q via %v", called.Service, called.Via)
	}
}
