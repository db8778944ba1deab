package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
)

// filter is the nftables table of one VPC namespace: anti-spoofing, address
// translation and security groups. Methods queue changes; commit sends what is
// queued as one transaction, all or nothing. It is not safe for concurrent use.
//
//	prerouting (raw)  a packet's link and source must be in @nics, or its link in
//	                  @forwarders, else drop
//	detour            marks what a route leads to an interface
//	input             serviceRules and names at @resolvers, not by the uplink
//	dnat, snat        @public and @private, only by the uplink; before that translate:
//	                  what an exit has marked for a NAT gateway
//	forward           acls, what the subnets' network ACLs say of each packet; then
//	                  out by the uplink: exit, what the subnet's routes say; then
//	                  established, or @outlinks[link], @outbound[source] -> nic-out
//	                  -> group-out -> arrive
//	arrive            out by the uplink if it has a public address or is marked, or
//	                  @inlinks[link], @inbound[destination] -> nic-in -> group-in -> accept
type filter struct {
	netns  int
	uplink string
	table  *nftables.Table
	conn   *nftables.Conn

	nics, inbound, outbound, public, private, resolvers *nftables.Set
	forwarders, inlinks, outlinks                       *nftables.Set // of interfaces that forward
	members                                             map[string]*nftables.Set
	groups                                              map[string]bool
	acls                                                int // chains of network ACLs
	setID                                               uint32
}

// Socket buffers big enough for a transaction with thousands of rules, which
// the kernel otherwise refuses as "message too long", and for its
// acknowledgements.
const batchBuffer = 64 << 20

func dialFilter(netns int) (*nftables.Conn, error) {
	return nftables.New(nftables.WithNetNSFd(netns), nftables.AsLasting(), nftables.WithSockOptions(
		func(c *netlink.Conn) error { return c.SetWriteBuffer(batchBuffer) },
		func(c *netlink.Conn) error { return c.SetReadBuffer(batchBuffer) },
	))
}

// newFilter describes the table called name; rebuild the VPC to make it so.
func newFilter(netns int, name, uplink string) *filter {
	return &filter{netns: netns, uplink: uplink, table: &nftables.Table{Name: name, Family: nftables.TableFamilyIPv4}}
}

func (f *filter) close() error {
	if f.conn == nil {
		return nil
	}
	return f.conn.CloseLasting()
}

// commit sends what is queued. After an error the filter must be discarded.
func (f *filter) commit() error {
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("change nftables: %w", err)
	}
	return nil
}

// discard begins anew with nothing queued. The connection is replaced, because
// after a refusal acknowledgements of the rest of the batch may still be in it.
func (f *filter) discard() error {
	conn, err := dialFilter(f.netns)
	if err != nil {
		return fmt.Errorf("reopen nftables: %w", err)
	}
	err = f.close()
	f.conn = conn
	return err
}

// reset queues the replacement of the whole table by one that has no groups
// and no interfaces.
func (f *filter) reset() error {
	f.members = map[string]*nftables.Set{}
	f.groups = map[string]bool{}
	f.acls = 0
	f.conn.AddTable(f.table)
	f.conn.DelTable(f.table)
	f.conn.AddTable(f.table)
	f.nics = f.newSet("nics", nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIPAddr))
	f.nics.Concatenation = true
	f.inbound = f.newMap("inbound", nftables.TypeVerdict)
	f.outbound = f.newMap("outbound", nftables.TypeVerdict)
	f.public = f.newMap("public", nftables.TypeIPAddr)
	f.private = f.newMap("private", nftables.TypeIPAddr)
	f.resolvers = f.newSet("resolvers", nftables.TypeIPAddr)
	f.forwarders = f.newSet("forwarders", nftables.TypeIFName)
	f.inlinks, f.outlinks = f.newMap("inlinks", nftables.TypeVerdict), f.newMap("outlinks", nftables.TypeVerdict)
	f.inlinks.KeyType, f.outlinks.KeyType = nftables.TypeIFName, nftables.TypeIFName
	for _, set := range []*nftables.Set{f.nics, f.inbound, f.outbound, f.public, f.private, f.resolvers, f.forwarders, f.inlinks, f.outlinks} {
		if err := f.conn.AddSet(set, nil); err != nil {
			return err
		}
	}
	f.addSpoofing()
	f.addTranslation()
	f.addForward()
	return f.addServices()
}

