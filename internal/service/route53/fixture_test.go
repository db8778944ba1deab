package route53_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/route53"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

type gate = wiretest.Gate

type lab struct {
	*wiretest.Lab
	svc *route53.Service
}

// network is as much of EC2 as zones ask: the VPCs vpc-1 and vpc-2 of us-east-1.
func network() wire.Service {
	describe := func(ctx context.Context, in *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
		if aws.CallFrom(ctx).Region != "us-east-1" || !slices.Contains([]string{"vpc-1", "vpc-2"}, in.VpcIds[0]) {
			return nil, awserr.New("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", in.VpcIds[0])
		}
		return &ec2.DescribeVpcsOutput{Vpcs: []ec2.Vpc{{VpcId: &in.VpcIds[0]}}}, nil
	}
	return wire.Service{Model: ec2.Model(), Operations: []wire.Operation{wire.Op("DescribeVpcs", "ec2:DescribeVpcs", describe, nil)}}
}

// balancers knows one load balancer.
func balancers(_ context.Context, name string) ([]netip.Addr, bool, error) {
	if strings.TrimPrefix(name, "dualstack.") != "web-1.us-east-1.elb.amazonaws.com" {
		return nil, false, nil
	}
	return []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.1.7")}, true, nil
}

func newLab(t testing.TB, g gate) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), g)}
	l.svc = route53.New(route53.Config{DB: l.DB, Invoker: l.Server, Balancers: balancers})
	l.Register(l.svc.Wire(), network())
	return l
}

// zone makes a zone, a private one of the VPC named, and returns its id.
func (l *lab) zone(name, vpc string) string {
	l.T.Helper()
	in := &api.CreateHostedZoneInput{Name: &name, CallerReference: aws.Ptr(name + vpc)}
	if vpc != "" {
		in.VPC = &api.VPC{VPCId: &vpc, VPCRegion: "us-east-1"}
	}
	return strings.TrimPrefix(*wiretest.Must[api.CreateHostedZoneOutput](l, "CreateHostedZone", in).HostedZone.Id, "/hostedzone/")
}

// set is a record set with TTL 60.
func set(name, kind string, values ...string) *api.ResourceRecordSet {
	out := &api.ResourceRecordSet{Name: &name, Type: api.RRType(kind), TTL: aws.Ptr[int64](60)}
	for _, v := range values {
		out.ResourceRecords = append(out.ResourceRecords, api.ResourceRecord{Value: &v})
	}
	return out
}

func aliasTo(zone, name, kind, target string) *api.ResourceRecordSet {
	return &api.ResourceRecordSet{Name: &name, Type: api.RRType(kind), AliasTarget: &api.AliasTarget{HostedZoneId: &zone, DNSName: &target, EvaluateTargetHealth: aws.Ptr(false)}}
}

func (l *lab) change(zone string, action api.ChangeAction, sets ...*api.ResourceRecordSet) error {
	in := &api.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &api.ChangeBatch{}}
	for _, s := range sets {
		in.ChangeBatch.Changes = append(in.ChangeBatch.Changes, api.Change{Action: action, ResourceRecordSet: s})
	}
	_, err := wiretest.Call[api.ChangeResourceRecordSetsOutput](l, "ChangeResourceRecordSets", in)
	return err
}

func (l *lab) create(zone string, sets ...*api.ResourceRecordSet) {
	l.T.Helper()
	if err := l.change(zone, "CREATE", sets...); err != nil {
		l.T.Fatal(err)
	}
}

// names lists a zone, page by page.
func (l *lab) names(zone, maxItems string) (out []string) {
	l.T.Helper()
	in := &api.ListResourceRecordSetsInput{HostedZoneId: &zone, MaxItems: &maxItems}
	for {
		page := wiretest.Must[api.ListResourceRecordSetsOutput](l, "ListResourceRecordSets", in)
		for _, s := range page.ResourceRecordSets {
			out = append(out, strings.TrimRight(*s.Name+" "+string(s.Type)+" "+aws.Val(s.SetIdentifier), " "))
		}
		if !*page.IsTruncated {
			return out
		}
		in.StartRecordName, in.StartRecordType, in.StartRecordIdentifier = page.NextRecordName, page.NextRecordType, page.NextRecordIdentifier
	}
}
