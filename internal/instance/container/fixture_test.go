package container_test

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/instancetest"
	"github.com/hardstand/hardstand/internal/network"
)

// openNetwork makes the real network with the VPC and the group that
// instancetest.Spec names.
func openNetwork(t testing.TB) *network.Network {
	t.Helper()
	ctx := context.Background()
	net, err := network.Open(ctx, network.Config{Prefix: instancetest.Prefix(), Egress: "off", Log: instancetest.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := net.Destroy(); err != nil {
			t.Error(err)
		}
		net.Close()
	})
	s := instancetest.Spec("")
	anywhere := []network.Rule{{Protocol: "-1", From: -1, To: -1, CIDR: netip.MustParsePrefix("0.0.0.0/0")}}
	if err := net.SetVPC(ctx, network.VPC{ID: s.NIC.VPC, CIDR: s.NIC.VPCCIDR, Gateway: true, Exits: []network.Exit{{From: s.NIC.VPCCIDR, To: netip.MustParsePrefix("0.0.0.0/0")}}}); err != nil {
		t.Fatal(err)
	}
	if err := net.SetGroup(ctx, s.NIC.VPC, network.Group{ID: s.NIC.SecurityGroups[0], Ingress: anywhere, Egress: anywhere}); err != nil {
		t.Fatal(err)
	}
	return net
}

func config(t testing.TB, dir string, net *network.Network) container.Config {
	cfg := containerConfig(dir, instancetest.GuestBinary(t))
	cfg.Log = instancetest.Log(t)
	if net != nil {
		cfg.Network = net
	}
	return cfg
}

func containerConfig(dir string, binary []byte) container.Config {
	return container.Config{
		DataDir: dir, Prefix: instancetest.Prefix(), Guest: guest.ProgramOf(binary), Links: guest.Links(), Dirs: guest.Dirs(),
		CA:    []byte("-----BEGIN CERTIFICATE-----\ntest\n-----END CERTIFICATE-----\n"),
		Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
	}
}
