package route53

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// zone is a row of route53.zone; the key's ID is the zone's, without a region.
type zone struct {
	Name                     string // canonical
	CallerReference, Comment string
	Private                  bool
	VPCs                     []vpc    `json:",omitempty"`
	NameServers              []string `json:",omitempty"` // of public zones
	Created                  time.Time
	Tags                     []tag  `json:",omitempty"`
	Records                  int64  // how many record sets there are
	Token                    string `json:",omitempty"` // made the zone, where a stack did
}

type vpc struct{ Region, ID string }

type tag struct{ Key, Value string }

// record is a row of route53.record: one record set. Its key's ID is recordID, so
// that rows are in the order of ListResourceRecordSets.
type record struct {
	Name, Type, SetID string
	TTL               int64    `json:",omitempty"`
	Values            []string `json:",omitempty"`
	Alias             *alias   `json:",omitempty"`
	Weight            *int64   `json:",omitempty"`
	Failover          string   `json:",omitempty"`
	MultiValue        bool     `json:",omitempty"`
	Token             string   `json:",omitempty"` // made the record set, where a stack did
}

// alias points at another record set of the zone.
type alias struct {
	Zone, Name string
	Evaluate   bool
}

// change is a row of route53.change: what GetChange tells of.
type change struct {
	Submitted time.Time
	Comment   string `json:",omitempty"`
}

var (
	zones = &store.Table[zone]{Name: "route53.zone", Version: 1, Indexes: []store.Index[zone]{
		{Name: "vpc", Value: func(_ store.Key, z *zone) (out []string) {
			for _, v := range z.VPCs {
				out = append(out, v.ID)
			}
			return out
		}},
		{Name: "reference", Unique: true, Value: func(k store.Key, z *zone) []string { return []string{k.Account + "\x00" + z.CallerReference} }},
		{Name: "public", Value: func(_ store.Key, z *zone) []string {
			if z.Private {
				return nil
			}
			return []string{z.Name}
		}},
	}}
	records = &store.Table[record]{Name: "route53.record", Version: 1}
	changes = &store.Table[change]{Name: "route53.change", Version: 1, Indexes: []store.Index[change]{
		store.TimeIndex("submitted", func(c *change) time.Time { return c.Submitted }),
	}}
)

func zoneKey(c aws.Call, id *string) store.Key { return store.Key{Account: c.Account, ID: bare(id)} }

func namePrefix(zoneID, name string) string { return zoneID + "\x00" + reversed(name) }

func recordID(zoneID string, r *record) string {
	return namePrefix(zoneID, r.Name) + "\x00" + r.Type + "\x00" + r.SetID
}

func recordKey(zoneID string, r *record) store.Key { return store.Key{ID: recordID(zoneID, r)} }

// needZone returns a zone of the caller's account.
func needZone(tx *store.Tx, c aws.Call, id *string) (store.Key, *zone, error) {
	k := zoneKey(c, id)
	z, err := zones.Get(tx, k)
	if errors.Is(err, store.ErrNotFound) {
		err = awserr.Status(404, "NoSuchHostedZone", "No hosted zone found with ID: %s", k.ID)
	}
	return k, z, err
}

// scanPage is how many rows a scan reads at a time.
const scanPage = 100

// scan visits the record sets whose ids begin with prefix, in order, until fn says
// false.
func scan(tx *store.Tx, prefix, after string, fn func(id string, r *record) bool) error {
	for {
		rows, err := records.List(tx, store.Scope{}, max(prefix, after), scanPage)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !strings.HasPrefix(row.Key.ID, prefix) || !fn(row.Key.ID, row.Value) {
				return nil
			}
			after = row.Key.ID
		}
		if len(rows) < scanPage {
			return nil
		}
	}
}

// at returns the record sets of a name.
func at(tx *store.Tx, zoneID, recordName string) (out []*record, err error) {
	err = scan(tx, namePrefix(zoneID, recordName)+"\x00", "", func(_ string, r *record) bool {
		out = append(out, r)
		return true
	})
	return out, err
}

// exists reports whether a name has record sets, or names below it have.
func exists(tx *store.Tx, zoneID, recordName string) (found bool, err error) {
	err = scan(tx, namePrefix(zoneID, recordName), "", func(string, *record) bool {
		found = true
		return false
	})
	return found, err
}

