package ssm

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
)

const defaultHistory = 50

// GetParameterHistory lists the versions of a parameter, from the oldest on.
func (s *Service) GetParameterHistory(ctx context.Context, in *api.GetParameterHistoryInput) (*api.GetParameterHistoryOutput, error) {
	c := aws.CallFrom(ctx)
	if p, ok := s.public(c, *in.Name); ok {
		return &api.GetParameterHistoryOutput{Parameters: []api.ParameterHistory{{Name: p.Name, Type: p.Type, Value: p.Value, Version: p.Version,
			LastModifiedDate: p.LastModifiedDate, DataType: p.DataType, Labels: []string{}, Tier: api.ParameterTierStandard, Policies: policyViews(nil)}}}, nil
	}
	out := &api.GetParameterHistoryOutput{Parameters: []api.ParameterHistory{}}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		k, p, err := find(tx, c, *in.Name)
		if err != nil {
			return orNoParameter(err, *in.Name)
		}
		page, next, ok := pages.Cut(p.Versions, in.NextToken, pages.Limit(in.MaxResults, defaultHistory))
		if !ok {
			return errToken
		}
		out.NextToken = next
		for _, v := range page {
			text, err := s.value(p, k, v, aws.Val(in.WithDecryption))
			if err != nil {
				return err
			}
			was := p.as(v)
			out.Parameters = append(out.Parameters, api.ParameterHistory{Name: &p.Name, Type: api.ParameterType(was.Type), KeyId: keyOf(was.Type),
				LastModifiedDate: aws.Ptr(v.Modified), LastModifiedUser: aws.Ptr(v.By), Description: orNil(was.Description), Value: &text,
				AllowedPattern: orNil(was.AllowedPattern), Version: aws.Ptr(v.Number), Labels: append([]string{}, v.Labels...),
				Tier: api.ParameterTier(was.Tier), Policies: policyViews(was.Policies), DataType: &was.DataType})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
