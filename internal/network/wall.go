package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hostTable is what stands between instances and the host: an nftables table
// in the host's namespace, and forwarding on the links by which the host
// reaches the internet.
//
//	input        from an uplink: answers only (everything with EgressLAN)
//	forward      to an uplink: answers, and traffic between uplinks (public to public)
//	             from an uplink: answers, the internet if Egress is on, but no private network
//	             elsewhere: see guarded
//	postrouting  masquerade what leaves with a public address of ours
//
// Turning on forwarding for the internet link alone would make the host a
// router for its neighbours. The set guarded holds the links for which we
// turned it on: new connections that come in there and are not for instances
// (or translated by somebody else) are dropped, as they were before.
type hostTable struct {
	cfg   Config
	host  *netlink.Handle
	watch *routeWatch

	mu      sync.Mutex
	conn    *nftables.Conn
	table   *nftables.Table
	guarded *nftables.Set
}

// notInternet are the ranges that instances cannot reach through NAT: private
// networks, the host's link-local neighbours and what is no unicast address.
var notInternet = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"),
}

// rejectProhibited is the code of an ICMP error that says a firewall refused
// the packet, so that programs fail at once and not by a time-out.
const rejectProhibited = 13

func openHostTable(host *netlink.Handle, cfg Config) (*hostTable, error) {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	h := &hostTable{cfg: cfg, host: host, conn: conn,
		table: &nftables.Table{Name: cfg.Prefix, Family: nftables.TableFamilyIPv4}}
	h.guarded = &nftables.Set{Table: h.table, Name: "guarded", ID: 1, KeyType: nftables.TypeIFName}
	if err := h.build(); err != nil {
		return nil, errors.Join(err, conn.CloseLasting())
	}
	if h.watch, err = h.watchRoutes(); err != nil {
		return nil, errors.Join(err, conn.CloseLasting())
	}
	return h, nil
}

func (h *hostTable) close() error {
	h.watch.close()
	return h.conn.CloseLasting()
}

// build replaces the table in one transaction. Which links are guarded is only
// known to the kernel, from earlier runs, and is carried over.
func (h *hostTable) build() error {
	guarded, err := h.guardedLinks()
	if err != nil {
		return err
	}
	h.conn.AddTable(h.table)
	h.conn.DelTable(h.table)
	h.conn.AddTable(h.table)
	if err := h.conn.AddSet(h.guarded, guarded); err != nil {
		return err
	}
	h.chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	h.chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	h.chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	h.addInput()
	h.addForward()
	if h.cfg.Egress == "on" {
		h.rule("postrouting", linkBegins(expr.MetaKeyOIFNAME, h.uplinks(), false), addressIn(12, h.cfg.PublicCIDR), []expr.Any{&expr.Masq{}})
	}
	if err := h.conn.Flush(); err != nil {
		return fmt.Errorf("create table %s: %w", h.table.Name, err)
	}
	return nil
}

func (h *hostTable) guardedLinks() ([]nftables.SetElement, error) {
	tables, err := h.conn.ListTablesOfFamily(h.table.Family)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == h.table.Name }) {
		return nil, nil
	}
	elements, err := h.conn.GetSetElements(h.guarded)
	if err != nil {
		return nil, fmt.Errorf("read guarded links: %w", err)
	}
	return elements, nil
}

// uplinks is what the names of this server's uplinks begin with.
func (h *hostTable) uplinks() string { return h.cfg.Prefix + "u" }

func (h *hostTable) chain(name string, kind nftables.ChainType, hook *nftables.ChainHook, at *nftables.ChainPriority) {
	policy := nftables.ChainPolicyAccept
	h.conn.AddChain(&nftables.Chain{Table: h.table, Name: name, Type: kind, Hooknum: hook, Priority: at, Policy: &policy})
}

func (h *hostTable) rule(chain string, parts ...[]expr.Any) {
	h.conn.AddRule(&nftables.Rule{Table: h.table, Chain: &nftables.Chain{Table: h.table, Name: chain}, Exprs: join(parts...)})
}

