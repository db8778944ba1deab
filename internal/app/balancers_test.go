package app

import (
	"context"
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/miekg/dns"

	elbapi "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// zone holds a few names.
type zone []string

func (z zone) Answer(_ context.Context, _, name string, _ uint16) (network.ZoneAnswer, bool, error) {
	return network.ZoneAnswer{}, slices.Contains(z, name), nil
}

func TestBalancerNames(t *testing.T) {
	s := start(t, testConfig(t))
	var made elbapi.CreateLoadBalancerOutput
	in := &elbapi.CreateLoadBalancerInput{
		LoadBalancerName: awssdk.String("shop"), AvailabilityZones: []string{"us-east-1a"},
		Listeners: []elbapi.Listener{{Protocol: awssdk.String("TCP"), LoadBalancerPort: awssdk.Int32(80), InstancePort: awssdk.Int32(80)}},
	}
	if err := (&client.Client{Model: elbapi.Model(), Config: s.as(s.Access())}).Call(t.Context(), "CreateLoadBalancer", in, &made); err != nil {
		t.Fatal(err)
	}
	shop := awssdk.ToString(made.DNSName) + "."
	const own = "own.us-east-1.elb.amazonaws.com."
	names := balancerNames{s.current(), zone{own, "example.com."}}
	for _, c := range []struct {
		name, question string
		qtype          uint16
		known          bool
		answers        int
	}{
		{"a balancer", shop, dns.TypeA, true, 1},
		{"as the console aliases it", "dualstack." + shop, dns.TypeA, true, 1},
		{"without addresses of the sixth version", shop, dns.TypeAAAA, true, 0},
		{"of a private zone", own, dns.TypeA, true, 0},
		{"of nobody", "none-1.us-east-1.elb.amazonaws.com.", dns.TypeA, false, 0},
		{"of another kind", "example.com.", dns.TypeA, true, 0},
	} {
		a, known, err := names.Answer(t.Context(), "vpc-1", c.question, c.qtype)
		if err != nil || known != c.known || len(a.Answer) != c.answers {
			t.Errorf("%s: %v, %v, %v", c.name, a, known, err)
		}
	}
}
