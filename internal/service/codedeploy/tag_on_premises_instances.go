package codedeploy

import (
	"context"
	"maps"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// maxOnPremisesTags is how many tags an on-premises instance can have.
const maxOnPremisesTags = 10

// AddTagsToOnPremisesInstances adds or replaces tags of all the instances, or of
// none.
func (s *Service) AddTagsToOnPremisesInstances(ctx context.Context, in *api.AddTagsToOnPremisesInstancesInput) (*api.AddTagsToOnPremisesInstancesOutput, error) {
	err := s.retagOnPremises(ctx, in.InstanceNames, in.Tags, func(tags map[string]string) error {
		for _, t := range in.Tags {
			if t.Value == nil {
				return awserr.New("InvalidTagException", "The tag was specified in an invalid format. The tag %s has no value.", *t.Key)
			}
			tags[*t.Key] = *t.Value
		}
		if len(tags) > maxOnPremisesTags {
			return awserr.New("TagLimitExceededException", "The maximum allowed number of tags was exceeded: an on-premises instance can have %d.", maxOnPremisesTags)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.AddTagsToOnPremisesInstancesOutput{}, nil
}

// RemoveTagsFromOnPremisesInstances removes the tags of these keys; one that is
// given with a value only if it has that value.
func (s *Service) RemoveTagsFromOnPremisesInstances(ctx context.Context, in *api.RemoveTagsFromOnPremisesInstancesInput) (*api.RemoveTagsFromOnPremisesInstancesOutput, error) {
	err := s.retagOnPremises(ctx, in.InstanceNames, in.Tags, func(tags map[string]string) error {
		for _, t := range in.Tags {
			if t.Value == nil || tags[*t.Key] == *t.Value {
				delete(tags, *t.Key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RemoveTagsFromOnPremisesInstancesOutput{}, nil
}

// retagOnPremises edits the tags of registered instances.
func (s *Service) retagOnPremises(ctx context.Context, names []string, given []api.Tag, edit func(tags map[string]string) error) error {
	c := aws.CallFrom(ctx)
	if err := checkInstanceNames(names); err != nil {
		return err
	}
	if len(names) > maxNames {
		return awserr.New("InstanceLimitExceededException", "The maximum number of allowed on-premises instances in a single call was exceeded: %d.", maxNames)
	}
	if len(given) == 0 {
		return errTagRequired
	}
	for _, t := range given {
		if k := aws.Val(t.Key); k == "" || len(k) > maxTagKey || len(aws.Val(t.Value)) > maxTagValue {
			return awserr.New("InvalidTagException", "The tag was specified in an invalid format. A key has 1 to 128 characters, a value at most 256.")
		}
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			o, err := findOnPremises(tx, c, name)
			if err != nil {
				return err
			}
			tags := maps.Clone(o.Tags)
			if tags == nil {
				tags = map[string]string{}
			}
			if err := edit(tags); err != nil {
				return err
			}
			o.Tags = tags
			if err := onPremises.Put(tx, key(c, name), o); err != nil {
				return err
			}
		}
		return nil
	})
}
