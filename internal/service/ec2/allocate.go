package ec2

import (
	"net/netip"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// firstPublic addresses of the public range stay free for the server's own use;
// firstPrivate ones of a subnet, and its last one, are kept by AWS.
const (
	firstPublic  = 10
	firstPrivate = 4
)

// cursors remember, for each pool of addresses, which one was given out last. The
// next search begins behind it: a hundred launches look at a hundred addresses,
// not at five thousand, and an address that has just become free is not somebody
// else's at once. They are used inside Update only, where one function runs at a
// time; a restart begins anew.
type cursors map[string]netip.Addr

// next returns an address from first to last that taken does not claim, or the
// zero Addr when all are taken.
func (c cursors) next(pool string, first, last netip.Addr, taken func(netip.Addr) (bool, error)) (netip.Addr, error) {
	start := c[pool]
	if start.Less(first) || last.Less(start) {
		start = last
	}
	for a := start; ; {
		if a = a.Next(); last.Less(a) {
			a = first
		}
		used, err := taken(a)
		if err != nil {
			return netip.Addr{}, err
		}
		if !used {
			c[pool] = a
			return a, nil
		}
		if a == start {
			return netip.Addr{}, nil
		}
	}
}

// usable returns the addresses of p without the first skip and the last one.
func usable(p netip.Prefix, skip int) (first, last netip.Addr) {
	first = p.Masked().Addr()
	last = first
	b := last.As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	for range skip {
		first = first.Next()
	}
	return first, netip.AddrFrom4(b).Prev()
}

// freePrivate returns an address of sub that no interface holds.
func (s *Service) freePrivate(tx *store.Tx, v *vpc, sub *subnet) (netip.Addr, error) {
	first, last := usable(sub.CIDR, firstPrivate)
	a, err := s.cursors.next(sub.ID, first, last, func(a netip.Addr) (bool, error) {
		return addressHeld(tx, privateEntry(v.ID, a))
	})
	if err == nil && !a.IsValid() {
		return a, awserr.New("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", sub.ID)
	}
	return a, err
}

// freePublic returns a public address that no interface, no elastic address and, as
// far as is known, no other server on this machine holds.
func (s *Service) freePublic(tx *store.Tx) (netip.Addr, error) {
	first, last := usable(s.publicCIDR, firstPublic)
	a, err := s.cursors.next("public", first, last, func(a netip.Addr) (bool, error) {
		if _, foreign := s.foreign.Load(a); foreign {
			return true, nil
		}
		held, err := interfacesIn(tx, "public", a.String())
		if err != nil || held > 0 {
			return true, err
		}
		elastic, err := addresses.Lookup(tx, "public", a.String())
		return len(elastic) > 0, err
	})
	if err == nil && !a.IsValid() {
		return a, awserr.New("AddressLimitExceeded", "The maximum number of addresses has been reached.")
	}
	return a, err
}
