package ec2

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// The default VPC, as AWS makes it in every region: 172.31.0.0/16 with a /20 per
// zone, an internet gateway and a main route table that leads to it.
var (
	defaultVPCCIDR     = netip.MustParsePrefix("172.31.0.0/16")
	defaultZoneLetters = map[string]string{"us-east-1": "abcdef", "us-west-2": "abcd", "us-west-1": "ac", "ca-central-1": "abd", "ap-northeast-1": "acd"}
)

// zone is an availability zone of a region.
type zone struct{ Name, ID string }

// zones returns the availability zones of region, in order.
func zones(region string) []zone {
	letters := defaultZoneLetters[region]
	if letters == "" {
		letters = "abc"
	}
	out := make([]zone, 0, len(letters))
	for i, l := range letters {
		out = append(out, zone{region + string(l), fmt.Sprintf("%s-az%d", shortRegion(region), i+1)})
	}
	return out
}

// shortRegion gives the prefix of a region's zone ids: use1 for us-east-1.
func shortRegion(region string) string {
	p := strings.Split(region, "-")
	out := p[0]
	for _, s := range p[1 : len(p)-1] {
		switch s {
		case "northeast", "northwest", "southeast", "southwest":
			out += s[:1] + s[5:6]
		default:
			out += s[:1]
		}
	}
	return out + p[len(p)-1]
}

// everywhere is the destination of a default route.
var everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// ensureDefaultVPC returns the default VPC of the caller's account and region and
// makes it when this is its first use.
func ensureDefaultVPC(tx *store.Tx, c aws.Call) (*vpc, error) {
	v, err := findDefaultVPC(tx, c)
	if err != nil || v != nil {
		return v, err
	}
	_, err = defaultsGone.Get(tx, key(c, "default"))
	if err == nil {
		return nil, noDefaultVPC()
	}
	if !isNotFound(err) {
		return nil, err
	}
	return makeDefaultVPC(tx, c)
}

func noDefaultVPC() error {
	return awserr.New("VPCIdNotSpecified", "No default VPC for this user")
}

// findDefaultVPC returns nil when there is none.
func findDefaultVPC(tx *store.Tx, c aws.Call) (*vpc, error) {
	rows, err := vpcs.Lookup(tx, "default", scoped(key(c, ""), "default"))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].Value, nil
}

func makeDefaultVPC(tx *store.Tx, c aws.Call) (*vpc, error) {
	v := newVPC(defaultVPCCIDR)
	v.Default, v.HostNames = true, true
	v.InternetGateway = ids.Resource("igw")
	v.RouteTables[0].Routes = []route{{Destination: everywhere, Gateway: v.InternetGateway}}
	for i, z := range zones(c.Region) {
		v.Subnets = append(v.Subnets, newDefaultSubnet(z, i))
	}
	if err := gateways.Insert(tx, key(c, v.InternetGateway), &gateway{ID: v.InternetGateway}); err != nil {
		return nil, fmt.Errorf("default internet gateway: %w", err)
	}
	return v, insertVPC(tx, c, v)
}

// newVPC is a VPC with the parts that each one has from the start.
func newVPC(cidr netip.Prefix) *vpc {
	v := &vpc{
		ID: ids.Resource("vpc"), CIDR: cidr, MainRouteTable: ids.Resource("rtb"), NACL: ids.Resource("acl"),
		DefaultGroup: ids.Resource("sg"), MainAssociation: ids.Resource("rtbassoc"),
	}
	v.RouteTables = []routeTable{{ID: v.MainRouteTable}}
	return v
}

// newDefaultSubnet is the default subnet of the zone number i of the region.
func newDefaultSubnet(z zone, i int) subnet {
	a := defaultVPCCIDR.Addr().As4()
	a[2] = byte(i << 4)
	return subnet{
		ID: ids.Resource("subnet"), Zone: z.Name, ZoneID: z.ID, CIDR: netip.PrefixFrom(netip.AddrFrom4(a), 20),
		NACLAssociation: ids.Resource("aclassoc"), Default: true, MapPublic: true,
	}
}

// insertVPC stores a new VPC with its default security group. All VPCs of a
// region have the same DHCP options.
func insertVPC(tx *store.Tx, c aws.Call, v *vpc) error {
	others, err := vpcs.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 1)
	if err != nil {
		return err
	}
	v.DHCP = ids.Resource("dopt")
	if len(others) > 0 {
		v.DHCP = others[0].Value.DHCP
	}
	if err := vpcs.Insert(tx, key(c, v.ID), v); err != nil {
		return fmt.Errorf("VPC: %w", err)
	}
	g := &securityGroup{
		ID: v.DefaultGroup, Name: "default", Description: "default VPC security group", VPC: v.ID,
		Rules: []groupRule{
			{ID: ids.Resource("sgr"), Protocol: "-1", From: -1, To: -1, Group: v.DefaultGroup},
			allEgress(),
		},
	}
	if err := securityGroups.Insert(tx, key(c, g.ID), g); err != nil {
		return fmt.Errorf("default security group: %w", err)
	}
	return nil
}

func allEgress() groupRule {
	return groupRule{ID: ids.Resource("sgr"), Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: "0.0.0.0/0"}
}

// publicDNS is the name AWS gives a public address.
func publicDNS(region string, a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	dashed := strings.ReplaceAll(a.String(), ".", "-")
	if region == "us-east-1" {
		return "ec2-" + dashed + ".compute-1.amazonaws.com"
	}
	return "ec2-" + dashed + "." + region + ".compute.amazonaws.com"
}

// privateDNS is the name AWS gives a private address.
func privateDNS(region string, a netip.Addr) string {
	dashed := strings.ReplaceAll(a.String(), ".", "-")
	if region == "us-east-1" {
		return "ip-" + dashed + ".ec2.internal"
	}
	return "ip-" + dashed + "." + region + ".compute.internal"
}
