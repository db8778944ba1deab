package route53_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestListsAreInTheOrderOfReversedLabels(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("Example.com", "")
	weighted := func(id string, w int64) *api.ResourceRecordSet {
		s := set("w.example.com", "A", "192.0.2.1")
		s.SetIdentifier, s.Weight = &id, &w
		return s
	}
	l.create(z, set("www.example.com", "A", "192.0.2.1"), set("a.b.example.com.", "A", "192.0.2.1"), set("*.example.com", "TXT", `"x"`),
		set("b.example.com", "A", "192.0.2.1"), set("b.example.com", "TXT", `"y"`), set("b-c.example.com", "A", "192.0.2.1"), weighted("two", 2), weighted("one", 1))
	want := []string{"example.com. NS", "example.com. SOA", `\052.example.com. TXT`, "b-c.example.com. A", "b.example.com. A", "b.example.com. TXT",
		"a.b.example.com. A", "w.example.com. A one", "w.example.com. A two", "www.example.com. A"}
	for _, size := range []string{"1", "3", "300"} {
		if got := l.names(z, size); !slices.Equal(got, want) {
			t.Errorf("pages of %s: %q", size, got)
		}
	}
	from := wiretest.Must[api.ListResourceRecordSetsOutput](l, "ListResourceRecordSets",
		&api.ListResourceRecordSetsInput{HostedZoneId: &z, StartRecordName: aws.Ptr("b.example.com"), StartRecordType: "CAA"})
	if len(from.ResourceRecordSets) != 5 || from.ResourceRecordSets[0].Type != "TXT" || *from.MaxItems != "300" {
		t.Errorf("%d from b.example.com CAA", len(from.ResourceRecordSets))
	}
}

func TestBatchesAreAtomic(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	err := l.change(z, "CREATE", set("a.example.com", "A", "192.0.2.1"), set("b.example.net", "A", "192.0.2.1"))
	if !awserr.Is(err, "InvalidChangeBatch") || len(l.names(z, "300")) != 2 {
		t.Errorf("%v, %v", err, l.names(z, "300"))
	}
	in := &api.ChangeResourceRecordSetsInput{HostedZoneId: &z, ChangeBatch: &api.ChangeBatch{Changes: []api.Change{
		{Action: "CREATE", ResourceRecordSet: set("x.example.com", "CNAME", "y.example.com")},
		{Action: "DELETE", ResourceRecordSet: set("x.example.com", "CNAME", "y.example.com")},
		{Action: "CREATE", ResourceRecordSet: set("x.example.com", "A", "192.0.2.1")}}}}
	wiretest.Must[api.ChangeResourceRecordSetsOutput](l, "ChangeResourceRecordSets", in)
	count := wiretest.Must[api.GetHostedZoneOutput](l, "GetHostedZone", &api.GetHostedZoneInput{Id: &z}).HostedZone.ResourceRecordSetCount
	if got := l.names(z, "300"); len(got) != 3 || got[2] != "x.example.com. A" || *count != 3 {
		t.Errorf("%v, %d counted", got, *count)
	}
}

