package route53

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
)

func zoneARN(id string) string { return "arn:aws:route53:::hostedzone/" + id }

// bare strips what clients may put before an id: /hostedzone/Z1 is Z1.
func bare(id *string) string {
	s := aws.Val(id)
	return s[strings.LastIndexByte(s, '/')+1:]
}

// onZone checks the operation's action on the zone that the input names.
func onZone[I any](id func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(_ context.Context, in *I) ([]aws.Check, error) {
		return []aws.Check{{Resource: zoneARN(bare(id(in)))}}, nil
	}
}

// withVPC adds the VPC of the input to checks; nil stands for one on "*".
func withVPC[I any](checks func(context.Context, *I) ([]aws.Check, error), vpc func(*I) *api.VPC) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		list, err := []aws.Check{{Resource: "*"}}, error(nil)
		if checks != nil {
			list, err = checks(ctx, in)
		}
		if v := vpc(in); v != nil {
			for i := range list {
				list[i].Offer("route53:VPCs", "VPCId="+aws.Val(v.VPCId)+",VPCRegion="+string(v.VPCRegion))
			}
		}
		return list, err
	}
}

// changeChecks names what is changed by the condition keys that AWS has for it.
func changeChecks(_ context.Context, in *api.ChangeResourceRecordSetsInput) ([]aws.Check, error) {
	conditions := map[string][]string{}
	add := func(key, value string) {
		key = "route53:ChangeResourceRecordSets" + key
		if !slices.Contains(conditions[key], value) {
			conditions[key] = append(conditions[key], value)
		}
	}
	if in.ChangeBatch != nil {
		for _, c := range in.ChangeBatch.Changes {
			add("Actions", string(c.Action))
			if r := c.ResourceRecordSet; r != nil {
				add("RecordTypes", string(r.Type))
				add("NormalizedRecordNames", strings.TrimSuffix(shown(canonical(aws.Val(r.Name))), "."))
			}
		}
	}
	return []aws.Check{{Resource: zoneARN(bare(in.HostedZoneId)), Context: conditions}}, nil
}

func onTagged[I any](of func(*I) (api.TagResourceType, []string)) func(context.Context, *I) ([]aws.Check, error) {
	return func(_ context.Context, in *I) ([]aws.Check, error) {
		kind, ids := of(in)
		var checks []aws.Check
		for _, id := range ids {
			checks = append(checks, aws.Check{Resource: "arn:aws:route53:::" + string(kind) + "/" + bare(&id)})
		}
		if len(checks) == 0 {
			checks = []aws.Check{{Resource: "*"}}
		}
		return checks, nil
	}
}
