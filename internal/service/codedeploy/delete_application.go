package codedeploy

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// DeleteApplication deletes an application with its groups and revisions; a
// deployment that runs in one of them is stopped. Deleting what does not exist
// succeeds, as on AWS.
func (s *Service) DeleteApplication(ctx context.Context, in *api.DeleteApplicationInput) (*api.DeleteApplicationOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	hooked, err := view(ctx, s, func(tx *store.Tx) ([]*group, error) {
		a, err := findApplication(tx, c, name)
		if err != nil {
			return nil, ignoreCode(err, "ApplicationDoesNotExistException")
		}
		return groupsOf(tx, a)
	})
	if err != nil {
		return nil, err
	}
	for _, g := range hooked {
		s.unhookAll(ctx, key(c, g.ID), g) // what is left is not in the answer, as on AWS
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := findApplication(tx, c, name)
		if err != nil {
			return ignoreCode(err, "ApplicationDoesNotExistException")
		}
		gs, err := groupsOf(tx, a)
		if err != nil {
			return err
		}
		for _, g := range gs {
			if err := deleteGroup(tx, key(c, g.ID), g); err != nil {
				return err
			}
		}
		if err := deleteRevisions(tx, c, a); err != nil {
			return err
		}
		emit(tx, key(c, a.ID), name, "application", "deleted")
		return applications.Delete(tx, key(c, a.ID))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteApplicationOutput{}, nil
}