func TestUpsertAndDelete(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	for _, v := range []string{"192.0.2.1", "192.0.2.2"} {
		if err := l.change(z, "UPSERT", set("a.example.com", "A", v, "192.0.2.9")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.change(z, "DELETE", set("A.Example.com.", "A", "192.0.2.9", "192.0.2.2")); err != nil {
		t.Errorf("the same values in another order: %v", err)
	}
	if got := l.names(z, "300"); len(got) != 2 {
		t.Errorf("left: %v", got)
	}
}

func TestBadChanges(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	l.create(z, set("a.example.com", "A", "192.0.2.1"), set("c.example.com", "CNAME", "a.example.com"))
	with := func(s *api.ResourceRecordSet, change func(*api.ResourceRecordSet)) *api.ResourceRecordSet {
		change(s)
		return s
	}
	identified := func(id string) func(*api.ResourceRecordSet) {
		return func(s *api.ResourceRecordSet) { s.SetIdentifier = &id }
	}
	for _, c := range []struct {
		name   string
		action api.ChangeAction
		set    *api.ResourceRecordSet
		want   string
	}{
		{"exists", "CREATE", set("a.example.com", "A", "192.0.2.2"), "InvalidChangeBatch: [Tried to create resource record set [name='a.example.com.', type='A'] but it already exists]"},
		{"not found", "DELETE", set("n.example.com", "A", "192.0.2.2"), "InvalidChangeBatch: [Tried to delete resource record set [name='n.example.com.', type='A'] but it was not found]"},
		{"other values", "DELETE", set("a.example.com", "A", "192.0.2.2"), "InvalidChangeBatch: [Tried to delete resource record set [name='a.example.com.', type='A'] but the values provided do not match the current values]"},
		{"another zone", "CREATE", set("a.example.net", "A", "192.0.2.2"), "InvalidChangeBatch: [RRSet with DNS name a.example.net. is not permitted in zone example.com.]"},
		{"CNAME at the apex", "CREATE", set("example.com", "CNAME", "a.example.com"), "InvalidChangeBatch: [RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]"},
		{"CNAME beside others", "CREATE", set("a.example.com", "CNAME", "b.example.com"), "InvalidChangeBatch: [RRSet of type CNAME with DNS name a.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.]"},
		{"another beside a CNAME", "CREATE", set("c.example.com", "A", "192.0.2.2"), "InvalidChangeBatch: [RRSet of type A with DNS name c.example.com. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone example.com.]"},
		{"bad address", "CREATE", set("b.example.com", "A", "300.1.1.1"), "InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '300.1.1.1'']"},
		{"bad IPv6 address", "CREATE", set("b.example.com", "AAAA", "192.0.2.1"), "InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) encountered with '192.0.2.1'']"},
		{"text without quotes", "CREATE", set("b.example.com", "TXT", "v=spf1 -all"), "InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'v=spf1 -all'']"},
		{"a long string", "CREATE", set("b.example.com", "TXT", `"`+strings.Repeat("x", 256)+`"`), `InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: CharacterStringTooLong (Value is too long) encountered with '"` + strings.Repeat("x", 256) + `"'']`},
		{"bad target", "CREATE", set("b.example.com", "CNAME", "a b"), "InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: RRDATANotSingleField (Value contains spaces) encountered with 'a b'']"},
		{"bad mail host", "CREATE", set("b.example.com", "MX", "mail.example.com"), "InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: InvalidRDATA (Value is not valid for a record of type MX) encountered with 'mail.example.com'']"},
		{"twice", "CREATE", set("b.example.com", "A", "192.0.2.1", "192.0.2.1"), "InvalidChangeBatch: [Duplicate Resource Record: '192.0.2.1']"},
		{"empty label", "CREATE", set("b..example.com", "A", "192.0.2.1"), "InvalidChangeBatch: [FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with 'b..example.com.']"},
		{"the last SOA", "DELETE", nil, "InvalidChangeBatch: [A HostedZone must contain exactly one SOA record.]"},
		{"alias outside", "CREATE", aliasTo("Z35SXDOTRQ7X7K", "b.example.com", "A", "lb.us-east-1.elb.amazonaws.com"), "InvalidChangeBatch: [Tried to create an alias that targets lb.us-east-1.elb.amazonaws.com., type A in zone Z35SXDOTRQ7X7K, but that target was not found]"},
		{"alias elsewhere", "CREATE", aliasTo("Z2FDTNDATAQYW2", "b.example.com", "A", "d1.cloudfront.net"), "InvalidChangeBatch: [Tried to create an alias that targets d1.cloudfront.net., type A in zone Z2FDTNDATAQYW2, but the alias target name does not lie within the target zone]"},
		{"alias of a kind that balancers have not", "CREATE", aliasTo("Z35SXDOTRQ7X7K", "b.example.com", "TXT", "web-1.us-east-1.elb.amazonaws.com"), "InvalidChangeBatch: [Tried to create an alias that targets web-1.us-east-1.elb.amazonaws.com., type TXT in zone Z35SXDOTRQ7X7K, but the alias target name does not lie within the target zone]"},
		{"alias to nothing", "CREATE", aliasTo(z, "b.example.com", "AAAA", "a.example.com"), "InvalidChangeBatch: [Tried to create an alias that targets a.example.com., type AAAA in zone " + z + ", but that target was not found]"},
		{"neither values nor alias", "CREATE", &api.ResourceRecordSet{Name: aws.Ptr("b.example.com"), Type: "A"}, "InvalidInput: Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with [Action=CREATE, Name=b.example.com, Type=A, SetIdentifier=null]"},
		{"values and alias", "CREATE", with(aliasTo(z, "b.example.com", "A", "a.example.com"), func(s *api.ResourceRecordSet) { s.TTL = aws.Ptr[int64](1) }), "InvalidInput: Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found more than one in Change with [Action=CREATE, Name=b.example.com, Type=A, SetIdentifier=null]"},
		{"weight without identifier", "CREATE", with(set("b.example.com", "A", "192.0.2.1"), func(s *api.ResourceRecordSet) { s.Weight = aws.Ptr[int64](1) }), "InvalidInput: Invalid request: Missing field 'SetIdentifier' in Change with [Action=CREATE, Name=b.example.com, Type=A, SetIdentifier=null]"},
		{"identifier without policy", "CREATE", with(set("b.example.com", "A", "192.0.2.1"), identified("x")), "InvalidInput: Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig], but found none in Change with [Action=CREATE, Name=b.example.com, Type=A, SetIdentifier=x]"},
		{"weighted beside simple", "CREATE", with(set("a.example.com", "A", "192.0.2.1"), func(s *api.ResourceRecordSet) { s.Weight, s.SetIdentifier = aws.Ptr[int64](1), aws.Ptr("x") }), "InvalidChangeBatch: [RRSet with DNS name a.example.com., type A, SetIdentifier x cannot be created as other RRSets exist with the same name and type.]"},
		{"latency", "CREATE", with(set("b.example.com", "A", "192.0.2.1"), func(s *api.ResourceRecordSet) { s.Region, s.SetIdentifier = "us-east-1", aws.Ptr("x") }), "NotImplemented: hardstand does not implement routing by latency, place or address (Region, GeoLocation, GeoProximityLocation, CidrRoutingConfig)."},
		{"health", "CREATE", with(set("b.example.com", "A", "192.0.2.1"), func(s *api.ResourceRecordSet) { s.HealthCheckId = aws.Ptr("x") }), "NotImplemented: hardstand does not implement health checks (HealthCheckId)."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.set == nil {
				page := wiretest.Must[api.ListResourceRecordSetsOutput](l, "ListResourceRecordSets", &api.ListResourceRecordSetsInput{HostedZoneId: &z})
				c.set = &page.ResourceRecordSets[1]
			}
			if err := l.change(z, c.action, c.set); err == nil || awserr.As(err) == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestABatchMayNotBeTooLarge(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	many := set("a.example.com", "A")
	for i := range 501 {
		many.ResourceRecords = append(many.ResourceRecords, api.ResourceRecord{Value: aws.Ptr("10.0." + string(rune('0'+i/256)) + "." + itoa(i%256))})
	}
	err := l.change(z, "UPSERT", many) // counts twice
	if e := awserr.As(err); e == nil || e.Message != "[Number of records limit of 1000 exceeded.]" {
		t.Errorf("%v", err)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}
