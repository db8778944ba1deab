package route53_test

import (
	"testing"

	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
)

func conform(l *lab, kind string, made, changed map[string]any) {
	l.T.Helper()
	stacktest.Conform(l.T.(*testing.T), stacktest.Case{Resource: l.svc.Resources()[kind], Type: kind, Context: l.Ctx, Properties: made, Changed: changed})
}

func TestHostedZoneResource(t *testing.T) {
	l := newLab(t, gate{})
	tags := []any{map[string]any{"Key": "k", "Value": "v"}}
	vpc := func(id string) map[string]any { return map[string]any{"VPCId": id, "VPCRegion": "us-east-1"} }
	conform(l, "AWS::Route53::HostedZone", map[string]any{"Name": "example.com", "HostedZoneTags": tags},
		map[string]any{"Name": "example.com", "HostedZoneConfig": map[string]any{"Comment": "c"}})
	conform(l, "AWS::Route53::HostedZone", map[string]any{"Name": "corp.internal.", "VPCs": []any{vpc("vpc-1")}},
		map[string]any{"Name": "corp.internal.", "VPCs": []any{vpc("vpc-2")}, "HostedZoneTags": tags})
}

func TestRecordSetResource(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	conform(l, "AWS::Route53::RecordSet", map[string]any{"HostedZoneId": z, "Name": "a.example.com", "Type": "A", "TTL": "300", "ResourceRecords": []any{"192.0.2.1"}},
		map[string]any{"HostedZoneId": z, "Name": "a.example.com", "Type": "A", "TTL": "60", "ResourceRecords": []any{"192.0.2.2", "192.0.2.3"}})
	conform(l, "AWS::Route53::RecordSet", map[string]any{"HostedZoneName": "example.com.", "Name": "w.example.com.", "Type": "CNAME", "TTL": "300",
		"ResourceRecords": []any{"a.example.com"}, "SetIdentifier": "one", "Weight": 1},
		map[string]any{"HostedZoneName": "example.com.", "Name": "w.example.com.", "Type": "CNAME", "TTL": "300",
			"ResourceRecords": []any{"b.example.com"}, "SetIdentifier": "two", "Weight": 5})
	if got := l.names(z, "300"); len(got) != 2 {
		t.Errorf("left behind: %v", got)
	}
}

func TestRecordSetGroupResource(t *testing.T) {
	l := newLab(t, gate{})
	z := l.zone("example.com", "")
	record := func(name, value string) map[string]any {
		return map[string]any{"Name": name, "Type": "A", "TTL": "300", "ResourceRecords": []any{value}}
	}
	conform(l, "AWS::Route53::RecordSetGroup",
		map[string]any{"HostedZoneId": z, "RecordSets": []any{record("a.example.com", "192.0.2.1"), record("b.example.com", "192.0.2.2")}},
		map[string]any{"HostedZoneId": z, "RecordSets": []any{record("b.example.com", "192.0.2.3"), record("c.example.com", "192.0.2.4")}})
	if got := l.names(z, "300"); len(got) != 2 {
		t.Errorf("left behind: %v", got)
	}
}

func TestRecordSetsWithoutAZone(t *testing.T) {
	l := newLab(t, gate{})
	for want, props := range map[string]map[string]any{
		"No hosted zones named none.com. found":                                         {"HostedZoneName": "none.com."},
		"HostedZoneName must end with a dot: none.com":                                  {"HostedZoneName": "none.com"},
		"Invalid request: either HostedZoneId or HostedZoneName must be specified":      {},
		"Invalid request: only one of HostedZoneId and HostedZoneName may be specified": {"HostedZoneName": "none.com.", "HostedZoneId": "Z1"},
		"Encountered unsupported property HealthCheckId":                                {"HostedZoneId": "Z1", "HealthCheckId": "h"},
		"NoSuchHostedZone: No hosted zone found with ID: Z1":                            {"HostedZoneId": "Z1"},
	} {
		props["Name"], props["Type"], props["TTL"], props["ResourceRecords"] = "a.none.com", "A", "60", []any{"192.0.2.1"}
		_, err := l.svc.Resources()["AWS::Route53::RecordSet"].Create(l.Ctx, stack.Request{LogicalID: "R", Properties: props}, func(string) {})
		if err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", props, err, want)
		}
	}
}