func (f *filter) newSet(name string, key nftables.SetDatatype) *nftables.Set {
	f.setID++
	return &nftables.Set{Table: f.table, Name: name, ID: f.setID, KeyType: key}
}

func (f *filter) newMap(name string, value nftables.SetDatatype) *nftables.Set {
	s := f.newSet(name, nftables.TypeIPAddr)
	s.IsMap, s.DataType = true, value
	return s
}

func (f *filter) baseChain(name string, kind nftables.ChainType, hook *nftables.ChainHook, at *nftables.ChainPriority, policy nftables.ChainPolicy) *nftables.Chain {
	return f.conn.AddChain(&nftables.Chain{Table: f.table, Name: name, Type: kind, Hooknum: hook, Priority: at, Policy: &policy})
}

func (f *filter) rule(chain string, parts ...[]expr.Any) {
	f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: &nftables.Chain{Table: f.table, Name: chain}, Exprs: join(parts...)})
}

func (f *filter) addSpoofing() {
	f.baseChain("prerouting", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw, nftables.ChainPolicyDrop)
	// The host may send redirects, as hairpin traffic leaves it where it came
	// in; instances must not act on them.
	f.rule("prerouting", linkIs(expr.MetaKeyIIFNAME, f.uplink),
		[]expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal(1, []byte{1}),
			payload(expr.PayloadBaseTransportHeader, 0, 1), equal(1, []byte{5}), drop()})
	f.rule("prerouting", linkIs(expr.MetaKeyIIFNAME, f.uplink), []expr.Any{accept()})
	// The concatenated key lies in consecutive registers: 16 bytes of name,
	// then the address.
	f.rule("prerouting", []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Payload{DestRegister: 2, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
		&expr.Lookup{SourceRegister: 1, SetName: f.nics.Name, SetID: f.nics.ID},
		accept(),
	})
	f.rule("prerouting", f.linkIn(expr.MetaKeyIIFNAME, f.forwarders), []expr.Any{accept()})
	f.baseChain("detour", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityMangle, nftables.ChainPolicyAccept)
}

// linkIn looks a link up in a set, which it must be in, or in a map of verdicts, which
// is done then.
func (f *filter) linkIn(key expr.MetaKey, set *nftables.Set) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1},
		&expr.Lookup{SourceRegister: 1, DestRegister: 0, IsDestRegSet: set.IsMap, SetName: set.Name, SetID: set.ID}}
}

// addServices lets instances, whatever their groups say, reach the services of
// the VPC, and nobody anything else that is in its namespace.
func (f *filter) addServices() error {
	f.baseChain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, nftables.ChainPolicyDrop)
	f.rule("input", linkIs(expr.MetaKeyIIFNAME, f.uplink), []expr.Any{drop()})
	for _, r := range serviceRules {
		match, _, err := r.expressions(egress, nil)
		if err != nil {
			return err
		}
		f.rule("input", match, []expr.Any{accept()})
	}
	for _, proto := range []string{"udp", "tcp"} {
		match, _, err := Rule{Protocol: proto, From: 53, To: 53, CIDR: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}.expressions(egress, nil)
		if err != nil {
			return err
		}
		f.rule("input", match, []expr.Any{payload(expr.PayloadBaseNetworkHeader, 16, 4),
			&expr.Lookup{SourceRegister: 1, SetName: f.resolvers.Name, SetID: f.resolvers.ID}, accept()})
	}
	return nil
}

func (f *filter) addTranslation() {
	f.baseChain("dnat", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest, nftables.ChainPolicyAccept)
	f.rule("dnat", linkIs(expr.MetaKeyIIFNAME, f.uplink), f.mapped(16, f.public), []expr.Any{
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(f.table.Family), RegAddrMin: 1}})
	f.baseChain("snat", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, nftables.ChainPolicyAccept)
	f.conn.AddChain(&nftables.Chain{Table: f.table, Name: "translate"})
	f.rule("snat", linkIs(expr.MetaKeyOIFNAME, f.uplink), []expr.Any{verdict(expr.VerdictJump, "translate")})
	f.rule("snat", linkIs(expr.MetaKeyOIFNAME, f.uplink), f.mapped(12, f.private), []expr.Any{
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: uint32(f.table.Family), RegAddrMin: 1}})
}

// mapped puts what m has for the address at offset into register 1; a packet
// without an entry does not match.
func (f *filter) mapped(offset uint32, m *nftables.Set) []expr.Any {
	return []expr.Any{
		payload(expr.PayloadBaseNetworkHeader, offset, 4),
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
	}
}

