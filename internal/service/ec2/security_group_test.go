package ec2

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/network"
)

func tcp(from, to int32, cidr string) api.IpPermission {
	return api.IpPermission{IpProtocol: aws.Ptr("tcp"), FromPort: &from, ToPort: &to, IpRanges: []api.IpRange{{CidrIp: &cidr}}}
}

func (w *world) allow(group string, p ...api.IpPermission) []api.SecurityGroupRule {
	w.t.Helper()
	return do[api.AuthorizeSecurityGroupIngressOutput](w, "AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: p}).SecurityGroupRules
}

func (w *world) described(group string) api.SecurityGroup {
	w.t.Helper()
	return do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{GroupIds: []string{group}}).SecurityGroups[0]
}

// words renders what the network was told about a group, one rule a line.
func words(rules []network.Rule) []string {
	var out []string
	for _, r := range rules {
		peer := r.Group
		if r.CIDR.IsValid() {
			peer = r.CIDR.String()
		}
		out = append(out, r.Protocol+" "+itoa(int32(r.From))+"-"+itoa(int32(r.To))+" "+peer)
	}
	return out
}

func TestNewGroup(t *testing.T) {
	w := newWorld(t)
	g := w.described(w.group("web"))
	if len(g.IpPermissions) != 0 || len(g.IpPermissionsEgress) != 1 || *g.IpPermissionsEgress[0].IpProtocol != "-1" || g.IpPermissionsEgress[0].FromPort != nil || *g.IpPermissionsEgress[0].IpRanges[0].CidrIp != "0.0.0.0/0" {
		t.Errorf("a new group has %+v", g)
	}
	byName := do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{GroupNames: []string{"default"}}).SecurityGroups
	d := byName[0]
	if *d.Description != "default VPC security group" || *d.IpPermissions[0].UserIdGroupPairs[0].GroupId != *d.GroupId {
		t.Errorf("the default group is %+v", d)
	}
}

// TestRules adds rules of each kind, sees them described and enforced, and takes
// them away in both ways.
func TestRules(t *testing.T) {
	w := newWorld(t)
	web, db := w.group("web"), w.group("db")
	added := w.allow(web,
		tcp(80, 80, "0.0.0.0/0"), tcp(80, 80, "10.1.2.3/8"),
		api.IpPermission{IpProtocol: aws.Ptr("17"), FromPort: aws.Ptr[int32](53), ToPort: aws.Ptr[int32](54), UserIdGroupPairs: []api.UserIdGroupPair{{GroupId: &db, Description: aws.Ptr("dns")}}},
		api.IpPermission{IpProtocol: aws.Ptr("icmp"), FromPort: aws.Ptr[int32](8), ToPort: aws.Ptr[int32](-1), IpRanges: []api.IpRange{{CidrIp: aws.Ptr("0.0.0.0/0")}}},
		api.IpPermission{IpProtocol: aws.Ptr("-1"), Ipv6Ranges: []api.Ipv6Range{{CidrIpv6: aws.Ptr("2001:db8::1/32")}}},
	)
	g, _ := w.net.group(web)
	want := []string{"tcp 80-80 0.0.0.0/0", "tcp 80-80 10.0.0.0/8", "udp 53-54 " + db, "icmp 8--1 0.0.0.0/0", "-1 -1--1 2001:db8::/32"}
	if diff := cmp.Diff(want, words(g.Ingress)); diff != "" {
		t.Errorf("the network enforces (-want +got):\n%s", diff)
	}
	if p := w.described(web).IpPermissions; len(p) != 4 || len(p[0].IpRanges) != 2 || *p[1].UserIdGroupPairs[0].Description != "dns" {
		t.Errorf("described as %+v", p)
	}
	rules := do[api.DescribeSecurityGroupRulesOutput](w, "DescribeSecurityGroupRules", &api.DescribeSecurityGroupRulesInput{Filters: []api.Filter{{Name: aws.Ptr("group-id"), Values: []string{web}}}}).SecurityGroupRules
	if len(rules) != 6 || *rules[1].SecurityGroupRuleId != *added[0].SecurityGroupRuleId || *rules[5].FromPort != -1 {
		t.Errorf("rules %+v", rules)
	}
	if got := refused(w, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: &db}); got != "DependencyViolation: resource "+db+" has a dependent object" {
		t.Errorf("a group that a rule names: %s", got)
	}

	do[api.RevokeSecurityGroupIngressOutput](w, "RevokeSecurityGroupIngress", &api.RevokeSecurityGroupIngressInput{GroupId: &web, SecurityGroupRuleIds: []string{*added[2].SecurityGroupRuleId}})
	gone := do[api.RevokeSecurityGroupIngressOutput](w, "RevokeSecurityGroupIngress", &api.RevokeSecurityGroupIngressInput{
		GroupName: aws.Ptr("web"), IpProtocol: aws.Ptr("tcp"), FromPort: aws.Ptr[int32](80), ToPort: aws.Ptr[int32](80), CidrIp: aws.Ptr("0.0.0.0/0")})
	if len(gone.RevokedSecurityGroupRules) != 1 || *gone.RevokedSecurityGroupRules[0].SecurityGroupRuleId != *added[0].SecurityGroupRuleId {
		t.Errorf("revoked %+v", gone.RevokedSecurityGroupRules)
	}
	g, _ = w.net.group(web)
	if diff := cmp.Diff(slices.Concat(want[1:2], want[3:]), words(g.Ingress)); diff != "" {
		t.Errorf("the network still enforces (-want +got):\n%s", diff)
	}
	do[api.DeleteSecurityGroupOutput](w, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: &db})
	if _, known := w.net.group(db); known {
		t.Error("the network still knows a deleted group")
	}
}

