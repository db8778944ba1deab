package ec2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
func (s *Service) runChecks(ctx context.Context, asIs *api.RunInstancesInput) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	in, from, err := s.completed(ctx, c, asIs)
	if awserr.As(err) != nil { // which the operation will say, to whom may launch at all
		in, from, err = asIs, nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &runRequest{}
	if err := r.placement(in); err != nil {
		return nil, err
	}
	made, pass, err := s.launchChecks(ctx, c, r, in)
	if err != nil {
		return nil, err
	}
	image, err := s.imageNamed(ctx, aws.Val(in.ImageId))
	if err != nil {
		return nil, err
	}
	if image == "" { // a template that is not there, or names none
		image = "*"
	}
	checks := append([]aws.Check{{Resource: arn.New("ec2", c.Region, "", "image/"+image)}}, made...)
	if in.KeyName != nil {
		checks = append(checks, aws.Check{Resource: ec2ARN(c, "key-pair/"+*in.KeyName)})
	}
	groups, err := s.runGroupChecks(ctx, c, r)
	if err != nil {
		return nil, err
	}
	checks = append(append(checks, groups...), r.deviceChecks(c)...)
	checks = from.describe(c, checks)
	for i := range checks {
		checks[i].Action = "ec2:RunInstances"
	}
	checks = append(checks, createTagsChecks(c, "RunInstances", in.TagSpecifications)...)
	return append(checks, pass...), nil
}

// launchChecks gives the checks of what a launch makes, described as it will be, of the
// subnet that it will be in, and of the role that it hands over. What is wrong with the
// request is left to the operation to say.
func (s *Service) launchChecks(ctx context.Context, c aws.Call, r *runRequest, in *api.RunInstancesInput) (made, pass []aws.Check, err error) {
	v, sub, err := s.launchSubnet(ctx, c, r)
	if err != nil {
		return nil, nil, err
	}
	wanted := instance{Type: string(in.InstanceType), Zone: sub.Zone, EBSOptimized: aws.Val(in.EbsOptimized)}
	if wanted.Type == "" {
		wanted.Type = defaultType
	}
	wanted.Metadata, _ = requestedMetadata(in.MetadataOptions)
	wanted.Root, _ = requestedRoot(in.BlockDeviceMappings)
	if wanted.Profile, pass, err = s.passRoleCheck(ctx, c, in.IamInstanceProfile); err != nil {
		return nil, nil, err
	}
	for i := range pass {
		pass[i].Offer("iam:AssociatedResourceArn", ec2ARN(c, "instance/*"))
	}
	for _, kind := range []string{"instance", "network-interface", "volume"} {
		if kind == "network-interface" && r.primary.id != "" {
			made = append(made, aws.Check{Resource: ec2ARN(c, kind+"/"+r.primary.id)})
			continue
		}
		check := aws.Check{Resource: ec2ARN(c, kind+"/*"), Context: requestTagContext(in.TagSpecifications, kind)}
		d := description{c, &check}
		d.zone(sub.Zone)
		switch kind {
		case "instance":
			d.instance(wanted)
		case "volume":
			d.volume(wanted.Root)
		default:
			d.belongs(v.ID, sub.ID)
			if r.public != nil {
				d.set("AssociatePublicIpAddress", strconv.FormatBool(*r.public))
			}
		}
		made = append(made, check)
	}
	return append(made, aws.Check{Resource: ec2ARN(c, "subnet/"+orAny(sub.ID))}), pass, nil
}

// launchSubnet is the subnet that pickSubnet will pick, without making the default
// VPC, and its VPC; empty ones where that is not known.
func (s *Service) launchSubnet(ctx context.Context, c aws.Call, r *runRequest) (v *vpc, sub *subnet, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if r.primary.id != "" {
			h, err := findInterface(tx, c, r.primary.id)
			if err != nil {
				return err
			}
			v, sub, err = vpcOfSubnet(tx, c, h.Subnet)
			return err
		}
		if r.subnetID != "" {
			v, sub, err = vpcOfSubnet(tx, c, r.subnetID)
			return err
		}
		if v, err = findDefaultVPC(tx, c); err == nil && v != nil {
			if i := slices.IndexFunc(v.Subnets, r.suits); i >= 0 {
				sub = &v.Subnets[i]
			}
		}
		return err
	})
	if awserr.As(err) != nil {
		err = nil
	}
	if v == nil || sub == nil {
		v, sub = &vpc{}, &subnet{ID: r.subnetID, Zone: r.zone}
	}
	return v, sub, err
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
		out = append(out, aws.Check{Resource: groupARN(c, g.ID)})
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

// passRoleCheck asks for iam:PassRole on the role of the instance profile, and
// returns the profile. One that does not exist is reported by the operation, after
// authorisation.
func (s *Service) passRoleCheck(ctx context.Context, c aws.Call, spec *api.IamInstanceProfileSpecification) (*Profile, []aws.Check, error) {
	if spec == nil {
		return nil, nil, nil
	}
	p, err := s.profile(ctx, c, aws.Val(spec.Name), aws.Val(spec.Arn))
	if err != nil {
		if awserr.As(err) != nil {
			return nil, nil, nil
		}
		return nil, nil, err
	}
	if p.RoleARN == "" {
		return p, nil, nil
	}
	return p, []aws.Check{aws.PassRole(p.RoleARN, "ec2.amazonaws.com")}, nil
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
