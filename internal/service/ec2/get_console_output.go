package ec2

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// GetConsoleOutput returns the last 64 KiB of the console; it stays readable while
// a terminated instance is described.
func (s *Service) GetConsoleOutput(ctx context.Context, in *api.GetConsoleOutputInput) (*api.GetConsoleOutputOutput, error) {
	c := aws.CallFrom(ctx)
	r, err := s.one(ctx, c, in.InstanceId)
	if err != nil {
		return nil, err
	}
	text, at, err := s.machines.Console(r.ID)
	if err != nil {
		return nil, fmt.Errorf("console of %s: %w", r.ID, err)
	}
	out := &api.GetConsoleOutputOutput{InstanceId: aws.Ptr(r.ID), Output: aws.Ptr(base64.StdEncoding.EncodeToString(text))}
	if at.IsZero() {
		at = r.LaunchTime
	}
	out.Timestamp = aws.Ptr(at.UTC())
	return out, nil
}

// one returns the row of the one instance that an operation is about.
func (s *Service) one(ctx context.Context, c aws.Call, id *string) (*instance, error) {
	if aws.Val(id) == "" {
		return nil, missing("InstanceId")
	}
	var r *instance
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		r, err = getInstance(tx, c, *id)
		return err
	})
	return r, err
}

// GetPasswordData answers with no password: instances run Linux.
func (s *Service) GetPasswordData(ctx context.Context, in *api.GetPasswordDataInput) (*api.GetPasswordDataOutput, error) {
	r, err := s.one(ctx, aws.CallFrom(ctx), in.InstanceId)
	if err != nil {
		return nil, err
	}
	return &api.GetPasswordDataOutput{InstanceId: aws.Ptr(r.ID), PasswordData: aws.Ptr(""), Timestamp: aws.Ptr(s.clock.Now().UTC())}, nil
}
