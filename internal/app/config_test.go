package app

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/hardstand/hardstand/internal/network"
)

func TestPublicRange(t *testing.T) {
	for _, c := range []struct {
		name, cidr string
		ok         bool
	}{
		{"default", network.DefaultPublicCIDR.String(), true},
		{"part of it", "198.19.7.0/24", true},
		{"private", "10.66.0.0/16", true},
		{"everything", "0.0.0.0/0", false},
		{"half of everything", "128.0.0.0/1", false},
		{"loopback", "127.0.0.0/8", false},
		{"metadata", "169.254.0.0/16", false},
		{"default VPC", "172.16.0.0/12", false},
		{"multicast", "230.0.0.0/8", false},
		{"too small", "198.18.0.0/30", false},
		{"IPv6", "fd00::/16", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkPublic(netip.MustParsePrefix(c.cidr))
			var refusal *Refusal
			if c.ok && err != nil || !c.ok && !errors.As(err, &refusal) {
				t.Errorf("%s: %v", c.cidr, err)
			}
		})
	}
}
