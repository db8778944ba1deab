package ec2

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// TestTagEverything tags one resource of each kind and finds the tag described.
func TestTagEverything(t *testing.T) {
	w := newWorld(t)
	id := w.launch(nil)
	r := w.row(id)
	v, err := w.svc.defaultVPC(w.ctx, aws.CallFrom(w.ctx))
	if err != nil {
		t.Fatal(err)
	}
	k := do[api.CreateKeyPairOutput](w, "CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("k"), KeyType: "ed25519"})
	rule := w.allow(v.DefaultGroup, tcp(80, 80, "0.0.0.0/0"))[0]
	want := map[string]string{
		id: "instance", r.Root.ID: "volume", r.NIC.ID: "network-interface", v.DefaultGroup: "security-group", *rule.SecurityGroupRuleId: "security-group-rule",
		*k.KeyPairId: "key-pair", *w.allocate().AllocationId: "elastic-ip", v.ID: "vpc", v.Subnets[0].ID: "subnet", v.InternetGateway: "internet-gateway",
		v.MainRouteTable: "route-table", v.NACL: "network-acl", v.DHCP: "dhcp-options",
	}
	var all []string
	for id := range want {
		all = append(all, id)
	}
	do[api.CreateTagsOutput](w, "CreateTags", &api.CreateTagsInput{Resources: all, Tags: tagList("Name", "x", "Team", "é")})
	got := map[string]string{}
	for _, d := range do[api.DescribeTagsOutput](w, "DescribeTags", &api.DescribeTagsInput{Filters: []api.Filter{filter("key", "Name"), filter("value", "x")}}).Tags {
		got[*d.ResourceId] = string(d.ResourceType)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if s := do[api.DescribeSubnetsOutput](w, "DescribeSubnets", &api.DescribeSubnetsInput{Filters: []api.Filter{filter("tag:Team", "é")}}).Subnets; len(s) != 1 || *s[0].Tags[0].Value != "x" {
		t.Errorf("subnets with the tag: %+v", s)
	}
	// A value that differs protects the tag; none takes it whatever it is.
	do[api.DeleteTagsOutput](w, "DeleteTags", &api.DeleteTagsInput{Resources: all, Tags: []api.Tag{{Key: aws.Ptr("Name"), Value: aws.Ptr("y")}, {Key: aws.Ptr("Team")}}})
	if left := do[api.DescribeTagsOutput](w, "DescribeTags", &api.DescribeTagsInput{}).Tags; len(left) != len(want) || *left[0].Key != "Name" {
		t.Errorf("left over: %+v", left)
	}
	do[api.DeleteTagsOutput](w, "DeleteTags", &api.DeleteTagsInput{Resources: all})
	if left := do[api.DescribeTagsOutput](w, "DescribeTags", &api.DescribeTagsInput{}).Tags; len(left) != 0 {
		t.Errorf("left over: %+v", left)
	}
}

func TestTagLimits(t *testing.T) {
	w := newWorld(t)
	id := w.launch(nil)
	fifty := make([]string, 0, 100)
	for i := range 50 {
		fifty = append(fifty, "k"+itoa(int32(i)), "")
	}
	for _, c := range []struct {
		name string
		tags []api.Tag
		want string
	}{
		{"key of 128", tagList(strings.Repeat("é", 128), strings.Repeat("é", 256)), ""},
		{"key of 129", tagList(strings.Repeat("k", 129), ""), "InvalidParameterValue: Tag key exceeds the maximum length of 128 characters"},
		{"value of 257", tagList("k", strings.Repeat("v", 257)), "InvalidParameterValue: Tag value exceeds the maximum length of 256 characters"},
		{"empty key", tagList("", "v"), "InvalidParameterValue: Tag key cannot be null or empty."},
		{"reserved", tagList("AWS:x", "v"), "InvalidParameterValue: Value ( AWS:x ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"},
		{"51st", tagList(fifty...), "TagLimitExceeded: The maximum number of Tags for a resource has been reached."},
		{"to 50", tagList(fifty[2:]...), ""},
	} {
		_, err := w.server.Invoke(w.ctx, "ec2", "CreateTags", &api.CreateTagsInput{Resources: []string{id}, Tags: c.tags})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTagsAllOrNone: a resource that does not exist leaves the others untagged.
func TestTagsAllOrNone(t *testing.T) {
	w := newWorld(t)
	id := w.launch(nil)
	got := refused(w, "CreateTags", &api.CreateTagsInput{Resources: []string{id, "sg-00000000000000000"}, Tags: tagList("a", "b")})
	if got != "InvalidGroup.NotFound: The security group 'sg-00000000000000000' does not exist" {
		t.Error(got)
	}
	if tags := w.row(id).Tags; len(tags) != 0 {
		t.Errorf("tagged with %v", tags)
	}
}