func TestModifyRules(t *testing.T) {
	w := newWorld(t)
	web := w.group("web")
	id := *w.allow(web, tcp(80, 80, "0.0.0.0/0"))[0].SecurityGroupRuleId
	do[api.ModifySecurityGroupRulesOutput](w, "ModifySecurityGroupRules", &api.ModifySecurityGroupRulesInput{GroupId: &web, SecurityGroupRules: []api.SecurityGroupRuleUpdate{{
		SecurityGroupRuleId: &id, SecurityGroupRule: &api.SecurityGroupRuleRequest{IpProtocol: aws.Ptr("tcp"), FromPort: aws.Ptr[int32](443), ToPort: aws.Ptr[int32](443), CidrIpv4: aws.Ptr("10.0.0.0/8")}}}})
	g, _ := w.net.group(web)
	if got := words(g.Ingress); len(got) != 1 || got[0] != "tcp 443-443 10.0.0.0/8" {
		t.Errorf("the network enforces %v", got)
	}
	do[api.UpdateSecurityGroupRuleDescriptionsIngressOutput](w, "UpdateSecurityGroupRuleDescriptionsIngress", &api.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: &web, SecurityGroupRuleDescriptions: []api.SecurityGroupRuleDescription{{SecurityGroupRuleId: &id, Description: aws.Ptr("https")}}})
	do[api.CreateTagsOutput](w, "CreateTags", &api.CreateTagsInput{Resources: []string{id}, Tags: tagList("a", "b")})
	r := do[api.DescribeSecurityGroupRulesOutput](w, "DescribeSecurityGroupRules", &api.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{id}}).SecurityGroupRules[0]
	if *r.Description != "https" || *r.Tags[0].Value != "b" || *r.FromPort != 443 {
		t.Errorf("rule %+v", r)
	}
}

func TestEgress(t *testing.T) {
	w := newWorld(t)
	web := w.group("web")
	all := api.IpPermission{IpProtocol: aws.Ptr("-1"), IpRanges: []api.IpRange{{CidrIp: aws.Ptr("0.0.0.0/0")}}}
	do[api.RevokeSecurityGroupEgressOutput](w, "RevokeSecurityGroupEgress", &api.RevokeSecurityGroupEgressInput{GroupId: &web, IpPermissions: []api.IpPermission{all}})
	do[api.AuthorizeSecurityGroupEgressOutput](w, "AuthorizeSecurityGroupEgress", &api.AuthorizeSecurityGroupEgressInput{GroupId: &web, IpPermissions: []api.IpPermission{tcp(443, 443, "0.0.0.0/0")}})
	g, _ := w.net.group(web)
	if got := words(g.Egress); len(got) != 1 || got[0] != "tcp 443-443 0.0.0.0/0" {
		t.Errorf("the network lets out %v", got)
	}
}

