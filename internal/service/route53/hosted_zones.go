package route53

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// maxZones is AWS's quota of hosted zones per account.
const maxZones = 500

// CreateHostedZone makes a zone with its NS and SOA records.
func (s *Service) CreateHostedZone(ctx context.Context, in *api.CreateHostedZoneInput) (*api.CreateHostedZoneOutput, error) {
	z, err := s.judgeZone(ctx, in)
	if err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	k := store.Key{Account: c.Account, ID: "Z" + ids.Upper(20)}
	out := &api.CreateHostedZoneOutput{VPC: in.VPC}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		again, err := zones.Lookup(tx, "reference", c.Account+"\x00"+z.CallerReference)
		if err != nil {
			return err
		}
		if len(again) > 0 {
			if c.Token == "" || again[0].Value.Token != c.Token {
				return awserr.Status(409, "HostedZoneAlreadyExists", "A hosted zone has already been created with the specified caller reference.")
			}
			k, z = again[0].Key, again[0].Value // a creation repeated after a crash
			out.ChangeInfo, err = submit(tx, c, k.ID, "")
			return err
		}
		if err := z.mayBe(tx, c); err != nil {
			return err
		}
		z.Created = tx.Now()
		for _, r := range z.own() {
			z.Records++
			if err := records.Put(tx, recordKey(k.ID, r), r); err != nil {
				return err
			}
		}
		if out.ChangeInfo, err = submit(tx, c, k.ID, ""); err != nil {
			return err
		}
		return zones.Insert(tx, k, z)
	})
	if err != nil {
		return nil, err
	}
	out.HostedZone, out.DelegationSet = z.api(k.ID), z.delegation()
	out.Location = aws.Ptr("https://route53.amazonaws.com/2013-04-01/hostedzone/" + k.ID)
	return out, nil
}

func (s *Service) judgeZone(ctx context.Context, in *api.CreateHostedZoneInput) (*zone, error) {
	cfg := in.HostedZoneConfig
	if cfg == nil {
		cfg = &api.HostedZoneConfig{}
	}
	z := &zone{Name: canonical(aws.Val(in.Name)), CallerReference: aws.Val(in.CallerReference), Comment: aws.Val(cfg.Comment),
		Private: aws.Val(cfg.PrivateZone) || in.VPC != nil, Token: aws.CallFrom(ctx).Token}
	switch {
	case badName(z.Name) != "" || strings.Contains(z.Name, "*"):
		return nil, awserr.New("InvalidDomainName", "%s is not a valid domain name", aws.Val(in.Name))
	case !z.Private && within(z.Name, "amazonaws.com."):
		return nil, awserr.New("InvalidDomainName", "%s is reserved by AWS!", shown(z.Name))
	case in.DelegationSetId != nil:
		return nil, notImplemented("reusable delegation sets (DelegationSetId).")
	case in.VPC == nil && z.Private:
		return nil, invalidInput("When you're creating a private hosted zone (when you specify true for PrivateZone), you must also specify values for VPCId and VPCRegion.")
	}
	if in.VPC == nil {
		set := rand.IntN(64)
		for i, top := range topDomains {
			z.NameServers = append(z.NameServers, fmt.Sprintf("ns-%d.awsdns-%02d.%s", i*512+rand.IntN(512), set, top))
		}
		return z, nil
	}
	v, err := s.vpc(ctx, in.VPC)
	z.VPCs = []vpc{v}
	return z, err
}

// topDomains are those of a zone's four name servers.
var topDomains = []string{"com", "net", "org", "co.uk"}

// mayBe holds a new zone against those that there are.
func (z *zone) mayBe(tx *store.Tx, c aws.Call) error {
	all, err := zones.List(tx, store.Scope{Account: c.Account}, "", 0)
	if err != nil {
		return err
	}
	if len(all) >= maxZones {
		return awserr.New("TooManyHostedZones", "Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - Cannot create more than %d hosted zones.", maxZones)
	}
	for _, v := range z.VPCs {
		if err := conflict(tx, v, z.Name); err != nil {
			return err
		}
	}
	return nil
}

// conflict refuses a second private zone of a name in a VPC.
func conflict(tx *store.Tx, v vpc, zoneName string) error {
	rows, err := zones.Lookup(tx, "vpc", v.ID)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Value.Name == zoneName {
			return awserr.New("ConflictingDomainExists", "The VPC %s in region %s has already been associated with the hosted zone %s with the same domain name.",
				v.ID, v.Region, r.Key.ID)
		}
	}
	return nil
}

const (
	nsTTL, soaTTL = 172800, 900
	hostmaster    = "awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
)