// keepChanges is how long GetChange knows a change.
const keepChanges = 30 * 24 * time.Hour

// Aging returns what removes old changes, until its ctx ends.
func (s *Service) Aging() []func(context.Context) error {
	return []func(context.Context) error{
		func(ctx context.Context) error { return changes.Expire(ctx, s.cfg.DB, "submitted", keepChanges, nil) },
	}
}

func emit(tx *store.Tx, c aws.Call, zoneID string) {
	tx.Emit(store.Event{Account: c.Account, Service: name, Resource: zoneID, Kind: "zone", RequestID: c.RequestID})
}

// submit tells of a zone that came or went by a change.
func submit(tx *store.Tx, c aws.Call, zoneID, comment string) (*api.ChangeInfo, error) {
	emit(tx, c, zoneID)
	return putChange(tx, c, comment)
}

// putChange writes a change, which is in force as soon as it is committed.
func putChange(tx *store.Tx, c aws.Call, comment string) (*api.ChangeInfo, error) {
	id := "C" + ids.Upper(20)
	err := changes.Put(tx, store.Key{Account: c.Account, ID: id}, &change{Submitted: tx.Now(), Comment: comment})
	info := &api.ChangeInfo{Id: aws.Ptr("/change/" + id), Status: "PENDING", SubmittedAt: aws.Ptr(tx.Now())}
	if comment != "" {
		info.Comment = &comment
	}
	return info, err
}

// GetChange tells that a change is in force.
func (s *Service) GetChange(ctx context.Context, in *api.GetChangeInput) (*api.GetChangeOutput, error) {
	c := aws.CallFrom(ctx)
	id := bare(in.Id)
	var ch *change
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		ch, err = changes.Get(tx, store.Key{Account: c.Account, ID: id})
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, awserr.Status(404, "NoSuchChange", "Could not find resource with ID: %s", id)
	}
	if err != nil {
		return nil, err
	}
	out := &api.ChangeInfo{Id: aws.Ptr("/change/" + id), Status: "INSYNC", SubmittedAt: &ch.Submitted}
	if ch.Comment != "" {
		out.Comment = &ch.Comment
	}
	return &api.GetChangeOutput{ChangeInfo: out}, nil
}

func invalidInput(format string, args ...any) *awserr.Error {
	return awserr.New("InvalidInput", format, args...)
}

func notImplemented(format string, args ...any) *awserr.Error {
	return awserr.Status(501, "NotImplemented", "hardstand does not implement "+format, args...)
}

// api is a record set in the form of the API.
func (r *record) api() api.ResourceRecordSet {
	out := api.ResourceRecordSet{Name: aws.Ptr(shown(r.Name)), Type: api.RRType(r.Type), Weight: r.Weight, Failover: api.ResourceRecordSetFailover(r.Failover)}
	if r.SetID != "" {
		out.SetIdentifier = &r.SetID
	}
	if r.MultiValue {
		out.MultiValueAnswer = &r.MultiValue
	}
	if r.Alias != nil {
		out.AliasTarget = &api.AliasTarget{HostedZoneId: &r.Alias.Zone, DNSName: aws.Ptr(shown(r.Alias.Name)), EvaluateTargetHealth: &r.Alias.Evaluate}
		return out
	}
	out.TTL = &r.TTL
	for _, v := range r.Values {
		out.ResourceRecords = append(out.ResourceRecords, api.ResourceRecord{Value: &v})
	}
	return out
}

// same reports whether two record sets say the same, the order of values apart.
func (r *record) same(o *record) bool {
	a, b := *r, *o
	a.Token, b.Token = "", ""
	a.Values, b.Values = slices.Sorted(slices.Values(r.Values)), slices.Sorted(slices.Values(o.Values))
	return fmt.Sprint(a.flat()) == fmt.Sprint(b.flat())
}

// flat is a record set without pointers, for comparison.
func (r record) flat() []any {
	al := alias{}
	if r.Alias != nil {
		al = *r.Alias
	}
	weight := int64(-1)
	if r.Weight != nil {
		weight = *r.Weight
	}
	return []any{r.Name, r.Type, r.SetID, r.TTL, strings.Join(r.Values, "\x00"), al, weight, r.Failover, r.MultiValue}
}
