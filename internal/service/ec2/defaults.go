package ec2

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
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

// ensureDefaultVPC returns the default VPC of the caller's account and region and
// makes it, with its default security group, when this is its first use.
func ensureDefaultVPC(tx *store.Tx, c aws.Call) (*vpc, error) {
	rows, err := vpcs.Lookup(tx, "default", scoped(store.Key{Account: c.Account, Region: c.Region}, "default"))
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 {
		return rows[0].Value, nil
	}
	v := newDefaultVPC(c.Region)
	if err := vpcs.Insert(tx, key(c, v.ID), v); err != nil {
		return nil, fmt.Errorf("default VPC: %w", err)
	}
	g := &securityGroup{
		ID: v.DefaultGroup, Name: "default", Description: "default VPC security group", VPC: v.ID,
		Rules: []groupRule{
			{ID: ids.Resource("sgr"), Protocol: "-1", From: -1, To: -1, Group: v.DefaultGroup},
			allEgress(),
		},
	}
	if err := securityGroups.Insert(tx, key(c, g.ID), g); err != nil {
		return nil, fmt.Errorf("default security group: %w", err)
	}
	return v, nil
}

func newDefaultVPC(region string) *vpc {
	v := &vpc{
		ID: ids.Resource("vpc"), CIDR: defaultVPCCIDR, Default: true,
		InternetGateway: ids.Resource("igw"), MainRouteTable: ids.Resource("rtb"),
		NACL: ids.Resource("acl"), DHCP: ids.Resource("dopt"),
		DefaultGroup: ids.Resource("sg"), MainAssociation: ids.Resource("rtbassoc"),
	}
	base := v.CIDR.Addr().As4()
	for i, z := range zones(region) {
		a := base
		a[2] = byte(i << 4)
		v.Subnets = append(v.Subnets, subnet{
			ID: ids.Resource("subnet"), Zone: z.Name, ZoneID: z.ID,
			CIDR: netip.PrefixFrom(netip.AddrFrom4(a), 20), NACLAssociation: ids.Resource("aclassoc"),
		})
	}
	return v
}

func allEgress() groupRule {
	return groupRule{ID: ids.Resource("sgr"), Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: "0.0.0.0/0"}
}

func (v *vpc) subnet(id string) *subnet {
	for i := range v.Subnets {
		if v.Subnets[i].ID == id {
			return &v.Subnets[i]
		}
	}
	return nil
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
