package route53

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::Route53::HostedZone":     resourceZone{s},
		"AWS::Route53::RecordSet":      resourceRecord{s},
		"AWS::Route53::RecordSetGroup": resourceRecordGroup{s},
	}
}

func invoke[O any](ctx context.Context, s *Service, operation string, in any) (*O, error) {
	return wire.Call[O](ctx, s.cfg.Invoker, name, operation, in)
}

// whichZone finds the zone that a record set's properties name, by id or by name.
func (s *Service) whichZone(ctx context.Context, id, zoneName *string) (string, error) {
	switch {
	case id != nil && zoneName != nil:
		return "", &stack.PropertyError{Message: "Invalid request: only one of HostedZoneId and HostedZoneName may be specified"}
	case id != nil:
		return bare(id), nil
	case zoneName == nil:
		return "", &stack.PropertyError{Message: "Invalid request: either HostedZoneId or HostedZoneName must be specified"}
	case !strings.HasSuffix(*zoneName, "."):
		return "", &stack.PropertyError{Message: "HostedZoneName must end with a dot: " + *zoneName}
	}
	out, err := invoke[api.ListHostedZonesByNameOutput](ctx, s, "ListHostedZonesByName", &api.ListHostedZonesByNameInput{DNSName: zoneName})
	if err != nil {
		return "", err
	}
	var found []string
	for _, z := range out.HostedZones {
		if canonical(aws.Val(z.Name)) == canonical(*zoneName) {
			found = append(found, bare(z.Id))
		}
	}
	switch len(found) {
	case 0:
		return "", &stack.PropertyError{Message: "No hosted zones named " + *zoneName + " found"}
	case 1:
		return found[0], nil
	}
	return "", &stack.PropertyError{Message: "Found multiple hosted zones named " + *zoneName + ": specify HostedZoneId"}
}
