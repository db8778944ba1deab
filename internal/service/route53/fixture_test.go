package route53_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/route53"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
)

// gate lets through what it names; without names, everything.
type gate struct{ only []string }

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	if g.only == nil || slices.Contains(g.only, c.Action+" "+c.Resource) {
		return nil
	}
	return &aws.Denied{Principal: aws.CallFrom(ctx).Principal.ARN, Action: c.Action, Resource: c.Resource,
		Reason: "no identity-based policy allows the " + c.Action + " action"}
}

type lab struct {
	t      testing.TB
	db     *store.DB
	server *wire.Server
	svc    *route53.Service
	ctx    context.Context
}

const account = "123456789012"

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

func newLab(t testing.TB, g gate) *lab {
	t.Helper()
	l := &lab{t: t, db: storetest.New(t)}
	l.server = wire.NewServer(wire.Config{Authorizer: g, Account: account, Region: "us-east-1"})
	l.svc = route53.New(route53.Config{DB: l.db, Invoker: l.server})
	if err := l.server.Register(l.svc.Wire(), network()); err != nil {
		t.Fatal(err)
	}
	l.ctx = aws.WithCall(t.Context(), aws.Call{Account: account, Region: "us-east-1",
		Principal: aws.Principal{Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::123456789012:user/u"}})
	return l
}

func call[O any](l *lab, operation string, in any) (*O, error) {
	return wire.Call[O](l.ctx, l.server, "route53", operation, in)
}

func must[O any](l *lab, operation string, in any) *O {
	l.t.Helper()
	out, err := call[O](l, operation, in)
	if err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// zone makes a zone, a private one of the VPC named, and returns its id.
func (l *lab) zone(name, vpc string) string {
	l.t.Helper()
	in := &api.CreateHostedZoneInput{Name: &name, CallerReference: aws.Ptr(name + vpc)}
	if vpc != "" {
		in.VPC = &api.VPC{VPCId: &vpc, VPCRegion: "us-east-1"}
	}
	return strings.TrimPrefix(*must[api.CreateHostedZoneOutput](l, "CreateHostedZone", in).HostedZone.Id, "/hostedzone/")
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
	_, err := call[api.ChangeResourceRecordSetsOutput](l, "ChangeResourceRecordSets", in)
	return err
}

func (l *lab) create(zone string, sets ...*api.ResourceRecordSet) {
	l.t.Helper()
	if err := l.change(zone, "CREATE", sets...); err != nil {
		l.t.Fatal(err)
	}
}

// names lists a zone, page by page.
func (l *lab) names(zone, maxItems string) (out []string) {
	l.t.Helper()
	in := &api.ListResourceRecordSetsInput{HostedZoneId: &zone, MaxItems: &maxItems}
	for {
		page := must[api.ListResourceRecordSetsOutput](l, "ListResourceRecordSets", in)
		for _, s := range page.ResourceRecordSets {
			out = append(out, strings.TrimRight(*s.Name+" "+string(s.Type)+" "+aws.Val(s.SetIdentifier), " "))
		}
		if !*page.IsTruncated {
			return out
		}
		in.StartRecordName, in.StartRecordType, in.StartRecordIdentifier = page.NextRecordName, page.NextRecordType, page.NextRecordIdentifier
	}
}
