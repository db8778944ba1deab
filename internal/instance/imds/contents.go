package imds

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// versions are the names under which AWS's service has the tree. It looks the
// same under all of them here.
var versions = []string{
	"1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
	"2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19",
	"2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03",
	"2021-03-23", "2021-07-15", "2022-09-24", "latest",
}

// root is everything that an instance can ask for.
func (h *Handler) root(m Metadata) *node {
	tree := dir("",
		plain(dir("dynamic", dir("fws", leaf("instance-monitoring", "disabled")), h.identity(m))),
		plain(h.metaData(m)),
		leaf("user-data", string(m.UserData)))
	root := &node{}
	for _, v := range versions {
		root.children = append(root.children, plain(&node{name: v, children: tree.children}))
	}
	return root
}

// plain lists a directory without a slash, as AWS does at the top.
func plain(n *node) *node {
	n.shown = n.name
	return n
}

func (h *Handler) metaData(m Metadata) *node {
	return dir("meta-data",
		leaf("ami-id", m.ImageID),
		leaf("ami-launch-index", strconv.Itoa(m.LaunchIndex)),
		leaf("ami-manifest-path", "(unknown)"),
		dir("block-device-mapping", leaf("ami", m.RootDevice), leaf("root", m.RootDevice)),
		dir("events", dir("maintenance", leaf("history", "[]"), leaf("scheduled", "[]"))),
		dir("hibernation", leaf("configured", "false")),
		leaf("hostname", m.PrivateHost),
		h.iam(m),
		leaf("instance-action", "none"),
		leaf("instance-id", m.InstanceID),
		leaf("instance-life-cycle", or(m.LifeCycle, "on-demand")),
		leaf("instance-type", m.InstanceType),
		leaf("local-hostname", m.PrivateHost),
		leaf("local-ipv4", address(m.PrivateIP)),
		leaf("mac", m.MAC),
		dir("network", dir("interfaces", networkInterfaces(m))),
		dir("placement",
			leaf("availability-zone", m.Zone),
			leaf("availability-zone-id", m.ZoneID),
			leaf("region", m.Region)),
		leaf("profile", "default-hvm"),
		leaf("public-hostname", m.PublicHost),
		leaf("public-ipv4", address(m.PublicIP)),
		publicKeys(m),
		leaf("reservation-id", m.ReservationID),
		leaf("security-groups", groups(m.SecurityGroups, func(g SecurityGroup) string { return g.Name })),
		dir("services", leaf("domain", m.Domain), leaf("partition", m.Partition)),
		tags(m))
}

func networkInterfaces(m Metadata) *node {
	all := []*node{networkInterface(m.Account, m.primary())}
	for _, i := range m.Others {
		all = append(all, networkInterface(m.Account, i))
	}
	return dir("macs", all...)
}

func networkInterface(account string, i Interface) *node {
	var association *node
	if i.PublicIP.IsValid() {
		association = dir("ipv4-associations", leaf(i.PublicIP.String(), address(i.PrivateIP)))
	}
	return dir(i.MAC,
		leaf("device-number", strconv.Itoa(i.Device)),
		leaf("interface-id", i.InterfaceID),
		association,
		leaf("local-hostname", i.PrivateHost),
		leaf("local-ipv4s", address(i.PrivateIP)),
		leaf("mac", i.MAC),
		leaf("owner-id", account),
		leaf("public-hostname", i.PublicHost),
		leaf("public-ipv4s", address(i.PublicIP)),
		leaf("security-group-ids", groups(i.SecurityGroups, func(g SecurityGroup) string { return g.ID })),
		leaf("security-groups", groups(i.SecurityGroups, func(g SecurityGroup) string { return g.Name })),
		leaf("subnet-id", i.SubnetID),
		leaf("subnet-ipv4-cidr-block", prefix(i.SubnetCIDR)),
		leaf("vpc-id", i.VPCID),
		leaf("vpc-ipv4-cidr-block", prefix(i.VPCCIDR)),
		leaf("vpc-ipv4-cidr-blocks", prefixes(i.VPCCIDRs)))
}

func prefixes(list []netip.Prefix) string {
	words := make([]string, 0, len(list))
	for _, p := range list {
		words = append(words, prefix(p))
	}
	return strings.Join(words, "\n")
}

func publicKeys(m Metadata) *node {
	if m.PublicKey == "" {
		return nil
	}
	// The value ends in a newline on AWS; scripts append it to a file.
	key := dir("0", leaf("openssh-key", strings.TrimRight(m.PublicKey, "\n")+"\n"))
	key.shown = "0=" + m.KeyName
	return dir("public-keys", key)
}

func tags(m Metadata) *node {
	if m.Options.Tags != "enabled" {
		return nil
	}
	var all []*node
	for key, value := range m.Tags {
		all = append(all, lazy(key, func(context.Context) (string, error) { return value, nil }))
	}
	return dir("tags", dir("instance", all...))
}

// iam is there for instances that have a profile.
func (h *Handler) iam(m Metadata) *node {
	if m.ProfileARN == "" {
		return nil
	}
	info := lazy("info", func(context.Context) (string, error) {
		return document(
			field{"Code", "Success"},
			field{"LastUpdated", timestamp(h.roles.updated(m))},
			field{"InstanceProfileArn", m.ProfileARN},
			field{"InstanceProfileId", m.ProfileID})
	})
	if m.RoleName == "" {
		return dir("iam", info)
	}
	role := lazy(m.RoleName, func(ctx context.Context) (string, error) { return h.roles.document(ctx, m) })
	return dir("iam", info, dir("security-credentials", role))
}

func groups(of []SecurityGroup, word func(SecurityGroup) string) string {
	words := make([]string, 0, len(of))
	for _, g := range of {
		words = append(words, word(g))
	}
	return strings.Join(words, "\n")
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func prefix(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// timestamp is AWS's form in these documents: UTC, whole seconds.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// field is one member of a document; its value is anything that JSON knows.
type field struct {
	name  string
	value any
}

// document writes a JSON object the way AWS's service does, in order and with
// blanks around colons. Identity documents are signed as text, so the layout is
// part of them.
func document(fields ...field) (string, error) {
	var b strings.Builder
	b.WriteString("{\n")
	for i, f := range fields {
		value, err := json.Marshal(f.value)
		if err != nil {
			return "", fmt.Errorf("write %s: %w", f.name, err)
		}
		fmt.Fprintf(&b, "  %q : %s", f.name, value)
		if i < len(fields)-1 {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	b.WriteString("}")
	return b.String(), nil
}
