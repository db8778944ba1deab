package codedeploy

import (
	"context"
	"errors"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateApplication makes an application for the Server platform.
func (s *Service) CreateApplication(ctx context.Context, in *api.CreateApplicationInput) (*api.CreateApplicationOutput, error) {
	c := aws.CallFrom(ctx)
	name, err := checkApplicationName(in.ApplicationName)
	if err != nil {
		return nil, err
	}
	if err := checkPlatform("CreateApplication", in.ComputePlatform); err != nil {
		return nil, err
	}
	tags, err := addTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	a := &application{Name: name, ID: ids.UUID(), Created: s.clock.Now(), Tags: tags, Token: c.Token}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if c.Token != "" {
			if rows, err := applications.Lookup(tx, "token", c.Token); err != nil || len(rows) > 0 {
				if len(rows) > 0 {
					a = rows[0].Value
				}
				return err
			}
		}
		there, err := applicationsOf(tx, c, maxApplication)
		if err == nil {
			err = checkRoom(len(there), maxApplication, "ApplicationLimitExceededException", "applications")
		}
		if err != nil {
			return err
		}
		err = applications.Insert(tx, key(c, a.ID), a)
		if errors.Is(err, store.ErrExists) {
			return awserr.New("ApplicationAlreadyExistsException", "An application with the name %s already exists.", name)
		}
		emit(tx, key(c, a.ID), name, "application", "created")
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateApplicationOutput{ApplicationId: &a.ID}, nil
}