// TestGroupOfInstances: a group is in use until the last instance in it has ended.
func TestGroupOfInstances(t *testing.T) {
	w := newWorld(t)
	w.run()
	web, other := w.group("web"), w.group("other")
	id := w.running(func(in *api.RunInstancesInput) { in.SecurityGroupIds = []string{web} })
	if got := refused(w, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: &web}); got != "DependencyViolation: resource "+web+" has a dependent object" {
		t.Error(got)
	}
	do[api.ModifyInstanceAttributeOutput](w, "ModifyInstanceAttribute", &api.ModifyInstanceAttributeInput{InstanceId: &id, Groups: []string{web, other}})
	if got := w.net.membersOf(w.row(id).NIC.ID); !slices.Equal(got, []string{web, other}) {
		t.Errorf("the interface is a member of %v", got)
	}
	if _, known := w.net.group(other); !known {
		t.Error("the network does not know the rules of the new group")
	}
	if spec, err := w.svc.Spec(w.ctx, id); err != nil || !slices.Equal(spec.NIC.SecurityGroups, []string{web, other}) {
		t.Errorf("a reboot brings it back with %v, %v", spec.NIC.SecurityGroups, err)
	}
	w.terminate(id)
	w.await(id, stateTerminated)
	do[api.DeleteSecurityGroupOutput](w, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupName: aws.Ptr("web")})
	w.instance(id) // and its instance can still be described
}

// TestModifyDuringLaunch: groups that change while the machine comes up with the
// old ones are told to the network once it runs.
func TestModifyDuringLaunch(t *testing.T) {
	w := newWorld(t)
	w.run()
	web := w.group("web")
	inside, goOn := make(chan struct{}), make(chan struct{})
	w.machines.set(func(what, _ string) error {
		if what == "start" {
			close(inside)
			<-goOn
		}
		return nil
	})
	id := w.launch(nil)
	<-inside
	do[api.ModifyInstanceAttributeOutput](w, "ModifyInstanceAttribute", &api.ModifyInstanceAttributeInput{InstanceId: &id, Groups: []string{web}})
	nic := w.row(id).NIC.ID
	if got := w.net.membersOf(nic); got != nil {
		t.Errorf("told %v about an interface that is not there yet", got)
	}
	close(goOn)
	w.eventually("membership", w.net.change, func() bool { return slices.Equal(w.net.membersOf(nic), []string{web}) })
}

// TestRulesAreCaughtUp: rules that the network could not take when they were made
// are in force before a machine runs with them.
func TestRulesAreCaughtUp(t *testing.T) {
	w := newWorld(t)
	web := w.group("web")
	w.net.cut(errBroken)
	if got := refused(w, "AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: []api.IpPermission{tcp(80, 80, "0.0.0.0/0")}}); got != "InternalError: An internal error has occurred" {
		t.Error(got)
	}
	w.net.cut(nil)
	w.run()
	w.running(func(in *api.RunInstancesInput) { in.SecurityGroupIds = []string{web} })
	if g, _ := w.net.group(web); len(g.Ingress) != 1 {
		t.Errorf("the machine runs with %v", g.Ingress)
	}
}

