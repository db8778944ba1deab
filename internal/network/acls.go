package network

import (
	"fmt"
	"net/netip"
	"reflect"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// ACL filters what crosses the border of a subnet, packet by packet: it knows no
// connections. What no entry speaks of is dropped.
type ACL struct {
	Subnet          netip.Prefix
	Ingress, Egress []ACLEntry // the first that matches decides
}

// ACLEntry is a rule without a peer group, and what becomes of its packets.
type ACLEntry struct {
	Rule
	Deny bool
}

// setACLs brings the ACLs to what is wanted; packets of connections that exist are
// judged by them at once.
func (v *vpc) setACLs(acls []ACL) error {
	if len(acls) == 0 && len(v.acls) == 0 || reflect.DeepEqual(acls, v.acls) {
		return nil
	}
	if err := v.change(func(f *filter) error { return f.setACLs(acls) }); err != nil {
		return fmt.Errorf("VPC %s: set network ACLs: %w", v.id, err)
	}
	v.acls = acls
	return nil
}

func aclChain(i int, s side) string {
	if s == ingress {
		return fmt.Sprintf("acl-in-%d", i)
	}
	return fmt.Sprintf("acl-out-%d", i)
}

// setACLs queues the rules of the chain that each forwarded packet passes first: it
// leaves its subnet, then it comes into another.
func (f *filter) setACLs(acls []ACL) error {
	f.conn.FlushChain(&nftables.Chain{Table: f.table, Name: "acls"})
	for i := range f.acls {
		for _, s := range []side{egress, ingress} {
			chain := &nftables.Chain{Table: f.table, Name: aclChain(i, s)}
			f.conn.FlushChain(chain)
			f.conn.DelChain(chain)
		}
	}
	f.acls = len(acls)
	for i, a := range acls {
		for s, entries := range map[side][]ACLEntry{egress: a.Egress, ingress: a.Ingress} {
			f.conn.AddChain(&nftables.Chain{Table: f.table, Name: aclChain(i, s)})
			if err := f.addEntries(aclChain(i, s), s, entries); err != nil {
				return fmt.Errorf("network ACL of %v: %w", a.Subnet, err)
			}
		}
	}
	for _, s := range []side{egress, ingress} {
		for i, a := range acls {
			own, other := peerOffset[1-s], peerOffset[s]
			f.rule("acls", addressIn(own, a.Subnet), addressNotIn(other, a.Subnet), []expr.Any{verdict(expr.VerdictJump, aclChain(i, s))})
		}
	}
	return nil
}

func (f *filter) addEntries(chain string, s side, entries []ACLEntry) error {
	for _, e := range entries {
		match, ok, err := e.expressions(s, nil)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		then := verdict(expr.VerdictReturn, "")
		if e.Deny {
			then = drop()
		}
		f.rule(chain, match, []expr.Any{then})
	}
	f.rule(chain, []expr.Any{drop()})
	return nil
}

// addressNotIn is the opposite of addressIn, for prefixes that hold not everything.
func addressNotIn(offset uint32, p netip.Prefix) []expr.Any {
	match := addressIn(offset, p)
	if cmp, ok := match[len(match)-1].(*expr.Cmp); ok {
		cmp.Op = expr.CmpOpNeq
	}
	return match
}
