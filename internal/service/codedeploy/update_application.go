package codedeploy

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// UpdateApplication renames an application.
func (s *Service) UpdateApplication(ctx context.Context, in *api.UpdateApplicationInput) (*api.UpdateApplicationOutput, error) {
	c := aws.CallFrom(ctx)
	old, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	name, err := checkApplicationName(in.NewApplicationName)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := findApplication(tx, c, old)
		if err != nil {
			return err
		}
		a.Name = name
		emit(tx, key(c, a.ID), name, "application", "renamed from "+old)
		err = applications.Put(tx, key(c, a.ID), a)
		if errors.Is(err, store.ErrExists) {
			return awserr.New("ApplicationAlreadyExistsException", "An application with the name %s already exists.", name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateApplicationOutput{}, nil
}
