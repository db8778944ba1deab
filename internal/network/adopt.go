package network

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
)

// VPCState is everything about one VPC.
type VPCState struct {
	VPC
	Groups []Group
	NICs   []NIC // of instances that were alive when last heard of
}

// Adopt takes over what an earlier process of this prefix left in the kernel. It
// comes before all other calls. Every VPC's rules are replaced in one
// transaction, so that connections go on; what no state names is removed. It
// returns the interfaces whose link is gone, because their instance is: these
// are not attached now.
func (n *Network) Adopt(ctx context.Context, states []VPCState) (missing []string, err error) {
	var errs []error
	keepVPC, keepLink := map[string]bool{}, map[string]bool{}
	for _, s := range states {
		keepVPC[s.ID] = true
		gone, uplink, err := n.adoptVPC(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("adopt VPC %s: %w", s.ID, err))
		}
		missing = append(missing, gone...)
		keepLink[uplink] = true
	}
	pins, err := n.pins()
	errs = append(errs, err)
	for id := range pins {
		if !keepVPC[id] {
			errs = append(errs, n.dissolve(id))
		}
	}
	errs = append(errs, n.sweepLinks(keepLink))
	return missing, errors.Join(errs...)
}

// adoptVPC returns the interfaces that are gone and the name of the uplink.
func (n *Network) adoptVPC(s VPCState) (gone []string, uplink string, err error) {
	v := n.lock(s.ID)
	defer v.mu.Unlock()
	if v.ns == nil {
		if err := v.openNamespace(); err != nil {
			return nil, "", err
		}
	}
	if gone, err = v.adoptMirror(s); err != nil {
		return gone, "", err
	}
	v.exits, v.acls = normalExits(s.Exits), s.ACLs
	v.nameless.Store(s.Nameless)
	if err := v.rebuild(); err != nil {
		return gone, "", err
	}
	if err := errors.Join(v.addCIDR(s.CIDR), v.setMore(s.More)); err != nil {
		return gone, "", err
	}
	for _, nic := range v.nics {
		if err := v.addRouter(nic.Router()); err != nil {
			return gone, "", err
		}
		if nic.Forwards { // perhaps since the network was told last
			if err := v.loosen(nic); err != nil {
				return gone, "", err
			}
		}
	}
	if err := v.setDetours(); err != nil {
		return gone, "", err
	}
	if !s.Gateway {
		return gone, "", v.detachGateway()
	}
	if err := v.attachGateway(); err != nil {
		return gone, "", err
	}
	return gone, v.uplink.Attrs().Name, v.dropStaleRoutes()
}

// adoptMirror fills the mirror with what the state says and still has a link,
// and deletes the links that nobody named.
func (v *vpc) adoptMirror(s VPCState) (gone []string, err error) {
	links, err := listLinks(v.route)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	there := map[string]netlink.Link{}
	for _, l := range links {
		there[l.Attrs().Name] = l
	}
	v.nics, v.groups = map[string]NIC{}, map[string]Group{}
	for _, g := range s.Groups {
		v.groups[g.ID] = g
	}
	for _, nic := range s.NICs {
		if err := nic.validate(); err != nil {
			return gone, err
		}
		name := v.linkName(nic)
		if there[name] == nil {
			gone = append(gone, nic.ID)
			continue
		}
		delete(there, name)
		v.nics[nic.ID] = nic.normal()
	}
	v.net.mu.Lock()
	for id := range v.nics {
		v.net.nics[id] = v
	}
	v.net.mu.Unlock()
	var errs []error
	for name, l := range there {
		if strings.HasPrefix(name, v.net.cfg.Prefix) && name != v.net.uplinkPeer() {
			errs = append(errs, deleteLink(v.route, l))
		}
	}
	return gone, errors.Join(errs...)
}

// dropStaleRoutes removes routes by the uplink to public addresses that no
// interface has any more.
func (v *vpc) dropStaleRoutes() error {
	routes, err := listRoutes(v.net.host)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	var errs []error
	for _, r := range routes {
		dst := prefixOf(r.Dst)
		if r.LinkIndex == v.uplink.Attrs().Index && dst.IsSingleIP() && !v.hasPublic(dst.Addr()) {
			errs = append(errs, v.unroutePublic(dst.Addr()))
		}
	}
	return errors.Join(errs...)
}
