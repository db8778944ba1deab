package route53

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
)

const (
	maxTTL    = 2147483647
	maxWeight = 255
)

// parseRecord judges the shape of one change: which members go together.
func parseRecord(ch api.Change) (*record, error) {
	in := ch.ResourceRecordSet
	change := fmt.Sprintf("Change with [Action=%s, Name=%s, Type=%s, SetIdentifier=%s]", ch.Action, aws.Val(in.Name), in.Type, orNull(in.SetIdentifier))
	bad := func(format string, args ...any) error {
		return invalidInput("Invalid request: %s in %s", fmt.Sprintf(format, args...), change)
	}
	plain, found := in.TTL != nil && len(in.ResourceRecords) > 0, "none"
	if in.AliasTarget != nil && (in.TTL != nil || len(in.ResourceRecords) > 0) {
		found, plain = "more than one", false
	}
	switch policies := len(policiesOf(in)); {
	case in.HealthCheckId != nil:
		return nil, notImplemented("health checks (HealthCheckId).")
	case in.TrafficPolicyInstanceId != nil:
		return nil, notImplemented("traffic policies (TrafficPolicyInstanceId).")
	case in.Region != "" || in.GeoLocation != nil || in.GeoProximityLocation != nil || in.CidrRoutingConfig != nil:
		return nil, notImplemented("routing by latency, place or address (Region, GeoLocation, GeoProximityLocation, CidrRoutingConfig).")
	case found == "more than one" || !plain && in.AliasTarget == nil:
		return nil, bad("Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found %s", found)
	case in.SetIdentifier == nil && policies > 0:
		return nil, bad("Missing field 'SetIdentifier'")
	case in.SetIdentifier != nil && policies != 1:
		how := "none"
		if policies > 1 {
			how = "more than one"
		}
		return nil, bad("Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig], but found %s", how)
	case in.AliasTarget != nil && aws.Val(in.MultiValueAnswer):
		return nil, bad("MultiValueAnswer is not permitted with AliasTarget")
	}
	return recordOf(in), nil
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// policiesOf names the routing policies that a record set asks for.
func policiesOf(in *api.ResourceRecordSet) (out []string) {
	for name, has := range map[string]bool{"Weight": in.Weight != nil, "Failover": in.Failover != "", "MultiValueAnswer": aws.Val(in.MultiValueAnswer)} {
		if has {
			out = append(out, name)
		}
	}
	return out
}

func recordOf(in *api.ResourceRecordSet) *record {
	r := &record{Name: canonical(aws.Val(in.Name)), Type: string(in.Type), SetID: aws.Val(in.SetIdentifier), TTL: aws.Val(in.TTL),
		Weight: in.Weight, Failover: string(in.Failover), MultiValue: aws.Val(in.MultiValueAnswer)}
	if a := in.AliasTarget; a != nil {
		r.Alias = &alias{Zone: bare(a.HostedZoneId), Name: canonical(aws.Val(a.DNSName)), Evaluate: aws.Val(a.EvaluateTargetHealth)}
	}
	for _, v := range in.ResourceRecords {
		r.Values = append(r.Values, strings.TrimSpace(aws.Val(v.Value)))
	}
	return r
}

// badValues tells what is wrong with a record set's name and values.
func badValues(r *record) (out []string) {
	if what := badName(r.Name); what != "" {
		out = append(out, fmt.Sprintf("FATAL problem: %s encountered with '%s'", what, shown(r.Name)))
	}
	if i := strings.LastIndexByte(r.Name, '*'); i > 0 && r.Name[i-1] == '.' {
		out = append(out, fmt.Sprintf("FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with '%s'", shown(r.Name)))
	}
	if (r.Type == "CNAME" || r.Type == "SOA") && len(r.Values) > 1 {
		out = append(out, fmt.Sprintf("InvalidResourceRecord: A %s record set must have exactly one value.", r.Type))
	}
	for i, v := range r.Values {
		if slices.Contains(r.Values[:i], v) {
			out = append(out, fmt.Sprintf("Duplicate Resource Record: '%s'", v))
			continue
		}
		if what := badValue(r, v); what != "" {
			out = append(out, fmt.Sprintf("Invalid Resource Record: 'FATAL problem: %s encountered with '%s''", what, v))
		}
	}
	return out
}

var quoted = regexp.MustCompile(`^\s*("([^"\\]|\\.)*"\s*)+$`)

func badValue(r *record, v string) string {
	switch r.Type {
	case "A":
		if a, err := netip.ParseAddr(v); err != nil || !a.Is4() {
			return "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
		}
	case "AAAA":
		if a, err := netip.ParseAddr(v); err != nil || !a.Is6() || a.Zone() != "" {
			return "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
		}
	case "CNAME", "NS", "PTR":
		if strings.ContainsAny(v, " \t") {
			return "RRDATANotSingleField (Value contains spaces)"
		}
		return badName(canonical(v))
	case "TXT", "SPF":
		if !quoted.MatchString(v) {
			return "InvalidCharacterString (Value should be enclosed in quotation marks)"
		}
		return badStrings(v)
	}
	if _, err := r.rr(v); err != nil {
		return "InvalidRDATA (Value is not valid for a record of type " + r.Type + ")"
	}
	return ""
}

// maxString is how long one string of a TXT record may be.
const maxString = 255

func badStrings(v string) string {
	for _, part := range regexp.MustCompile(`"([^"\\]|\\.)*"`).FindAllString(v, -1) {
		if len(part)-2 > maxString {
			return "CharacterStringTooLong (Value is too long)"
		}
	}
	return ""
}

// rr is a value of a record set as a name server answers it.
func (r *record) rr(v string) (dns.RR, error) {
	zp := dns.NewZoneParser(strings.NewReader(fmt.Sprintf("x. %d IN %s %s\n", min(r.TTL, maxTTL), r.Type, v)), ".", "")
	rr, ok := zp.Next()
	if !ok {
		return nil, fmt.Errorf("record of type %s: %w", r.Type, zp.Err())
	}
	rr.Header().Name = wireName(r.Name)
	return rr, nil
}

// wireName is a canonical name as the DNS library writes it, with decimal escapes.
func wireName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case strings.IndexByte(`"\();@$`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c <= ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
