package route53

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/elbzone"
	"github.com/hardstand/hardstand/internal/store"
)

// AWS's quotas: record sets in a zone, values and characters in a batch. An UPSERT
// counts twice.
const (
	maxRecords    = 10000
	maxBatch      = 1000
	maxCharacters = 32000
)

// ChangeResourceRecordSets makes a batch of changes, all or none.
func (s *Service) ChangeResourceRecordSets(ctx context.Context, in *api.ChangeResourceRecordSetsInput) (*api.ChangeResourceRecordSetsOutput, error) {
	c := aws.CallFrom(ctx)
	list, err := parseBatch(in.ChangeBatch.Changes)
	if err != nil {
		return nil, err
	}
	known, err := s.balancersMeant(ctx, in.ChangeBatch.Changes)
	if err != nil {
		return nil, err
	}
	info, err := s.changeZone(ctx, in.HostedZoneId, aws.Val(in.ChangeBatch.Comment), func(tx *store.Tx, k store.Key, z *zone) error {
		b := &batch{tx: tx, id: k.ID, zone: z, token: c.Token, balancers: known}
		for _, ch := range list {
			if err := b.apply(ch); err != nil {
				return err
			}
		}
		if err := b.whole(); err != nil {
			return err
		}
		if z.Records > maxRecords {
			b.refuse("Limits Exceeded: MAX_RRSETS_BY_ZONE - Cannot create more than %d record sets in a hosted zone.", maxRecords)
		}
		return b.err()
	})
	if err != nil {
		return nil, err
	}
	return &api.ChangeResourceRecordSetsOutput{ChangeInfo: info}, nil
}

// wanted is one change, parsed.
type wanted struct {
	action api.ChangeAction
	record *record
}

// parseBatch judges what can be judged without the zone.
func parseBatch(list []api.Change) ([]wanted, error) {
	count, characters := 0, 0
	var out []wanted
	var wrong []string
	for _, ch := range list {
		r, err := parseRecord(ch)
		if err != nil {
			return nil, err
		}
		weight := 1
		if ch.Action == "UPSERT" {
			weight = 2
		}
		count += weight * max(1, len(r.Values))
		for _, v := range r.Values {
			characters += weight * len(v)
		}
		wrong = append(wrong, badValues(r)...)
		out = append(out, wanted{ch.Action, r})
	}
	switch {
	case count > maxBatch:
		return nil, badBatch(fmt.Sprintf("Number of records limit of %d exceeded.", maxBatch))
	case characters > maxCharacters:
		return nil, badBatch(fmt.Sprintf("Number of characters limit of %d exceeded.", maxCharacters))
	case len(wrong) > 0:
		return nil, badBatch(wrong...)
	}
	return out, nil
}

func badBatch(list ...string) *awserr.Error {
	return awserr.New("InvalidChangeBatch", "%s", "["+strings.Join(list, ", ")+"]")
}

// batch applies changes to a zone and gathers what is wrong with them.
type batch struct {
	tx    *store.Tx
	id    string
	zone  *zone
	token string
	wrong []string
	// aliases are looked at when all changes are made: a batch may bring the target.
	aliases []*record
	// balancers are the names that aliases point at of load balancers that are there.
	balancers map[string]bool
}

func (b *batch) refuse(format string, args ...any) {
	b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
}

func (b *batch) err() error {
	if len(b.wrong) == 0 {
		return nil
	}
	return badBatch(b.wrong...)
}

// apply makes one change.
func (b *batch) apply(w wanted) error {
	r := w.record
	if !within(r.Name, b.zone.Name) {
		b.refuse("RRSet with DNS name %s is not permitted in zone %s", shown(r.Name), shown(b.zone.Name))
		return nil
	}
	there, err := at(b.tx, b.id, r.Name)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(there, func(o *record) bool { return o.Type == r.Type && o.SetID == r.SetID })
	key := recordKey(b.id, r)
	switch w.action {
	case "DELETE":
		switch {
		case i < 0:
			b.refuse("Tried to delete resource record set %s but it was not found", r.named())
			return nil
		case !there[i].same(r):
			b.refuse("Tried to delete resource record set %s but the values provided do not match the current values", r.named())
			return nil
		}
		b.zone.Records--
		return records.Delete(b.tx, key)
	case "CREATE":
		if i >= 0 && b.token != "" && there[i].Token == b.token {
			return nil // a creation repeated after a crash
		}
		if i >= 0 {
			b.refuse("Tried to create resource record set %s but it already exists", r.named())
			return nil
		}
		r.Token = b.token
	}
	if !b.fits(r, there) {
		return nil
	}
	if i < 0 {
		b.zone.Records++
	}
	if r.Alias != nil {
		b.aliases = append(b.aliases, r)
	}
	return records.Put(b.tx, key, r)
}

