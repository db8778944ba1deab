package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// side says which address of a packet is the rule's peer.
type side int

const (
	ingress side = iota
	egress
)

// Offsets in the IPv4 header of the peer's address, by side.
var peerOffset = map[side]uint32{ingress: 12, egress: 16}

// anyPort is how EC2 writes "all" for icmp types and codes and for the ports of
// rules that cover every protocol.
const anyPort = -1

// expressions translates a rule into the conditions of an nftables rule. ok is
// false for a rule that can match nothing here: its peer is an IPv6 range, and
// instances have no IPv6 traffic that leaves them. members gives the address
// set of a peer group.
func (r Rule) expressions(s side, members func(group string) *nftables.Set) (match []expr.Any, ok bool, err error) {
	proto, every, err := r.protocol()
	if err != nil {
		return nil, false, err
	}
	if !every {
		match = append(match,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			equal(1, []byte{proto}))
		ports, err := r.ports(proto)
		if err != nil {
			return nil, false, err
		}
		match = append(match, ports...)
	}
	switch {
	case r.Group != "":
		set := members(r.Group)
		match = append(match,
			payload(expr.PayloadBaseNetworkHeader, peerOffset[s], 4),
			&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID})
	case !r.CIDR.IsValid():
		return nil, false, fmt.Errorf("rule %v has neither a CIDR nor a group", r)
	case !r.CIDR.Addr().Is4():
		return nil, false, nil
	default:
		match = append(match, addressIn(peerOffset[s], r.CIDR)...)
	}
	return match, true, nil
}

// protocol returns the IP protocol number, or every for a rule about all.
func (r Rule) protocol() (number uint8, every bool, err error) {
	switch r.Protocol {
	case "-1", "all":
		return 0, true, nil
	case "tcp":
		return unix.IPPROTO_TCP, false, nil
	case "udp":
		return unix.IPPROTO_UDP, false, nil
	case "icmp":
		return unix.IPPROTO_ICMP, false, nil
	case "icmpv6":
		return unix.IPPROTO_ICMPV6, false, nil
	}
	n, err := strconv.ParseUint(r.Protocol, 10, 8)
	if err != nil {
		return 0, false, fmt.Errorf("rule protocol %q is not known", r.Protocol)
	}
	return uint8(n), false, nil
}

func (r Rule) ports(proto uint8) ([]expr.Any, error) {
	switch proto {
	case unix.IPPROTO_ICMP:
		var match []expr.Any
		for offset, want := range []int{r.From, r.To} {
			if want == anyPort {
				continue
			}
			if want < 0 || want > 255 {
				return nil, fmt.Errorf("rule %v: icmp type and code are 0 to 255 or -1", r)
			}
			match = append(match,
				payload(expr.PayloadBaseTransportHeader, uint32(offset), 1),
				equal(1, []byte{byte(want)}))
		}
		return match, nil
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP:
		return r.portRange()
	}
	return nil, nil
}

func (r Rule) portRange() ([]expr.Any, error) {
	if r.From == anyPort || (r.From == 0 && r.To == 65535) {
		return nil, nil
	}
	if r.From < 0 || r.To > 65535 || r.From > r.To {
		return nil, fmt.Errorf("rule %v: ports %d to %d are not a range", r, r.From, r.To)
	}
	from := binary.BigEndian.AppendUint16(nil, uint16(r.From))
	to := binary.BigEndian.AppendUint16(nil, uint16(r.To))
	port := payload(expr.PayloadBaseTransportHeader, 2, 2)
	if r.From == r.To {
		return []expr.Any{port, equal(1, from)}, nil
	}
	return []expr.Any{port, &expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: from, ToData: to}}, nil
}

// addressIn matches the IPv4 address at offset of the header against a prefix.
func addressIn(offset uint32, p netip.Prefix) []expr.Any {
	if p.Bits() == 0 {
		return nil
	}
	network := p.Masked().Addr().As4()
	load := payload(expr.PayloadBaseNetworkHeader, offset, 4)
	if p.Bits() == 32 {
		return []expr.Any{load, equal(1, network[:])}
	}
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
	return []expr.Any{load,
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		equal(1, network[:])}
}

func payload(base expr.PayloadBase, offset, length uint32) *expr.Payload {
	return &expr.Payload{DestRegister: 1, Base: base, Offset: offset, Len: length}
}

func equal(register uint32, data []byte) *expr.Cmp {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data}
}

// linkIs matches the name of the link that a packet came in or goes out by.
func linkIs(key expr.MetaKey, name string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, equal(1, linkName(name))}
}

// linkBegins matches all links whose name begins with prefix, as nft's
// "prefix*" does: the comparison is as long as the prefix.
func linkBegins(key expr.MetaKey, prefix string, yes bool) []expr.Any {
	op := expr.CmpOpEq
	if !yes {
		op = expr.CmpOpNeq
	}
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: []byte(prefix)}}
}

// linkName pads a name to the 16 bytes that the kernel compares.
func linkName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// Bit of conntrack's status that says the destination was translated
// (IPS_DST_NAT).
const statusTranslated = 1 << 5

// tracked matches when any of bits is set (or none, if !any) in conntrack's
// state or status.
func tracked(key expr.CtKey, bits uint32, any bool) []expr.Any {
	op := expr.CmpOpNeq
	if !any {
		op = expr.CmpOpEq
	}
	return []expr.Any{
		&expr.Ct{Key: key, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: 1, Data: make([]byte, 4)},
	}
}

func established() []expr.Any {
	return tracked(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED, true)
}

func verdict(kind expr.VerdictKind, chain string) *expr.Verdict {
	return &expr.Verdict{Kind: kind, Chain: chain}
}

func accept() *expr.Verdict { return verdict(expr.VerdictAccept, "") }
func drop() *expr.Verdict   { return verdict(expr.VerdictDrop, "") }

// join makes one expression list of several.
func join(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
