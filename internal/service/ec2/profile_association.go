package ec2

import (
	"context"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// AssociateIamInstanceProfile gives a running or stopped instance a profile; its
// credentials change at the next request to the metadata service.
func (s *Service) AssociateIamInstanceProfile(ctx context.Context, in *api.AssociateIamInstanceProfileInput) (*api.AssociateIamInstanceProfileOutput, error) {
	c := aws.CallFrom(ctx)
	p, err := s.requiredProfile(ctx, c, in.IamInstanceProfile)
	if err != nil {
		return nil, err
	}
	var r *instance
	err = s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if r, err = getInstance(tx, c, aws.Val(in.InstanceId)); err != nil {
			return err
		}
		if r.State != stateRunning && r.State != stateStopped {
			return awserr.New("IncorrectInstanceState", "The instance '%s' is not in the 'running' or 'stopped' states.", r.ID)
		}
		if r.Profile != nil {
			return awserr.New("IncorrectState", "There is an existing association for instance %s", r.ID)
		}
		r.Profile, r.ProfileAssocID = p, ids.Resource("iip-assoc")
		return instances.Put(tx, key(c, r.ID), r)
	})
	if err != nil {
		return nil, err
	}
	return &api.AssociateIamInstanceProfileOutput{IamInstanceProfileAssociation: s.association(r, "associating")}, nil
}

func (s *Service) requiredProfile(ctx context.Context, c aws.Call, spec *api.IamInstanceProfileSpecification) (*Profile, error) {
	if spec == nil {
		return nil, missing("IamInstanceProfile")
	}
	return s.profile(ctx, c, aws.Val(spec.Name), aws.Val(spec.Arn))
}

func (s *Service) association(r *instance, state string) *api.IamInstanceProfileAssociation {
	out := &api.IamInstanceProfileAssociation{
		AssociationId: aws.Ptr(r.ProfileAssocID), InstanceId: aws.Ptr(r.ID), State: api.IamInstanceProfileAssociationState(state),
		Timestamp: aws.Ptr(s.clock.Now().UTC().Truncate(time.Second)),
	}
	if r.Profile != nil {
		out.IamInstanceProfile = &api.IamInstanceProfile{Arn: aws.Ptr(r.Profile.ARN), Id: aws.Ptr(r.Profile.ID)}
	}
	return out
}

// byAssociation finds the instance that an association id belongs to.
func byAssociation(tx *store.Tx, c aws.Call, id string) (*instance, error) {
	rows, err := instances.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(r store.Row[instance]) bool { return r.Value.ProfileAssocID == id && r.Value.Profile != nil })
	if i < 0 {
		return nil, awserr.New("NoSuchAssociation", "An invalid association-id of '%s' was given", id)
	}
	return rows[i].Value, nil
}

// DisassociateIamInstanceProfile takes the profile away.
func (s *Service) DisassociateIamInstanceProfile(ctx context.Context, in *api.DisassociateIamInstanceProfileInput) (*api.DisassociateIamInstanceProfileOutput, error) {
	c := aws.CallFrom(ctx)
	var out *api.IamInstanceProfileAssociation
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := byAssociation(tx, c, aws.Val(in.AssociationId))
		if err != nil {
			return err
		}
		out = s.association(r, "disassociating")
		r.Profile, r.ProfileAssocID = nil, ""
		return instances.Put(tx, key(c, r.ID), r)
	})
	if err != nil {
		return nil, err
	}
	return &api.DisassociateIamInstanceProfileOutput{IamInstanceProfileAssociation: out}, nil
}

// ReplaceIamInstanceProfileAssociation swaps the profile.
func (s *Service) ReplaceIamInstanceProfileAssociation(ctx context.Context, in *api.ReplaceIamInstanceProfileAssociationInput) (*api.ReplaceIamInstanceProfileAssociationOutput, error) {
	c := aws.CallFrom(ctx)
	p, err := s.requiredProfile(ctx, c, in.IamInstanceProfile)
	if err != nil {
		return nil, err
	}
	var out *api.IamInstanceProfileAssociation
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := byAssociation(tx, c, aws.Val(in.AssociationId))
		if err != nil {
			return err
		}
		r.Profile, r.ProfileAssocID = p, ids.Resource("iip-assoc")
		out = s.association(r, "associating")
		return instances.Put(tx, key(c, r.ID), r)
	})
	if err != nil {
		return nil, err
	}
	return &api.ReplaceIamInstanceProfileAssociationOutput{IamInstanceProfileAssociation: out}, nil
}

// DescribeIamInstanceProfileAssociations lists which instances have which profile.
func (s *Service) DescribeIamInstanceProfileAssociations(ctx context.Context, in *api.DescribeIamInstanceProfileAssociationsInput) (*api.DescribeIamInstanceProfileAssociationsOutput, error) {
	if err := checkFilters(in.Filters, "instance-id", "state"); err != nil {
		return nil, err
	}
	rows, _, err := s.selectInstances(ctx, aws.CallFrom(ctx), nil, nil)
	if err != nil {
		return nil, err
	}
	list := []api.IamInstanceProfileAssociation{}
	for _, r := range rows {
		f := fields{"instance-id": {r.ID}, "state": {"associated"}}
		if r.Profile == nil || r.State == stateTerminated || !f.matches(in.Filters) {
			continue
		}
		if len(in.AssociationIds) == 0 || slices.Contains(in.AssociationIds, r.ProfileAssocID) {
			list = append(list, *s.association(r, "associated"))
		}
	}
	list, next, err := paginate(list, func(i api.IamInstanceProfileAssociation) string { return *i.AssociationId }, in.NextToken, in.MaxResults)
	return &api.DescribeIamInstanceProfileAssociationsOutput{IamInstanceProfileAssociations: list, NextToken: next}, err
}

// associationChecks asks for the operation's action on the instance behind an
// association, and iam:PassRole on the role that spec hands over.
func (s *Service) associationChecks(ctx context.Context, association *string, spec *api.IamInstanceProfileSpecification) ([]aws.Check, error) {
	id := "*"
	err := s.db.View(ctx, func(tx *store.Tx) error {
		r, err := byAssociation(tx, aws.CallFrom(ctx), aws.Val(association))
		if awserr.As(err) != nil {
			return nil
		}
		if err == nil {
			id = r.ID
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.profileChecks(ctx, &id, spec)
}

// profileChecks asks for the action on the instance and iam:PassRole on the role.
func (s *Service) profileChecks(ctx context.Context, id *string, spec *api.IamInstanceProfileSpecification) ([]aws.Check, error) {
	checks := instanceChecks(ctx, aws.Val(id))
	p, pass, err := s.passRoleCheck(ctx, aws.CallFrom(ctx), spec)
	for i := range checks {
		if p != nil {
			checks[i].Offer("ec2:NewInstanceProfile", p.ARN)
		}
		for j := range pass {
			pass[j].Offer("iam:AssociatedResourceArn", checks[i].Resource)
		}
	}
	return append(checks, pass...), err
}