func (h *hostTable) addInput() {
	fromInstances := linkBegins(expr.MetaKeyIIFNAME, h.uplinks(), true)
	h.rule("input", fromInstances, established(), []expr.Any{accept()})
	if !h.cfg.EgressLAN {
		h.rule("input", fromInstances, reject())
	}
}

func (h *hostTable) addForward() {
	toInstances := linkBegins(expr.MetaKeyOIFNAME, h.uplinks(), true)
	fromInstances := linkBegins(expr.MetaKeyIIFNAME, h.uplinks(), true)
	h.rule("forward", toInstances, established(), []expr.Any{accept()})
	h.rule("forward", toInstances, fromInstances, []expr.Any{accept()})
	h.rule("forward", toInstances, []expr.Any{drop()})

	h.rule("forward", fromInstances, established(), []expr.Any{accept()})
	if h.cfg.Egress == "on" && !h.cfg.EgressLAN {
		for _, p := range notInternet {
			h.rule("forward", fromInstances, addressIn(16, p), reject())
		}
	}
	if h.cfg.Egress == "on" {
		// A public address that no instance of ours has is not the internet.
		h.rule("forward", fromInstances, addressIn(16, h.cfg.PublicCIDR), []expr.Any{drop()})
		h.rule("forward", fromInstances, []expr.Any{accept()})
	} else {
		h.rule("forward", fromInstances, reject())
	}

	h.rule("forward",
		[]expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
			&expr.Lookup{SourceRegister: 1, SetName: h.guarded.Name, SetID: h.guarded.ID}},
		// Another server's instances have names like ours.
		linkBegins(expr.MetaKeyOIFNAME, "hs", false),
		tracked(expr.CtKeySTATE, expr.CtStateBitNEW, true),
		tracked(expr.CtKeySTATUS, statusTranslated, false),
		[]expr.Any{drop()})
}

func reject() []expr.Any {
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: rejectProhibited}}
}

// openWay lets instances' traffic through the rest of the host: forwarding on
// the links of default routes, and rules in foreign chains that drop what they
// do not know. It is called whenever a VPC gets a gateway and when the default
// route changes. Without a VPC that has a gateway the host is left as it is.
func (h *hostTable) openWay() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if needed, err := h.hasUplinks(); err != nil || !needed {
		return err
	}
	if h.cfg.Egress == "on" {
		if err := h.forwardInternet(); err != nil {
			return err
		}
	}
	return h.passForeign()
}

func (h *hostTable) hasUplinks() (bool, error) {
	links, err := listLinks(h.host)
	if err != nil {
		return false, fmt.Errorf("list links: %w", err)
	}
	return slices.ContainsFunc(links, func(l netlink.Link) bool { return isUplinkOf(h.cfg.Prefix, l.Attrs().Name) }), nil
}

func forwardingOf(link string) string { return "/proc/sys/net/ipv4/conf/" + link + "/forwarding" }

// forwardInternet turns on forwarding for each link with a default route, and
// guards those for which it was off.
func (h *hostTable) forwardInternet() error {
	routes, err := listRoutes(h.host)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		if prefixOf(r.Dst).Bits() != 0 || r.LinkIndex == 0 {
			continue
		}
		link, err := h.host.LinkByIndex(r.LinkIndex)
		if err != nil {
			return fmt.Errorf("find link of default route: %w", err)
		}
		name := link.Attrs().Name
		on, err := os.ReadFile(forwardingOf(name))
		if err != nil {
			return fmt.Errorf("read forwarding of %s: %w", name, err)
		}
		if strings.TrimSpace(string(on)) != "0" {
			continue
		}
		if err := h.conn.SetAddElements(h.guarded, []nftables.SetElement{{Key: linkName(name)}}); err != nil {
			return err
		}
		if err := h.conn.Flush(); err != nil {
			return fmt.Errorf("guard link %s: %w", name, err)
		}
		if err := sysctl("ipv4/conf/"+name+"/forwarding", "1"); err != nil {
			return err
		}
		h.cfg.Log.Info("forwarding turned on for instances; new connections of others stay refused", "link", name)
	}
	return nil
}

