package network

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// manyGroups fills a VPC with groups of ten rules.
func manyGroups(b *testing.B, n *Network, count int) {
	b.Helper()
	for g := range count {
		setGroup(b, n, "vpc-1", fmt.Sprintf("sg-%d", g), tenRules(g), sendAll)
	}
}

func tenRules(seed int) []Rule {
	var rules []Rule
	for r := range 10 {
		rules = append(rules, tcp(1+(seed*10+r)%60000, anywhere))
	}
	return rules
}

// BenchmarkAttach reports the median of what an instance waits for.
func BenchmarkAttach(b *testing.B) {
	for _, groups := range []int{1, 1000} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			n := openNetwork(b)
			setVPC(b, n, "vpc-1", true)
			manyGroups(b, n, groups)
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				ns := bareNamespace(b)
				nic := testNIC("vpc-1", 10+i%4000, true, fmt.Sprintf("sg-%d", i%groups))
				b.StartTimer()
				begin := time.Now()
				if err := n.Attach(context.Background(), ns, nic); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		})
	}
}

func BenchmarkSetGroup(b *testing.B) {
	n := openNetwork(b)
	setVPC(b, n, "vpc-1", true)
	manyGroups(b, n, 1000)
	for i := 0; b.Loop(); i++ {
		setGroup(b, n, "vpc-1", "sg-500", tenRules(i), sendAll)
	}
}

// BenchmarkRebuild replaces the rules of a whole VPC, as Adopt does.
func BenchmarkRebuild(b *testing.B) {
	n := openNetwork(b)
	setVPC(b, n, "vpc-1", true)
	manyGroups(b, n, 1000)
	v := n.lock("vpc-1")
	defer v.mu.Unlock()
	for b.Loop() {
		if err := v.rebuild(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDetach(b *testing.B) {
	n := openNetwork(b)
	setVPC(b, n, "vpc-1", true)
	setGroup(b, n, "vpc-1", "sg-1", nil, sendAll)
	nic := testNIC("vpc-1", 10, true, "sg-1")
	for b.Loop() {
		b.StopTimer()
		ns := bareNamespace(b)
		if err := n.Attach(context.Background(), ns, nic); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := n.Detach(context.Background(), nic.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAttachAndOpen reports the median of what the network adds to a
// launch, and of the first request that an instance makes afterwards.
func BenchmarkAttachAndOpen(b *testing.B) {
	n := openNetwork(b)
	s := openServices(b, n)
	setVPC(b, n, "vpc-1", true)
	setGroup(b, n, "vpc-1", "sg-1", nil, sendAll)
	var launch, first []time.Duration
	for i := 0; b.Loop(); i++ {
		ns, nic := bareNamespace(b), testNIC("vpc-1", 10+i%4000, true, "sg-1")
		begin := time.Now()
		if err := n.Attach(context.Background(), ns, nic); err != nil {
			b.Fatal(err)
		}
		if err := s.Open(nic.ID, ns); err != nil {
			b.Fatal(err)
		}
		launch = append(launch, time.Since(begin))
		begin = time.Now()
		if _, err := get(clientIn(ns), "http://169.254.169.254/"); err != nil {
			b.Fatal(err)
		}
		first = append(first, time.Since(begin))
	}
	for name, took := range map[string][]time.Duration{"launch": launch, "request": first} {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), name+"-p50-µs")
		b.ReportMetric(float64(took[len(took)-1].Microseconds()), name+"-max-µs")
	}
}

// BenchmarkSetExits changes one route of a VPC that has 200 subnets with two each.
func BenchmarkSetExits(b *testing.B) {
	n := openNetwork(b)
	v := VPC{ID: "vpc-1", CIDR: testVPC}
	for i := range 200 {
		from := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(i), 0}), 24)
		v.Exits = append(v.Exits, Exit{From: from, To: anywhere}, Exit{From: from, To: netip.MustParsePrefix("192.0.2.0/24")})
	}
	for b.Loop() {
		v.Exits[0].Closed = !v.Exits[0].Closed
		if err := n.SetVPC(context.Background(), v); err != nil {
			b.Fatal(err)
		}
	}
}
