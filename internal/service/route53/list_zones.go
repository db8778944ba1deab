package route53

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/store"
)

// defaultItems is how many zones a page holds.
const defaultItems = 100

// maxItems reads a MaxItems, which is text in this API.
func maxItems(s *string, most int) (int, error) {
	if s == nil {
		return most, nil
	}
	n, err := strconv.Atoi(*s)
	if err != nil || n < 1 {
		return 0, invalidInput("The value of maxitems must be a number greater than zero, not %q.", *s)
	}
	return min(n, most), nil
}

// asked is the MaxItems of an answer.
func asked(s *string) *string {
	if s == nil {
		return aws.Ptr(strconv.Itoa(defaultItems))
	}
	return s
}

func (s *Service) zones(ctx context.Context) (rows []store.Row[zone], err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err = zones.List(tx, store.Scope{Account: aws.CallFrom(ctx).Account}, "", 0)
		return err
	})
	return rows, err
}

// ListHostedZones lists the zones by their ids.
func (s *Service) ListHostedZones(ctx context.Context, in *api.ListHostedZonesInput) (*api.ListHostedZonesOutput, error) {
	limit, err := maxItems(in.MaxItems, defaultItems)
	if err != nil {
		return nil, err
	}
	rows, err := s.zones(ctx)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r store.Row[zone]) bool {
		return in.Marker != nil && r.Key.ID < bare(in.Marker) || in.DelegationSetId != nil || in.HostedZoneType == "PrivateHostedZone" && !r.Value.Private
	})
	out := &api.ListHostedZonesOutput{HostedZones: []api.HostedZone{}, Marker: in.Marker, MaxItems: asked(in.MaxItems), IsTruncated: aws.Ptr(len(rows) > limit)}
	if len(rows) > limit {
		out.NextMarker, rows = &rows[limit].Key.ID, rows[:limit]
	}
	for _, r := range rows {
		out.HostedZones = append(out.HostedZones, *r.Value.api(r.Key.ID))
	}
	return out, nil
}

// ListHostedZonesByName lists the zones by their names, labels reversed.
func (s *Service) ListHostedZonesByName(ctx context.Context, in *api.ListHostedZonesByNameInput) (*api.ListHostedZonesByNameOutput, error) {
	limit, err := maxItems(in.MaxItems, defaultItems)
	switch {
	case err != nil:
		return nil, err
	case in.HostedZoneId != nil && in.DNSName == nil:
		return nil, invalidInput("The DNSName must be specified when the HostedZoneId is specified.")
	}
	rows, err := s.zones(ctx)
	if err != nil {
		return nil, err
	}
	place := func(r store.Row[zone]) string { return reversed(r.Value.Name) + "\x00" + r.Key.ID }
	slices.SortFunc(rows, func(a, b store.Row[zone]) int { return strings.Compare(place(a), place(b)) })
	if in.DNSName != nil {
		from := reversed(canonical(*in.DNSName)) + "\x00" + bare(in.HostedZoneId)
		rows = slices.DeleteFunc(rows, func(r store.Row[zone]) bool { return place(r) < from })
	}
	out := &api.ListHostedZonesByNameOutput{HostedZones: []api.HostedZone{}, DNSName: in.DNSName, HostedZoneId: in.HostedZoneId,
		MaxItems: asked(in.MaxItems), IsTruncated: aws.Ptr(len(rows) > limit)}
	if len(rows) > limit {
		out.NextDNSName, out.NextHostedZoneId, rows = aws.Ptr(shown(rows[limit].Value.Name)), &rows[limit].Key.ID, rows[:limit]
	}
	for _, r := range rows {
		out.HostedZones = append(out.HostedZones, *r.Value.api(r.Key.ID))
	}
	return out, nil
}

// GetHostedZoneCount counts the account's zones.
func (s *Service) GetHostedZoneCount(ctx context.Context, _ *api.GetHostedZoneCountInput) (*api.GetHostedZoneCountOutput, error) {
	rows, err := s.zones(ctx)
	return &api.GetHostedZoneCountOutput{HostedZoneCount: aws.Ptr(int64(len(rows)))}, err
}