// passForeign puts rules that accept our uplinks' traffic at the head of every
// foreign forward chain whose policy is to drop, such as the one of Docker or
// ufw. An accept in our own chain would not spare a packet from theirs.
func (h *hostTable) passForeign() error {
	chains, err := foreignChains(h.conn)
	if err != nil {
		return err
	}
	for _, c := range chains {
		if !dropsByPolicy(c) {
			continue
		}
		ours, err := h.ourRules(c)
		if err != nil {
			return err
		}
		if len(ours) > 0 {
			continue
		}
		for _, key := range []expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME} {
			h.conn.InsertRule(&nftables.Rule{Table: c.Table, Chain: c, UserData: h.label(),
				Exprs: join(linkBegins(key, h.uplinks(), true), []expr.Any{&expr.Counter{}, accept()})})
		}
		if err := h.conn.Flush(); err != nil {
			return fmt.Errorf("accept instances in chain %s %s: %w", c.Table.Name, c.Name, err)
		}
		h.cfg.Log.Info("accept rules for instances added to a chain that drops", "table", c.Table.Name, "chain", c.Name)
	}
	return nil
}

// label marks our rules in foreign chains, as a comment that nft shows.
func (h *hostTable) label() []byte {
	return userdata.AppendString(nil, userdata.TypeComment, "hardstand "+h.cfg.Prefix)
}

func (h *hostTable) ourRules(c *nftables.Chain) ([]*nftables.Rule, error) {
	rules, err := h.conn.GetRules(c.Table, c)
	if err != nil {
		return nil, fmt.Errorf("read chain %s %s: %w", c.Table.Name, c.Name, err)
	}
	return slices.DeleteFunc(rules, func(r *nftables.Rule) bool { return !slices.Equal(r.UserData, h.label()) }), nil
}

// foreignChains lists the filter chains at the forward hook that are no
// server's own.
func foreignChains(conn *nftables.Conn) ([]*nftables.Chain, error) {
	chains, err := conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	return slices.DeleteFunc(chains, func(c *nftables.Chain) bool {
		family := c.Table.Family
		return c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookForward || c.Type != nftables.ChainTypeFilter ||
			prefixForm.MatchString(c.Table.Name) ||
			(family != nftables.TableFamilyIPv4 && family != nftables.TableFamilyINet)
	}), nil
}

func dropsByPolicy(c *nftables.Chain) bool {
	return c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
}

// remove takes back everything that this table's owner did to the host.
// Forwarding stays on where another server may rely on it.
func (h *hostTable) remove() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	chains, err := foreignChains(h.conn)
	errs = append(errs, err)
	for _, c := range chains {
		ours, err := h.ourRules(c)
		errs = append(errs, err)
		for _, r := range ours {
			errs = append(errs, h.conn.DelRule(r))
		}
	}
	errs = append(errs, h.restoreForwarding())
	h.conn.AddTable(h.table) // which makes removing it a second time no error
	h.conn.DelTable(h.table)
	return errors.Join(append(errs, h.conn.Flush())...)
}

func (h *hostTable) restoreForwarding() error {
	tables, err := h.conn.ListTablesOfFamily(h.table.Family)
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	if slices.ContainsFunc(tables, func(t *nftables.Table) bool { return prefixForm.MatchString(t.Name) && t.Name != h.table.Name }) {
		return nil
	}
	if all, err := os.ReadFile(forwardingOf("all")); err != nil || strings.TrimSpace(string(all)) != "0" {
		return err // somebody turned it on for every link since
	}
	guarded, err := h.guardedLinks()
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range guarded {
		name := strings.TrimRight(string(g.Key), "\x00")
		if err := sysctl("ipv4/conf/"+name+"/forwarding", "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
