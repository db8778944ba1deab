package route53

import (
	"context"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/route53"
	"github.com/hardstand/hardstand/internal/store"
)

// maxListed is how many record sets a page holds.
const maxListed = 300

// ListResourceRecordSets lists a zone's record sets in the order of their names,
// labels reversed, types and identifiers.
func (s *Service) ListResourceRecordSets(ctx context.Context, in *api.ListResourceRecordSetsInput) (*api.ListResourceRecordSetsOutput, error) {
	limit, err := maxItems(in.MaxItems, maxListed)
	if err != nil {
		return nil, err
	}
	switch {
	case in.StartRecordType != "" && in.StartRecordName == nil:
		return nil, invalidInput("The input is not valid: a type without a name to start with.")
	case in.StartRecordIdentifier != nil && in.StartRecordType == "":
		return nil, invalidInput("The input is not valid: an identifier without a name and a type to start with.")
	}
	out := &api.ListResourceRecordSetsOutput{ResourceRecordSets: []api.ResourceRecordSet{}, MaxItems: in.MaxItems, IsTruncated: aws.Ptr(false)}
	if in.MaxItems == nil {
		out.MaxItems = aws.Ptr(strconv.Itoa(maxListed))
	}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		k, _, err := needZone(tx, aws.CallFrom(ctx), in.HostedZoneId)
		if err != nil {
			return err
		}
		from := ""
		if in.StartRecordName != nil {
			from = recordID(k.ID, &record{Name: canonical(*in.StartRecordName), Type: string(in.StartRecordType), SetID: aws.Val(in.StartRecordIdentifier)})
		}
		return scan(tx, k.ID+"\x00", before(from), func(id string, r *record) bool {
			if id < from {
				return true
			}
			if len(out.ResourceRecordSets) == limit {
				out.IsTruncated, out.NextRecordName, out.NextRecordType = aws.Ptr(true), aws.Ptr(shown(r.Name)), api.RRType(r.Type)
				if r.SetID != "" {
					out.NextRecordIdentifier = &r.SetID
				}
				return false
			}
			out.ResourceRecordSets = append(out.ResourceRecordSets, r.api())
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// before is a place in the order of ids that lies before from and close to it.
func before(from string) string {
	if from == "" {
		return ""
	}
	return from[:len(from)-1]
}
