package route53

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceRecord is AWS::Route53::RecordSet; its physical id is the name.
type resourceRecord struct{ s *Service }

// recordContent is what a record set says; the type and the group have it alike.
type recordContent struct {
	Name             string
	Type             string
	TTL              *int64
	ResourceRecords  []string
	SetIdentifier    *string
	Weight           *int64
	Failover         *string
	MultiValueAnswer *bool
	AliasTarget      *aliasProperties
}

type aliasProperties struct {
	DNSName              string `cfn:",required"`
	HostedZoneId         string `cfn:",required"` //nolint:revive // the property's name
	EvaluateTargetHealth *bool
}

type recordProperties struct {
	Name             string  `cfn:",required"`
	Type             string  `cfn:",required"`
	HostedZoneId     *string //nolint:revive // the property's name
	HostedZoneName   *string
	Comment          *string
	TTL              *int64
	ResourceRecords  []string
	SetIdentifier    *string
	Weight           *int64
	Failover         *string
	MultiValueAnswer *bool
	AliasTarget      *aliasProperties
}

func (p recordProperties) content() recordContent {
	return recordContent{p.Name, p.Type, p.TTL, p.ResourceRecords, p.SetIdentifier, p.Weight, p.Failover, p.MultiValueAnswer, p.AliasTarget}
}

func (p recordContent) api() *api.ResourceRecordSet {
	out := &api.ResourceRecordSet{Name: &p.Name, Type: api.RRType(p.Type), TTL: p.TTL, SetIdentifier: p.SetIdentifier, Weight: p.Weight,
		Failover: api.ResourceRecordSetFailover(aws.Val(p.Failover)), MultiValueAnswer: p.MultiValueAnswer}
	for _, v := range p.ResourceRecords {
		out.ResourceRecords = append(out.ResourceRecords, api.ResourceRecord{Value: &v})
	}
	if a := p.AliasTarget; a != nil {
		out.AliasTarget = &api.AliasTarget{DNSName: &a.DNSName, HostedZoneId: &a.HostedZoneId, EvaluateTargetHealth: aws.Ptr(aws.Val(a.EvaluateTargetHealth))}
	}
	return out
}

// is reports whether a record set of the zone is the one that p describes.
func (p recordContent) is(o api.ResourceRecordSet) bool {
	return canonical(aws.Val(o.Name)) == canonical(p.Name) && string(o.Type) == p.Type && aws.Val(o.SetIdentifier) == aws.Val(p.SetIdentifier)
}

func (resourceRecord) Schema() stack.Schema { return stack.SchemaOf(recordProperties{}) }

// place is a record set in its zone, from a resource's properties.
func (t resourceRecord) place(ctx context.Context, properties map[string]any) (p recordProperties, zoneID string, err error) {
	if err := stack.Decode(properties, &p); err != nil {
		return p, "", err
	}
	zoneID, err = t.s.whichZone(ctx, p.HostedZoneId, p.HostedZoneName)
	return p, zoneID, err
}

func (s *Service) changeRecords(ctx context.Context, zoneID string, comment *string, list []api.Change) error {
	_, err := invoke[api.ChangeResourceRecordSetsOutput](ctx, s, "ChangeResourceRecordSets",
		&api.ChangeResourceRecordSetsInput{HostedZoneId: &zoneID, ChangeBatch: &api.ChangeBatch{Comment: comment, Changes: list}})
	return err
}

func (t resourceRecord) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err != nil {
		return stack.Result{}, err
	}
	err = t.s.changeRecords(ctx, zoneID, p.Comment, []api.Change{{Action: "CREATE", ResourceRecordSet: p.content().api()}})
	if err != nil {
		return stack.Result{}, err
	}
	started(p.Name)
	return stack.Result{PhysicalID: p.Name}, nil
}

// current returns the record set as the zone has it.
func (s *Service) current(ctx context.Context, zoneID string, p recordContent) (*api.ResourceRecordSet, error) {
	in := &api.ListResourceRecordSetsInput{HostedZoneId: &zoneID, StartRecordName: &p.Name, StartRecordType: api.RRType(p.Type), StartRecordIdentifier: p.SetIdentifier,
		MaxItems: aws.Ptr("1")}
	out, err := invoke[api.ListResourceRecordSetsOutput](ctx, s, "ListResourceRecordSets", in)
	if awserr.Is(err, "NoSuchHostedZone") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(out.ResourceRecordSets, p.is); i >= 0 {
		return &out.ResourceRecordSets[i], nil
	}
	return nil, stack.ErrNotFound
}