// named is how messages name a record set.
func (r *record) named() string {
	text := fmt.Sprintf("name='%s', type='%s'", shown(r.Name), r.Type)
	if r.SetID != "" {
		text += fmt.Sprintf(", set-identifier='%s'", r.SetID)
	}
	return "[" + text + "]"
}

// fits holds a record set against the others of its name.
func (b *batch) fits(r *record, there []*record) bool {
	before := len(b.wrong)
	if r.Type == "CNAME" && r.Name == b.zone.Name {
		b.refuse("RRSet of type CNAME with DNS name %s is not permitted at apex in zone %s", shown(r.Name), shown(b.zone.Name))
		return false
	}
	for _, o := range there {
		switch {
		case o.Type != r.Type && r.Type == "CNAME":
			b.refuse("RRSet of type CNAME with DNS name %s is not permitted as it conflicts with other records with the same DNS name in zone %s",
				shown(r.Name), shown(b.zone.Name))
		case o.Type != r.Type && o.Type == "CNAME":
			b.refuse("RRSet of type %s with DNS name %s is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone %s",
				r.Type, shown(r.Name), shown(b.zone.Name))
		case o.Type == r.Type && o.SetID != r.SetID && (o.policy() == "" || r.policy() == ""):
			b.refuse("RRSet with DNS name %s, type %s%s cannot be created as other RRSets exist with the same name and type.", shown(r.Name), r.Type, r.identified())
		case o.Type == r.Type && o.SetID != r.SetID && o.policy() != r.policy():
			b.refuse("RRSet with DNS name %s, type %s%s cannot be created because a non %s rrset exists with the same name and type.",
				shown(r.Name), r.Type, r.identified(), r.policy())
		case o.Type == r.Type && o.SetID != r.SetID && r.Failover != "" && o.Failover == r.Failover:
			b.refuse("Failover record sets with the same name and type have the same failover type: %s", strings.ToLower(r.Failover))
		default:
			continue
		}
		break
	}
	return len(b.wrong) == before
}

func (r *record) identified() string {
	if r.SetID == "" {
		return ""
	}
	return ", SetIdentifier " + r.SetID
}

// policy is how one of several record sets of a name and type is chosen.
func (r *record) policy() string {
	switch {
	case r.Weight != nil:
		return "weighted"
	case r.Failover != "":
		return "failover"
	case r.MultiValue:
		return "multivalue answer"
	}
	return ""
}

// whole holds the zone as it has become against its own rules.
func (b *batch) whole() error {
	apex, err := at(b.tx, b.id, b.zone.Name)
	if err != nil {
		return err
	}
	has := func(kind string) bool {
		return slices.ContainsFunc(apex, func(r *record) bool { return r.Type == kind })
	}
	if !has("SOA") {
		b.refuse("A HostedZone must contain exactly one SOA record.")
	}
	if !has("NS") {
		b.refuse("A HostedZone must contain at least one NS record for the zone itself.")
	}
	for _, r := range b.aliases {
		if err := b.target(r); err != nil {
			return err
		}
	}
	return nil
}

// balancersMeant are the names of load balancers that aliases point at.
func (s *Service) balancersMeant(ctx context.Context, changes []api.Change) (map[string]bool, error) {
	known := map[string]bool{}
	for _, ch := range changes {
		t := ch.ResourceRecordSet.AliasTarget
		if t == nil || !elbzone.Known(bare(t.HostedZoneId)) || s.cfg.Balancers == nil {
			continue
		}
		name := canonical(aws.Val(t.DNSName))
		_, there, err := s.cfg.Balancers(ctx, strings.TrimSuffix(name, "."))
		if err != nil {
			return nil, err
		}
		known[name] = there
	}
	return known, nil
}

// target looks for what an alias points at: a record set of the same zone and type, or
// a load balancer. Of AWS's other targets none is here to be pointed at.
func (b *batch) target(r *record) error {
	what := fmt.Sprintf("Tried to create an alias that targets %s, type %s in zone %s, but ", shown(r.Alias.Name), r.Type, r.Alias.Zone)
	if elbzone.Known(r.Alias.Zone) && (r.Type == "A" || r.Type == "AAAA") {
		if !b.balancers[r.Alias.Name] {
			b.refuse("%sthat target was not found", what)
		}
		return nil
	}
	if r.Alias.Zone != b.id || !within(r.Alias.Name, b.zone.Name) {
		b.refuse("%sthe alias target name does not lie within the target zone", what)
		return nil
	}
	there, err := at(b.tx, b.id, r.Alias.Name)
	if err == nil && (r.Alias.Name == r.Name || !slices.ContainsFunc(there, func(o *record) bool { return o.Type == r.Type })) {
		b.refuse("%sthat target was not found", what)
	}
	return err
}