// TestGroupFilters finds groups by their rules, in either direction.
func TestGroupFilters(t *testing.T) {
	w := newWorld(t)
	web, db := w.group("web"), w.group("db")
	six := api.IpPermission{IpProtocol: aws.Ptr("tcp"), FromPort: aws.Ptr[int32](443), ToPort: aws.Ptr[int32](444), Ipv6Ranges: []api.Ipv6Range{{CidrIpv6: aws.Ptr("2001:db8::/32")}}}
	w.allow(db, tcp(5432, 5433, "10.9.0.0/16"), six)
	do[api.AuthorizeSecurityGroupEgressOutput](w, "AuthorizeSecurityGroupEgress", &api.AuthorizeSecurityGroupEgressInput{GroupId: &db, IpPermissions: []api.IpPermission{
		{IpProtocol: aws.Ptr("udp"), FromPort: aws.Ptr[int32](53), ToPort: aws.Ptr[int32](54), UserIdGroupPairs: []api.UserIdGroupPair{{GroupId: &web}}}, tcp(80, 81, "10.8.0.0/16"),
	}})
	for _, f := range []api.Filter{
		filter("ip-permission.cidr", "10.9.*"), filter("ip-permission.ipv6-cidr", "2001:db8::/32"), filter("ip-permission.from-port", "5432"),
		filter("ip-permission.to-port", "444"), filter("ip-permission.protocol", "tcp"),
		filter("egress.ip-permission.group-id", web), filter("egress.ip-permission.user-id", testAccount), filter("egress.ip-permission.from-port", "53"),
		filter("egress.ip-permission.to-port", "81"), filter("egress.ip-permission.protocol", "udp"), filter("egress.ip-permission.cidr", "10.8.0.0/16"),
	} {
		got := do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{Filters: []api.Filter{f}}).SecurityGroups
		if len(got) != 1 || *got[0].GroupId != db {
			t.Errorf("%s=%v finds %d groups", *f.Name, f.Values, len(got))
		}
	}
	for _, name := range []string{"egress.ip-permission.group-name", "ip-permission.prefix-list-id"} {
		in := &api.DescribeSecurityGroupsInput{Filters: []api.Filter{filter(name, "web")}}
		if got := do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", in).SecurityGroups; len(got) != 0 {
			t.Errorf("%s finds %d groups", name, len(got))
		}
	}
	want := "InvalidGroupId.Malformed: The security group ID 'foobar' is malformed"
	if got := refused(w, "DescribeSecurityGroupRules", &api.DescribeSecurityGroupRulesInput{Filters: []api.Filter{filter("group-id", "foobar")}}); got != want {
		t.Errorf("rules of no group: %s", got)
	}
}

// TestRuleLimit counts rules for each direction and address family.
func TestRuleLimit(t *testing.T) {
	w := newWorld(t)
	g := w.group("full")
	for i := range int32(60) {
		w.allow(g, tcp(i, i, "10.0.0.0/8"))
	}
	more := []api.IpPermission{tcp(60, 60, "10.0.0.0/8")}
	want := "RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached."
	if got := refused(w, "AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{GroupId: &g, IpPermissions: more}); got != want {
		t.Errorf("the 61st rule: %s", got)
	}
	do[api.AuthorizeSecurityGroupEgressOutput](w, "AuthorizeSecurityGroupEgress", &api.AuthorizeSecurityGroupEgressInput{GroupId: &g, IpPermissions: more})
	w.allow(g, api.IpPermission{IpProtocol: aws.Ptr("-1"), Ipv6Ranges: []api.Ipv6Range{{CidrIpv6: aws.Ptr("::/0")}}})
}

func TestGroupsForVPC(t *testing.T) {
	w := newWorld(t)
	w.group("elsewhere")
	v := do[api.CreateVpcOutput](w, "CreateVpc", &api.CreateVpcInput{CidrBlock: aws.Ptr("10.9.0.0/16")}).Vpc
	if v.State != "pending" || v.Tags != nil || v.BlockPublicAccessStates != nil {
		t.Errorf("a new VPC answers %+v", v)
	}
	made := do[api.CreateSecurityGroupOutput](w, "CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("own"), Description: aws.Ptr("d"), VpcId: v.VpcId})
	for _, c := range []struct {
		filters []api.Filter
		want    int
	}{{nil, 2}, {[]api.Filter{filter("group-name", "own")}, 1}, {[]api.Filter{filter("primary-vpc-id", "vpc-other")}, 0}} {
		got := do[api.GetSecurityGroupsForVpcOutput](w, "GetSecurityGroupsForVpc", &api.GetSecurityGroupsForVpcInput{VpcId: v.VpcId, Filters: c.filters}).SecurityGroupForVpcs
		if len(got) != c.want || c.want == 1 && (*got[0].GroupId != *made.GroupId || *got[0].PrimaryVpcId != *v.VpcId) {
			t.Errorf("%v: %+v", c.filters, got)
		}
	}
	want := "InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist"
	if got := refused(w, "GetSecurityGroupsForVpc", &api.GetSecurityGroupsForVpcInput{VpcId: aws.Ptr("vpc-0123456789abcdef0")}); got != want {
		t.Errorf("no such VPC: %s", got)
	}
}
