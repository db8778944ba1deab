package ec2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// runChecks gives the permissions of RunInstances: each resource that a launch
// touches is judged by itself, iam:PassRole when a role is handed over, and
// ec2:CreateTags when tags are.
func (s *Service) runChecks(ctx context.Context, in *api.RunInstancesInput) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	r := &runRequest{}
	if err := r.placement(in); err != nil {
		return nil, err
	}
	checks := []aws.Check{
		{Resource: arn.New("ec2", c.Region, "", "image/"+aws.Val(in.ImageId))},
		{Resource: ec2ARN(c, "instance/*"), Context: runContext(in)},
		{Resource: ec2ARN(c, "network-interface/*"), Context: requestTagContext(in.TagSpecifications, "network-interface")},
		{Resource: ec2ARN(c, "volume/*"), Context: requestTagContext(in.TagSpecifications, "volume")},
		{Resource: ec2ARN(c, "subnet/"+orAny(r.subnetID))},
	}
	if in.KeyName != nil {
		checks = append(checks, aws.Check{Resource: ec2ARN(c, "key-pair/"+*in.KeyName)})
	}
	groups, err := s.runGroupChecks(ctx, c, r)
	if err != nil {
		return nil, err
	}
	checks = append(checks, groups...)
	for i := range checks {
		checks[i].Action = "ec2:RunInstances"
		if checks[i].Context == nil {
			checks[i].Context = map[string][]string{}
		}
		checks[i].Context["ec2:Region"] = []string{c.Region}
	}
	checks = append(checks, createTagsChecks(c, "RunInstances", in.TagSpecifications)...)
	pass, err := s.passRoleCheck(ctx, c, in.IamInstanceProfile)
	return append(checks, pass...), err
}

// runContext holds the condition keys of the instance to be made.
func runContext(in *api.RunInstancesInput) map[string][]string {
	kind := string(in.InstanceType)
	if kind == "" {
		kind = defaultType
	}
	out := map[string][]string{"ec2:InstanceType": {kind}}
	if m := in.MetadataOptions; m != nil && m.HttpTokens != "" {
		out["ec2:MetadataHttpTokens"] = []string{string(m.HttpTokens)}
	}
	maps.Copy(out, requestTagContext(in.TagSpecifications, "instance"))
	return out
}

// runGroupChecks judges each security group that the instances will be in. A name
// that means nothing is judged as any group: the operation reports it afterwards.
func (s *Service) runGroupChecks(ctx context.Context, c aws.Call, r *runRequest) ([]aws.Check, error) {
	var groups []*securityGroup
	err := s.db.View(ctx, func(tx *store.Tx) error {
		groups = nil
		for _, id := range r.groupIDs {
			g, err := securityGroups.Get(tx, key(c, id))
			if isNotFound(err) {
				g, err = &securityGroup{ID: id}, nil
			}
			if err != nil {
				return err
			}
			groups = append(groups, g)
		}
		for _, name := range r.groupNames {
			g, err := groupInDefaultVPC(tx, c, name)
			if err != nil {
				return err
			}
			groups = append(groups, g)
		}
		if groups != nil {
			return nil
		}
		g, err := groupInDefaultVPC(tx, c, "default")
		groups = append(groups, g)
		return err
	})
	var out []aws.Check
	for _, g := range groups {
		out = append(out, aws.Check{Resource: groupARN(c, g.ID), Context: resourceTagContext(c, g.Tags)})
	}
	return out, err
}

// groupInDefaultVPC finds a group by name without making the VPC; a stand-in for
// any group when there is none.
func groupInDefaultVPC(tx *store.Tx, c aws.Call, name string) (*securityGroup, error) {
	anyGroup := &securityGroup{ID: "*"}
	v, err := findDefaultVPC(tx, c)
	if err != nil || v == nil {
		return anyGroup, err
	}
	g, err := groupByName(tx, v, name)
	if awserr.Is(err, "InvalidGroup.NotFound") {
		return anyGroup, nil
	}
	return g, err
}

func orAny(id string) string {
	if id == "" {
		return "*"
	}
	return id
}

// passRoleCheck asks for iam:PassRole on the role of the instance profile. A
// profile that does not exist is reported by the operation, after authorisation.
func (s *Service) passRoleCheck(ctx context.Context, c aws.Call, spec *api.IamInstanceProfileSpecification) ([]aws.Check, error) {
	if spec == nil {
		return nil, nil
	}
	p, err := s.profile(ctx, c, aws.Val(spec.Name), aws.Val(spec.Arn))
	if err != nil {
		if awserr.As(err) != nil {
			return nil, nil
		}
		return nil, err
	}
	if p.RoleARN == "" {
		return nil, nil
	}
	return []aws.Check{aws.PassRole(p.RoleARN, "ec2.amazonaws.com")}, nil
}

func (s *Service) profile(ctx context.Context, c aws.Call, name, profileARN string) (*Profile, error) {
	ref := name
	if profileARN != "" {
		if name != "" {
			return nil, awserr.New("InvalidParameterCombination", "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
		}
		a, err := arn.Parse(profileARN)
		if err != nil || a.Account != c.Account || !strings.HasPrefix(a.Resource, "instance-profile/") {
			return nil, awserr.New("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN", profileARN)
		}
		ref = arn.Name(a.Resource)
	}
	p, err := s.profiles.InstanceProfile(ctx, c.Account, ref)
	if errors.Is(err, ErrNoProfile) {
		return nil, awserr.New("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", ref)
	}
	if err != nil {
		return nil, fmt.Errorf("instance profile %s: %w", ref, err)
	}
	return &p, nil
}