func (t resourceRecord) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err != nil {
		return stack.Result{}, gone(err)
	}
	_, err = t.s.current(ctx, zoneID, p.content())
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

// gone takes the absence of the zone that is named for that of the record set.
func gone(err error) error {
	if e, ok := err.(*stack.PropertyError); ok && strings.HasPrefix(e.Message, "No hosted zones named ") {
		return stack.ErrNotFound
	}
	return err
}

func (t resourceRecord) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err != nil {
		return stack.Result{}, err
	}
	var old recordProperties
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	list := []api.Change{{Action: "UPSERT", ResourceRecordSet: p.content().api()}}
	if old.Type != p.Type || aws.Val(old.SetIdentifier) != aws.Val(p.SetIdentifier) {
		was, err := t.s.current(ctx, zoneID, old.content())
		if err == nil {
			list = slices.Insert(list, 0, api.Change{Action: "DELETE", ResourceRecordSet: was})
		} else if !errors.Is(err, stack.ErrNotFound) {
			return stack.Result{}, err
		}
	}
	return stack.Result{PhysicalID: r.PhysicalID}, t.s.changeRecords(ctx, zoneID, p.Comment, list)
}

func (t resourceRecord) Delete(ctx context.Context, r stack.Request) error {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err == nil {
		err = t.s.removeRecords(ctx, zoneID, []recordContent{p.content()})
	}
	if errors.Is(gone(err), stack.ErrNotFound) {
		return nil
	}
	return err
}

// removeRecords deletes the record sets that are there.
func (s *Service) removeRecords(ctx context.Context, zoneID string, contents []recordContent) error {
	var list []api.Change
	for _, p := range contents {
		now, err := s.current(ctx, zoneID, p)
		switch {
		case errors.Is(err, stack.ErrNotFound):
		case err != nil:
			return err
		default:
			list = append(list, api.Change{Action: "DELETE", ResourceRecordSet: now})
		}
	}
	if len(list) == 0 {
		return nil
	}
	return s.changeRecords(ctx, zoneID, nil, list)
}

// live is a record set in the form of properties, with the name as it was given
// where only the final dot differs.
func live(o *api.ResourceRecordSet, p recordContent) map[string]any {
	out := map[string]any{"Name": p.Name, "Type": string(o.Type), "TTL": nil, "ResourceRecords": nil, "AliasTarget": nil,
		"SetIdentifier": nil, "Weight": nil, "Failover": nil, "MultiValueAnswer": nil}
	if o.TTL != nil {
		out["TTL"] = *o.TTL
	}
	values := []any{}
	for _, v := range o.ResourceRecords {
		values = append(values, aws.Val(v.Value))
	}
	if len(values) > 0 {
		out["ResourceRecords"] = values
	}
	if a := o.AliasTarget; a != nil {
		dnsName := aws.Val(a.DNSName)
		if p.AliasTarget != nil && canonical(p.AliasTarget.DNSName) == canonical(dnsName) {
			dnsName = p.AliasTarget.DNSName
		}
		out["AliasTarget"] = map[string]any{"DNSName": dnsName, "HostedZoneId": aws.Val(a.HostedZoneId), "EvaluateTargetHealth": aws.Val(a.EvaluateTargetHealth)}
	}
	if o.SetIdentifier != nil {
		out["SetIdentifier"] = *o.SetIdentifier
	}
	if o.Weight != nil {
		out["Weight"] = *o.Weight
	}
	if o.Failover != "" {
		out["Failover"] = string(o.Failover)
	}
	if o.MultiValueAnswer != nil {
		out["MultiValueAnswer"] = *o.MultiValueAnswer
	}
	return out
}

// Live implements stack.Live.
func (t resourceRecord) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err != nil {
		return nil, gone(err)
	}
	now, err := t.s.current(ctx, zoneID, p.content())
	if err != nil {
		return nil, err
	}
	out := live(now, p.content())
	if p.MultiValueAnswer != nil && !*p.MultiValueAnswer && out["MultiValueAnswer"] == nil {
		out["MultiValueAnswer"] = false
	}
	return out, nil
}
