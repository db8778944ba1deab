package route53_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestBadZones(t *testing.T) {
	l := newLab(t, gate{})
	public, private := l.zone("example.com", ""), l.zone("corp.internal", "vpc-1")
	vpc := func(id string) *api.VPC { return &api.VPC{VPCId: &id, VPCRegion: "us-east-1"} }
	for _, c := range []struct {
		name, operation string
		in              any
		want            string
	}{
		{"same reference", "CreateHostedZone", &api.CreateHostedZoneInput{Name: aws.Ptr("other.com"), CallerReference: aws.Ptr("example.com")}, "HostedZoneAlreadyExists: A hosted zone has already been created with the specified caller reference."},
		{"bad name", "CreateHostedZone", &api.CreateHostedZoneInput{Name: aws.Ptr("a..b"), CallerReference: aws.Ptr("x")}, "InvalidDomainName: a..b is not a valid domain name"},
		{"AWS's name", "CreateHostedZone", &api.CreateHostedZoneInput{Name: aws.Ptr("s3.amazonaws.com"), CallerReference: aws.Ptr("x")}, "InvalidDomainName: s3.amazonaws.com. is reserved by AWS!"},
		{"private without VPC", "CreateHostedZone", &api.CreateHostedZoneInput{Name: aws.Ptr("p.com"), CallerReference: aws.Ptr("x"), HostedZoneConfig: &api.HostedZoneConfig{PrivateZone: aws.Ptr(true)}}, "InvalidInput: When you're creating a private hosted zone (when you specify true for PrivateZone), you must also specify values for VPCId and VPCRegion."},
		{"absent VPC", "CreateHostedZone", &api.CreateHostedZoneInput{Name: aws.Ptr("p.com"), CallerReference: aws.Ptr("x"), VPC: vpc("vpc-9")}, "InvalidVPCId: The VPC: vpc-9 you provided does not exist in the region us-east-1."},
		{"same name in the VPC", "CreateHostedZone", &api.CreateHostedZoneInput{Name: aws.Ptr("corp.internal"), CallerReference: aws.Ptr("x"), VPC: vpc("vpc-1")}, "ConflictingDomainExists: The VPC vpc-1 in region us-east-1 has already been associated with the hosted zone " + private + " with the same domain name."},
		{"associated already", "AssociateVPCWithHostedZone", &api.AssociateVPCWithHostedZoneInput{HostedZoneId: &private, VPC: vpc("vpc-1")}, "ConflictingDomainExists: The VPC vpc-1 in region us-east-1 has already been associated with the hosted zone " + private + " with the same domain name."},
		{"public and a VPC", "AssociateVPCWithHostedZone", &api.AssociateVPCWithHostedZoneInput{HostedZoneId: &public, VPC: vpc("vpc-1")}, "PublicZoneVPCAssociation: You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support associating a VPC with a public hosted zone."},
		{"not associated", "DisassociateVPCFromHostedZone", &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: &private, VPC: vpc("vpc-2")}, "VPCAssociationNotFound: The VPC: vpc-2 and hosted zone " + private + " you provided are not currently associated."},
		{"the last VPC", "DisassociateVPCFromHostedZone", &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: &private, VPC: vpc("vpc-1")}, "LastVPCAssociation: Cannot remove the last VPC association for the private zone"},
		{"absent", "GetHostedZone", &api.GetHostedZoneInput{Id: aws.Ptr("/hostedzone/Z0")}, "NoSuchHostedZone: No hosted zone found with ID: Z0"},
		{"absent change", "GetChange", &api.GetChangeInput{Id: aws.Ptr("/change/C0")}, "NoSuchChange: Could not find resource with ID: C0"},
		{"type without name", "ListResourceRecordSets", &api.ListResourceRecordSetsInput{HostedZoneId: &public, StartRecordType: "A"}, "InvalidInput: The input is not valid: a type without a name to start with."},
		{"bad number", "ListHostedZones", &api.ListHostedZonesInput{MaxItems: aws.Ptr("many")}, `InvalidInput: The value of maxitems must be a number greater than zero, not "many".`},
		{"question to a private zone", "TestDNSAnswer", &api.TestDNSAnswerInput{HostedZoneId: &private, RecordName: aws.Ptr("a.corp.internal"), RecordType: "A"}, "InvalidInput: TestDNSAnswer supports only public hosted zones."},
		{"tags of a health check", "ListTagsForResource", &api.ListTagsForResourceInput{ResourceType: "healthcheck", ResourceId: aws.Ptr("h")}, "NoSuchHealthCheck: No health check exists with the specified ID: h"},
		{"not built", "CreateHealthCheck", nil, "NotImplemented: hardstand does not implement route53:CreateHealthCheck."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := l.Server.Invoke(l.Ctx, "route53", c.operation, c.in); err == nil || awserr.As(err) == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestZonesAreListedByNameAndVPC(t *testing.T) {
	l := newLab(t, gate{})
	l.zone("b.com", "")
	a, private := l.zone("x.a.com", ""), l.zone("corp.internal", "vpc-1")
	wiretest.Must[api.AssociateVPCWithHostedZoneOutput](l, "AssociateVPCWithHostedZone",
		&api.AssociateVPCWithHostedZoneInput{HostedZoneId: &private, VPC: &api.VPC{VPCId: aws.Ptr("vpc-2"), VPCRegion: "us-east-1"}})
	byName := wiretest.Must[api.ListHostedZonesByNameOutput](l, "ListHostedZonesByName", &api.ListHostedZonesByNameInput{MaxItems: aws.Ptr("1")})
	if *byName.HostedZones[0].Id != "/hostedzone/"+a || !*byName.IsTruncated || *byName.NextDNSName != "b.com." {
		t.Errorf("first %s, then %s", *byName.HostedZones[0].Name, aws.Val(byName.NextDNSName))
	}
	rest := wiretest.Must[api.ListHostedZonesByNameOutput](l, "ListHostedZonesByName", &api.ListHostedZonesByNameInput{DNSName: byName.NextDNSName, HostedZoneId: byName.NextHostedZoneId})
	if len(rest.HostedZones) != 2 || *rest.HostedZones[0].Name != "b.com." {
		t.Errorf("then %d", len(rest.HostedZones))
	}
	for id, want := range map[string]int{"vpc-1": 1, "vpc-2": 1, "vpc-3": 0} {
		out := wiretest.Must[api.ListHostedZonesByVPCOutput](l, "ListHostedZonesByVPC", &api.ListHostedZonesByVPCInput{VPCId: &id, VPCRegion: "us-east-1"})
		if len(out.HostedZoneSummaries) != want {
			t.Errorf("%s: %d zones", id, len(out.HostedZoneSummaries))
		}
	}
	first := wiretest.Must[api.ListHostedZonesOutput](l, "ListHostedZones", &api.ListHostedZonesInput{MaxItems: aws.Ptr("2")})
	last := wiretest.Must[api.ListHostedZonesOutput](l, "ListHostedZones", &api.ListHostedZonesInput{Marker: first.NextMarker})
	if len(first.HostedZones) != 2 || len(last.HostedZones) != 1 || *last.IsTruncated {
		t.Errorf("pages of %d and %d", len(first.HostedZones), len(last.HostedZones))
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	l := newLab(t, gate{Only: []string{}})
	id, vpc := aws.Ptr("Z1"), &api.VPC{VPCId: aws.Ptr("vpc-1"), VPCRegion: "us-east-1"}
	inputs := map[string]any{
		"CreateHostedZone":              &api.CreateHostedZoneInput{Name: aws.Ptr("a.com"), CallerReference: aws.Ptr("x")},
		"GetHostedZone":                 &api.GetHostedZoneInput{Id: id},
		"DeleteHostedZone":              &api.DeleteHostedZoneInput{Id: id},
		"UpdateHostedZoneComment":       &api.UpdateHostedZoneCommentInput{Id: id},
		"ListHostedZones":               &api.ListHostedZonesInput{},
		"ListHostedZonesByName":         &api.ListHostedZonesByNameInput{},
		"ListHostedZonesByVPC":          &api.ListHostedZonesByVPCInput{VPCId: aws.Ptr("vpc-1"), VPCRegion: "us-east-1"},
		"GetHostedZoneCount":            &api.GetHostedZoneCountInput{},
		"GetHostedZoneLimit":            &api.GetHostedZoneLimitInput{HostedZoneId: id, Type: "MAX_RRSETS_BY_ZONE"},
		"GetAccountLimit":               &api.GetAccountLimitInput{Type: "MAX_HOSTED_ZONES_BY_OWNER"},
		"GetDNSSEC":                     &api.GetDNSSECInput{HostedZoneId: id},
		"AssociateVPCWithHostedZone":    &api.AssociateVPCWithHostedZoneInput{HostedZoneId: id, VPC: vpc},
		"DisassociateVPCFromHostedZone": &api.DisassociateVPCFromHostedZoneInput{HostedZoneId: id, VPC: vpc},
		"ChangeResourceRecordSets": &api.ChangeResourceRecordSetsInput{HostedZoneId: id, ChangeBatch: &api.ChangeBatch{
			Changes: []api.Change{{Action: "CREATE", ResourceRecordSet: set("a.com", "A", "192.0.2.1")}}}},
		"ListResourceRecordSets":  &api.ListResourceRecordSetsInput{HostedZoneId: id},
		"GetChange":               &api.GetChangeInput{Id: aws.Ptr("C1")},
		"TestDNSAnswer":           &api.TestDNSAnswerInput{HostedZoneId: id, RecordName: aws.Ptr("a.com"), RecordType: "A"},
		"ChangeTagsForResource":   &api.ChangeTagsForResourceInput{ResourceType: "hostedzone", ResourceId: id, RemoveTagKeys: []string{"k"}},
		"ListTagsForResource":     &api.ListTagsForResourceInput{ResourceType: "hostedzone", ResourceId: id},
		"ListTagsForResources":    &api.ListTagsForResourcesInput{ResourceType: "hostedzone", ResourceIds: []string{"Z1"}},
		"ListHealthChecks":        &api.ListHealthChecksInput{},
		"ListQueryLoggingConfigs": &api.ListQueryLoggingConfigsInput{},
		"ListTrafficPolicies":     &api.ListTrafficPoliciesInput{},
	}
	for _, op := range l.svc.Wire().Operations {
		if _, err := l.Server.Invoke(l.Ctx, "route53", op.Name, inputs[op.Name]); !awserr.Is(err, "AccessDenied") {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
}

func TestAnotherAccountsZonesAreNotThere(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	c := aws.CallFrom(l.Ctx)
	c.Account = "210987654321"
	l.Ctx = aws.WithCall(l.Ctx, c)
	if _, err := wiretest.Call[api.GetHostedZoneOutput](l, "GetHostedZone", &api.GetHostedZoneInput{Id: &z}); !awserr.Is(err, "NoSuchHostedZone") {
		t.Errorf("%v", err)
	}
}

// TestOnlyChangesLeaveARow: tags and comments have no change that GetChange could be
// asked for.
func TestOnlyChangesLeaveARow(t *testing.T) {
	l := newLab(t, gate{})
	id := wiretest.Must[api.CreateHostedZoneOutput](l, "CreateHostedZone", &api.CreateHostedZoneInput{Name: aws.Ptr("example.com"), CallerReference: aws.Ptr("1")}).HostedZone.Id
	id = aws.Ptr(strings.TrimPrefix(*id, "/hostedzone/"))
	wiretest.Must[api.UpdateHostedZoneCommentOutput](l, "UpdateHostedZoneComment", &api.UpdateHostedZoneCommentInput{Id: id, Comment: aws.Ptr("c")})
	wiretest.Must[api.ChangeTagsForResourceOutput](l, "ChangeTagsForResource",
		&api.ChangeTagsForResourceInput{ResourceType: "hostedzone", ResourceId: id, AddTags: []api.Tag{{Key: aws.Ptr("k"), Value: aws.Ptr("v")}}})
	changes := store.Table[struct{}]{Name: "route53.change", Version: 1}
	err := l.DB.View(l.Ctx, func(tx *store.Tx) error {
		rows, err := changes.List(tx, store.Scope{}, "", 0)
		if len(rows) != 1 {
			t.Errorf("%d changes, want that of the creation", len(rows))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOldChangesAreForgotten: each change of records leaves a row, which has an end.
func TestOldChangesAreForgotten(t *testing.T) {
	l := newLab(t, gate{})
	made := wiretest.Must[api.CreateHostedZoneOutput](l, "CreateHostedZone", &api.CreateHostedZoneInput{Name: aws.Ptr("old.example"), CallerReference: aws.Ptr("1")})
	look := &api.GetChangeInput{Id: made.ChangeInfo.Id}
	wiretest.Age(t, l.Clock, l.svc.Aging(), 29*24*time.Hour)
	wiretest.Must[api.GetChangeOutput](l, "GetChange", look)
	wiretest.Age(t, l.Clock, l.svc.Aging(), 25*time.Hour)
	if _, err := wiretest.Call[api.GetChangeOutput](l, "GetChange", look); !awserr.Is(err, "NoSuchChange") {
		t.Errorf("a change of a month ago: %v", err)
	}
}
