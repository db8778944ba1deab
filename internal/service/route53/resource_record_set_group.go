package route53

import (
	"context"
	"errors"
	"reflect"
	"slices"

	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceRecordGroup is AWS::Route53::RecordSetGroup: record sets of one zone that
// are made in one batch. Its physical id is a name of its own.
type resourceRecordGroup struct{ s *Service }

type groupProperties struct {
	HostedZoneId   *string //nolint:revive // the property's name
	HostedZoneName *string
	Comment        *string
	RecordSets     []recordContent
}

func (resourceRecordGroup) Schema() stack.Schema { return stack.SchemaOf(groupProperties{}) }

func (t resourceRecordGroup) place(ctx context.Context, properties map[string]any) (p groupProperties, zoneID string, err error) {
	if err := stack.Decode(properties, &p); err != nil {
		return p, "", err
	}
	for _, r := range p.RecordSets {
		if r.Name == "" || r.Type == "" {
			return p, "", &stack.PropertyError{Message: "Property validation failure: [The property {/RecordSets} needs Name and Type in each of its items]"}
		}
	}
	zoneID, err = t.s.whichZone(ctx, p.HostedZoneId, p.HostedZoneName)
	return p, zoneID, err
}

// maxGroupName is how long the physical id may be.
const maxGroupName = 128

func (t resourceRecordGroup) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err != nil {
		return stack.Result{}, err
	}
	var list []api.Change
	for _, content := range p.RecordSets {
		list = append(list, api.Change{Action: "CREATE", ResourceRecordSet: content.api()})
	}
	if len(list) > 0 {
		if err := t.s.changeRecords(ctx, zoneID, p.Comment, list); err != nil {
			return stack.Result{}, err
		}
	}
	id := r.Name(maxGroupName)
	started(id)
	return stack.Result{PhysicalID: id}, nil
}

// Read finds the group while one of its record sets is there.
func (t resourceRecordGroup) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err != nil {
		return stack.Result{}, gone(err)
	}
	for _, content := range p.RecordSets {
		if _, err := t.s.current(ctx, zoneID, content); !errors.Is(err, stack.ErrNotFound) {
			return stack.Result{PhysicalID: r.PhysicalID}, err
		}
	}
	return stack.Result{}, stack.ErrNotFound
}

func (t resourceRecordGroup) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err != nil {
		return stack.Result{}, err
	}
	var old groupProperties
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	var list []api.Change
	for _, o := range old.RecordSets {
		if slices.ContainsFunc(p.RecordSets, func(n recordContent) bool { return n.is(*o.api()) }) {
			continue
		}
		now, err := t.s.current(ctx, zoneID, o)
		switch {
		case errors.Is(err, stack.ErrNotFound):
		case err != nil:
			return stack.Result{}, err
		default:
			list = append(list, api.Change{Action: "DELETE", ResourceRecordSet: now})
		}
	}
	for _, n := range p.RecordSets {
		if !slices.ContainsFunc(old.RecordSets, func(o recordContent) bool { return reflect.DeepEqual(o, n) }) {
			list = append(list, api.Change{Action: "UPSERT", ResourceRecordSet: n.api()})
		}
	}
	if len(list) == 0 {
		return stack.Result{PhysicalID: r.PhysicalID}, nil
	}
	return stack.Result{PhysicalID: r.PhysicalID}, t.s.changeRecords(ctx, zoneID, p.Comment, list)
}

func (t resourceRecordGroup) Delete(ctx context.Context, r stack.Request) error {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err == nil {
		err = t.s.removeRecords(ctx, zoneID, p.RecordSets)
	}
	if errors.Is(gone(err), stack.ErrNotFound) {
		return nil
	}
	return err
}

// Live implements stack.Live.
func (t resourceRecordGroup) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	p, zoneID, err := t.place(ctx, r.Properties)
	if err != nil {
		return nil, gone(err)
	}
	sets := []any{}
	for _, content := range p.RecordSets {
		now, err := t.s.current(ctx, zoneID, content)
		switch {
		case errors.Is(err, stack.ErrNotFound):
		case err != nil:
			return nil, err
		default:
			sets = append(sets, live(now, content))
		}
	}
	if len(sets) == 0 && len(p.RecordSets) > 0 {
		return nil, stack.ErrNotFound
	}
	return map[string]any{"RecordSets": sets}, nil
}