// accountLimits are AWS's quotas by default. Of what is not built there is none.
var accountLimits = map[api.AccountLimitType]int64{"MAX_HEALTH_CHECKS_BY_OWNER": 200, "MAX_HOSTED_ZONES_BY_OWNER": maxZones,
	"MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER": 5, "MAX_REUSABLE_DELEGATION_SETS_BY_OWNER": 100, "MAX_TRAFFIC_POLICIES_BY_OWNER": 50}

// GetAccountLimit tells a quota and how much of it is used.
func (s *Service) GetAccountLimit(ctx context.Context, in *api.GetAccountLimitInput) (*api.GetAccountLimitOutput, error) {
	out := &api.GetAccountLimitOutput{Limit: &api.AccountLimit{Type: in.Type, Value: aws.Ptr(accountLimits[in.Type])}, Count: aws.Ptr[int64](0)}
	if in.Type != "MAX_HOSTED_ZONES_BY_OWNER" {
		return out, nil
	}
	rows, err := s.zones(ctx)
	out.Count = aws.Ptr(int64(len(rows)))
	return out, err
}

// GetHostedZoneLimit tells a zone's quota and how much of it is used.
func (s *Service) GetHostedZoneLimit(ctx context.Context, in *api.GetHostedZoneLimitInput) (*api.GetHostedZoneLimitOutput, error) {
	_, z, err := s.zone(ctx, in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	limit, count := int64(maxRecords), z.Records
	if in.Type == "MAX_VPCS_ASSOCIATED_BY_ZONE" {
		if !z.Private {
			return nil, invalidInput("The limit MAX_VPCS_ASSOCIATED_BY_ZONE is one of private hosted zones.")
		}
		limit, count = maxVPCs, int64(len(z.VPCs))
	}
	return &api.GetHostedZoneLimitOutput{Limit: &api.HostedZoneLimit{Type: in.Type, Value: &limit}, Count: &count}, nil
}

// GetDNSSEC tells that a zone is not signed.
func (s *Service) GetDNSSEC(ctx context.Context, in *api.GetDNSSECInput) (*api.GetDNSSECOutput, error) {
	_, z, err := s.zone(ctx, in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	if z.Private {
		return nil, invalidInput("DNSSEC is not supported for private hosted zones.")
	}
	return &api.GetDNSSECOutput{Status: &api.DNSSECStatus{ServeSignature: aws.Ptr("NOT_SIGNING")}, KeySigningKeys: []api.KeySigningKey{}}, nil
}

// ListHealthChecks tells that there are none.
func (s *Service) ListHealthChecks(_ context.Context, in *api.ListHealthChecksInput) (*api.ListHealthChecksOutput, error) {
	return &api.ListHealthChecksOutput{HealthChecks: []api.HealthCheck{}, Marker: in.Marker, MaxItems: asked(in.MaxItems), IsTruncated: aws.Ptr(false)}, nil
}

// ListQueryLoggingConfigs tells that there are none.
func (s *Service) ListQueryLoggingConfigs(ctx context.Context, in *api.ListQueryLoggingConfigsInput) (*api.ListQueryLoggingConfigsOutput, error) {
	if in.HostedZoneId != nil {
		if _, _, err := s.zone(ctx, in.HostedZoneId); err != nil {
			return nil, err
		}
	}
	return &api.ListQueryLoggingConfigsOutput{QueryLoggingConfigs: []api.QueryLoggingConfig{}}, nil
}

// ListTrafficPolicies tells that there are none.
func (s *Service) ListTrafficPolicies(_ context.Context, in *api.ListTrafficPoliciesInput) (*api.ListTrafficPoliciesOutput, error) {
	return &api.ListTrafficPoliciesOutput{TrafficPolicySummaries: []api.TrafficPolicySummary{}, IsTruncated: aws.Ptr(false),
		TrafficPolicyIdMarker: aws.Ptr(aws.Val(in.TrafficPolicyIdMarker)), MaxItems: asked(in.MaxItems)}, nil
}
