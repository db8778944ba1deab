package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// GetOnPremisesInstance describes an instance, also one that was deregistered.
func (s *Service) GetOnPremisesInstance(ctx context.Context, in *api.GetOnPremisesInstanceInput) (*api.GetOnPremisesInstanceOutput, error) {
	c := aws.CallFrom(ctx)
	name := aws.Val(in.InstanceName)
	if err := checkInstanceName(name); err != nil {
		return nil, err
	}
	o, err := view(ctx, s, func(tx *store.Tx) (*onPremisesInstance, error) { return onPremises.Get(tx, key(c, name)) })
	if isNotFound(err) {
		return nil, errNotRegistered(name)
	}
	if err != nil {
		return nil, err
	}
	info := o.view()
	return &api.GetOnPremisesInstanceOutput{InstanceInfo: &info}, nil
}

// BatchGetOnPremisesInstances describes instances; unknown ones are left out.
func (s *Service) BatchGetOnPremisesInstances(ctx context.Context, in *api.BatchGetOnPremisesInstancesInput) (*api.BatchGetOnPremisesInstancesOutput, error) {
	c := aws.CallFrom(ctx)
	if err := checkInstanceNames(in.InstanceNames); err != nil {
		return nil, err
	}
	if err := checkBatch(len(in.InstanceNames), maxBatch); err != nil {
		return nil, err
	}
	return view(ctx, s, func(tx *store.Tx) (*api.BatchGetOnPremisesInstancesOutput, error) {
		out := &api.BatchGetOnPremisesInstancesOutput{InstanceInfos: []api.InstanceInfo{}}
		for _, name := range in.InstanceNames {
			o, err := onPremises.Get(tx, key(c, name))
			if isNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out.InstanceInfos = append(out.InstanceInfos, o.view())
		}
		return out, nil
	})
}

// ListOnPremisesInstances returns the names of instances that pass the filters;
// without a registration status, of the registered and the deregistered.
func (s *Service) ListOnPremisesInstances(ctx context.Context, in *api.ListOnPremisesInstancesInput) (*api.ListOnPremisesInstancesOutput, error) {
	c := aws.CallFrom(ctx)
	filters := plainFilters(in.TagFilters)
	for _, f := range filters {
		if why := checkTagFilter(f); why != "" {
			return nil, awserr.New("InvalidTagFilterException", "The tag filter was specified in an invalid format. %s", why)
		}
	}
	return view(ctx, s, func(tx *store.Tx) (*api.ListOnPremisesInstancesOutput, error) {
		rows, err := onPremises.List(tx, scope(c), "", 0)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, r := range rows {
			gone := in.RegistrationStatus == api.RegistrationStatusDeregistered
			if in.RegistrationStatus != "" && gone == r.Value.registered() || len(filters) > 0 && !anyTag(filters, r.Value.Tags) {
				continue
			}
			names = append(names, r.Value.Name)
		}
		list, next, err := page(names, in.NextToken)
		return &api.ListOnPremisesInstancesOutput{InstanceNames: list, NextToken: next}, err
	})
}