// decided runs the verdict that m has for the address at offset.
func (f *filter) decided(offset uint32, m *nftables.Set) []expr.Any {
	return []expr.Any{
		payload(expr.PayloadBaseNetworkHeader, offset, 4),
		&expr.Lookup{SourceRegister: 1, DestRegister: 0, IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
	}
}

func (f *filter) addForward() {
	f.baseChain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter, nftables.ChainPolicyDrop)
	f.conn.AddChain(&nftables.Chain{Table: f.table, Name: "acls"})
	f.conn.AddChain(&nftables.Chain{Table: f.table, Name: "exit"})
	f.conn.AddChain(&nftables.Chain{Table: f.table, Name: "arrive"})
	f.rule("forward", []expr.Any{verdict(expr.VerdictJump, "acls")})
	f.rule("forward", linkIs(expr.MetaKeyOIFNAME, f.uplink), []expr.Any{verdict(expr.VerdictJump, "exit")})
	f.rule("forward", established(), []expr.Any{accept()})
	f.rule("forward", tracked(expr.CtKeySTATE, expr.CtStateBitINVALID, true), []expr.Any{drop()})
	// From outside an instance is reached by its public address only.
	f.rule("forward", linkIs(expr.MetaKeyIIFNAME, f.uplink), tracked(expr.CtKeySTATUS, statusTranslated, false), []expr.Any{drop()})
	f.rule("forward", linkIs(expr.MetaKeyIIFNAME, f.uplink), []expr.Any{verdict(expr.VerdictGoto, "arrive")})
	f.rule("forward", f.linkIn(expr.MetaKeyIIFNAME, f.outlinks))
	f.rule("forward", f.decided(12, f.outbound))

	f.rule("arrive", linkIs(expr.MetaKeyOIFNAME, f.uplink), anyMark(), []expr.Any{accept()})
	f.rule("arrive", linkIs(expr.MetaKeyOIFNAME, f.uplink), f.mapped(12, f.private), []expr.Any{accept()})
	f.rule("arrive", f.linkIn(expr.MetaKeyOIFNAME, f.inlinks))
	f.rule("arrive", f.decided(16, f.inbound))
	f.rule("arrive", []expr.Any{drop()})
}

func groupIn(id string) string  { return "group-in-" + id }
func groupOut(id string) string { return "group-out-" + id }
func nicIn(id string) string    { return "nic-in-" + id }
func nicOut(id string) string   { return "nic-out-" + id }

// need queues what a group needs to be named by others: its chains and its set
// of members. A group without rules allows nothing.
func (f *filter) need(group string) error {
	if f.groups[group] {
		return nil
	}
	set := f.newSet("members-"+group, nftables.TypeIPAddr)
	if err := f.conn.AddSet(set, nil); err != nil {
		return err
	}
	f.conn.AddChain(&nftables.Chain{Table: f.table, Name: groupIn(group)})
	f.conn.AddChain(&nftables.Chain{Table: f.table, Name: groupOut(group)})
	f.members[group], f.groups[group] = set, true
	return nil
}

// setGroup queues the rules of g in place of those it had.
func (f *filter) setGroup(g Group) error {
	if err := f.need(g.ID); err != nil {
		return err
	}
	for _, half := range []struct {
		side  side
		chain string
		rules []Rule
		then  *expr.Verdict
	}{
		{ingress, groupIn(g.ID), g.Ingress, accept()},
		{egress, groupOut(g.ID), g.Egress, verdict(expr.VerdictGoto, "arrive")},
	} {
		f.conn.FlushChain(&nftables.Chain{Table: f.table, Name: half.chain})
		for _, r := range half.rules {
			if r.Group != "" {
				if err := f.need(r.Group); err != nil {
					return err
				}
			}
			match, ok, err := r.expressions(half.side, func(id string) *nftables.Set { return f.members[id] })
			if err != nil {
				return fmt.Errorf("security group %s: %w", g.ID, err)
			}
			if ok {
				f.rule(half.chain, match, []expr.Any{half.then})
			}
		}
	}
	return nil
}

// dropGroup queues the removal of a group that nobody is a member of and no
// rule names.
func (f *filter) dropGroup(id string) {
	if !f.groups[id] {
		return
	}
	for _, name := range []string{groupIn(id), groupOut(id)} {
		chain := &nftables.Chain{Table: f.table, Name: name}
		f.conn.FlushChain(chain)
		f.conn.DelChain(chain)
	}
	f.conn.DelSet(f.members[id])
	delete(f.groups, id)
	delete(f.members, id)
}