// own are the record sets that a zone has from its beginning.
func (z *zone) own() []*record {
	servers := z.NameServers
	first := 0
	if z.Private {
		first = 3
		for i, top := range topDomains {
			servers = append(servers, fmt.Sprintf("ns-%d.awsdns-00.%s", i*512, top))
		}
	}
	ns := &record{Name: z.Name, Type: "NS", TTL: nsTTL}
	for _, host := range servers {
		ns.Values = append(ns.Values, host+".")
	}
	return []*record{ns, {Name: z.Name, Type: "SOA", TTL: soaTTL, Values: []string{servers[first] + ". " + hostmaster}}}
}

func (z *zone) api(id string) *api.HostedZone {
	out := &api.HostedZone{Id: aws.Ptr("/hostedzone/" + id), Name: aws.Ptr(shown(z.Name)), CallerReference: &z.CallerReference,
		Config: &api.HostedZoneConfig{PrivateZone: &z.Private}, ResourceRecordSetCount: &z.Records}
	if z.Comment != "" {
		out.Config.Comment = &z.Comment
	}
	return out
}

// delegation is nil for private zones: nobody delegates to them.
func (z *zone) delegation() *api.DelegationSet {
	if z.Private {
		return nil
	}
	return &api.DelegationSet{NameServers: z.NameServers}
}

// GetHostedZone describes a zone.
func (s *Service) GetHostedZone(ctx context.Context, in *api.GetHostedZoneInput) (*api.GetHostedZoneOutput, error) {
	k, z, err := s.zone(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	out := &api.GetHostedZoneOutput{HostedZone: z.api(k.ID), DelegationSet: z.delegation()}
	for _, v := range z.VPCs {
		out.VPCs = append(out.VPCs, v.api())
	}
	return out, nil
}

// zone reads a zone of the caller's account.
func (s *Service) zone(ctx context.Context, id *string) (k store.Key, z *zone, err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		k, z, err = needZone(tx, aws.CallFrom(ctx), id)
		return err
	})
	return k, z, err
}

// editZone runs fn on a zone and stores it, where no change is told of.
func (s *Service) editZone(ctx context.Context, id *string, fn func(tx *store.Tx, k store.Key, z *zone) error) error {
	c := aws.CallFrom(ctx)
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, z, err := needZone(tx, c, id)
		if err != nil {
			return err
		}
		if err := fn(tx, k, z); err != nil {
			return err
		}
		emit(tx, c, k.ID)
		return zones.Put(tx, k, z)
	})
}

// changeZone is editZone for what GetChange tells of.
func (s *Service) changeZone(ctx context.Context, id *string, comment string, fn func(tx *store.Tx, k store.Key, z *zone) error) (info *api.ChangeInfo, err error) {
	err = s.editZone(ctx, id, func(tx *store.Tx, k store.Key, z *zone) error {
		if err := fn(tx, k, z); err != nil {
			return err
		}
		info, err = putChange(tx, aws.CallFrom(ctx), comment)
		return err
	})
	if err != nil {
		return nil, err
	}
	return info, nil
}

// UpdateHostedZoneComment changes a zone's comment.
func (s *Service) UpdateHostedZoneComment(ctx context.Context, in *api.UpdateHostedZoneCommentInput) (*api.UpdateHostedZoneCommentOutput, error) {
	out := &api.UpdateHostedZoneCommentOutput{}
	err := s.editZone(ctx, in.Id, func(_ *store.Tx, k store.Key, z *zone) error {
		z.Comment = aws.Val(in.Comment)
		out.HostedZone = z.api(k.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteHostedZone removes a zone that has only the records it began with.
func (s *Service) DeleteHostedZone(ctx context.Context, in *api.DeleteHostedZoneInput) (*api.DeleteHostedZoneOutput, error) {
	c := aws.CallFrom(ctx)
	out := &api.DeleteHostedZoneOutput{}
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, z, err := needZone(tx, c, in.Id)
		if err != nil {
			return err
		}
		var keys []string
		err = scan(tx, k.ID+"\x00", "", func(id string, r *record) bool {
			if r.Name == z.Name && (r.Type == "NS" || r.Type == "SOA") {
				keys = append(keys, id)
			}
			return true
		})
		if err != nil {
			return err
		}
		if int64(len(keys)) != z.Records {
			return awserr.New("HostedZoneNotEmpty", "The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
		}
		for _, id := range keys {
			if err := records.Delete(tx, store.Key{ID: id}); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		if out.ChangeInfo, err = submit(tx, c, k.ID, ""); err != nil {
			return err
		}
		return zones.Delete(tx, k)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