// addNIC queues an interface with its groups and addresses.
func (f *filter) addNIC(nic NIC, link string) error {
	f.conn.AddChain(&nftables.Chain{Table: f.table, Name: nicIn(nic.ID)})
	f.conn.AddChain(&nftables.Chain{Table: f.table, Name: nicOut(nic.ID)})
	if err := f.joinGroups(nic, nic.SecurityGroups); err != nil {
		return err
	}
	address := nic.Private.AsSlice()
	for _, add := range []struct {
		set *nftables.Set
		el  nftables.SetElement
	}{
		{f.nics, nftables.SetElement{Key: append(linkName(link), address...)}},
		{f.inbound, nftables.SetElement{Key: address, VerdictData: verdict(expr.VerdictGoto, nicIn(nic.ID))}},
		{f.outbound, nftables.SetElement{Key: address, VerdictData: verdict(expr.VerdictGoto, nicOut(nic.ID))}},
	} {
		if err := f.conn.SetAddElements(add.set, []nftables.SetElement{add.el}); err != nil {
			return err
		}
	}
	if err := f.forwarder(nic, link, true); err != nil {
		return err
	}
	return f.addPublic(nic.Private, nic.Public)
}

// dropNIC queues the removal of what addNIC made.
func (f *filter) dropNIC(nic NIC, link string) error {
	if err := errors.Join(f.dropPublic(nic.Private, nic.Public), f.forwarder(nic, link, false)); err != nil {
		return err
	}
	address := nic.Private.AsSlice()
	for set, key := range map[*nftables.Set][]byte{
		f.nics: append(linkName(link), address...), f.inbound: address, f.outbound: address,
	} {
		if err := f.conn.SetDeleteElements(set, []nftables.SetElement{{Key: key}}); err != nil {
			return err
		}
	}
	if err := f.leaveGroups(nic, nic.SecurityGroups); err != nil {
		return err
	}
	for _, name := range []string{nicIn(nic.ID), nicOut(nic.ID)} {
		chain := &nftables.Chain{Table: f.table, Name: name}
		f.conn.FlushChain(chain)
		f.conn.DelChain(chain)
	}
	return nil
}

// joinGroups queues jumps from the interface's chains to its groups and its
// address into their member sets.
func (f *filter) joinGroups(nic NIC, groups []string) error {
	if nic.Open && len(groups) == 0 {
		f.rule(nicIn(nic.ID), []expr.Any{accept()})
		f.rule(nicOut(nic.ID), []expr.Any{accept()})
	}
	for _, g := range groups {
		if err := f.need(g); err != nil {
			return err
		}
		f.rule(nicIn(nic.ID), []expr.Any{verdict(expr.VerdictJump, groupIn(g))})
		f.rule(nicOut(nic.ID), []expr.Any{verdict(expr.VerdictJump, groupOut(g))})
		if err := f.conn.SetAddElements(f.members[g], []nftables.SetElement{{Key: nic.Private.AsSlice()}}); err != nil {
			return err
		}
	}
	return nil
}

func (f *filter) leaveGroups(nic NIC, groups []string) error {
	f.conn.FlushChain(&nftables.Chain{Table: f.table, Name: nicIn(nic.ID)})
	f.conn.FlushChain(&nftables.Chain{Table: f.table, Name: nicOut(nic.ID)})
	for _, g := range groups {
		if err := f.conn.SetDeleteElements(f.members[g], []nftables.SetElement{{Key: nic.Private.AsSlice()}}); err != nil {
			return err
		}
	}
	return nil
}

func (f *filter) addPublic(private, public netip.Addr) error {
	if !public.IsValid() {
		return nil
	}
	if err := f.conn.SetAddElements(f.public, []nftables.SetElement{{Key: public.AsSlice(), Val: private.AsSlice()}}); err != nil {
		return err
	}
	return f.conn.SetAddElements(f.private, []nftables.SetElement{{Key: private.AsSlice(), Val: public.AsSlice()}})
}

func (f *filter) dropPublic(private, public netip.Addr) error {
	if !public.IsValid() {
		return nil
	}
	if err := f.conn.SetDeleteElements(f.public, []nftables.SetElement{{Key: public.AsSlice(), Val: private.AsSlice()}}); err != nil {
		return err
	}
	return f.conn.SetDeleteElements(f.private, []nftables.SetElement{{Key: private.AsSlice(), Val: public.AsSlice()}})
}
