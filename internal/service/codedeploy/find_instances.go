package codedeploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// machine is what CodeDeploy knows of an instance.
type machine struct {
	ID, ARN, State string
	Zone           string
	Tags           map[string]string
	Profile        bool // its agent has credentials: an instance profile, or it is on premises
	OnPremises     bool
	Scaling        string // the Auto Scaling group that it is in service in
	Arriving       bool   // or rather soon will be
}

// stateRunning is EC2's name of the state; machines on premises always have it.
const stateRunning = "running"

// cause is a deployment's error before it has targets.
type cause struct {
	code    api.ErrorCode
	message string
}

// describe lists the instances that the service role may see: all of them, or
// those with the ids given.
func (s *Service) describe(ctx context.Context, k store.Key, role string, only []string) ([]machine, *cause, error) {
	ctx, why := s.asRole(ctx, k, role, "DescribeInstances")
	if why != nil {
		return nil, why, nil
	}
	out, err := s.machines(ctx, k, only)
	if err != nil {
		if c := deniedCause(role, err); c != nil {
			return nil, c, nil
		}
		return nil, nil, fmt.Errorf("find instances: %w", err)
	}
	return out, nil, nil
}

// machines lists instances as the caller in ctx.
func (s *Service) machines(ctx context.Context, k store.Key, only []string) (out []machine, err error) {
	in := &ec2.DescribeInstancesInput{InstanceIds: only}
	for {
		answer, err := s.invoker.Invoke(ctx, "ec2", "DescribeInstances", in)
		if err != nil {
			return nil, err
		}
		page, ok := answer.(*ec2.DescribeInstancesOutput)
		if !ok {
			return nil, fmt.Errorf("DescribeInstances answered %T", answer)
		}
		for _, r := range page.Reservations {
			for i := range r.Instances {
				out = append(out, newMachine(k, &r.Instances[i]))
			}
		}
		if aws.Val(page.NextToken) == "" {
			return out, nil
		}
		in = &ec2.DescribeInstancesInput{NextToken: page.NextToken}
	}
}

func newMachine(k store.Key, i *ec2.Instance) machine {
	m := machine{ID: aws.Val(i.InstanceId), Tags: map[string]string{}, Profile: i.IamInstanceProfile != nil}
	m.ARN = instanceARN(k, m.ID)
	if i.Placement != nil {
		m.Zone = aws.Val(i.Placement.AvailabilityZone)
	}
	if i.State != nil {
		m.State = string(i.State.Name)
	}
	for _, t := range i.Tags {
		m.Tags[aws.Val(t.Key)] = aws.Val(t.Value)
	}
	return m
}

func roleCause(role string, err error) *cause {
	if awserr.Is(err, "NoSuchEntity") {
		return &cause{api.ErrorCodeIamRoleMissing, fmt.Sprintf("The service role %s does not exist.", role)}
	}
	return &cause{api.ErrorCodeIamRolePermissions, fmt.Sprintf(
		"CodeDeploy could not assume the service role %s: %v. The role's trust policy must allow sts:AssumeRole to %s.", role, err, servicePrincipal)}
}

// isRefused reports whether another service has refused the call for want of a
// permission.
func isRefused(err error) bool {
	return awserr.Is(err, "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError") || isDenied(err)
}

func deniedCause(role string, err error) *cause {
	if !isRefused(err) {
		return nil
	}
	return &cause{api.ErrorCodeIamRolePermissions, fmt.Sprintf(
		"The service role %s does not give you permission to perform operations in the following AWS service: AmazonEC2. %v", role, err)}
}

// selector finds instances by their tags: any of the filters, or one of each
// set.
type selector struct {
	filters []api.EC2TagFilter
	sets    [][]api.EC2TagFilter
}

func (s selector) matches(tags map[string]string) bool {
	if len(s.sets) == 0 {
		return anyTag(s.filters, tags)
	}
	for _, any := range s.sets {
		if !anyTag(any, tags) {
			return false
		}
	}
	return true
}

func (s selector) empty() bool { return len(s.filters)+len(s.sets) == 0 }

func ec2Selector(filters []api.EC2TagFilter, set *api.EC2TagSet) selector {
	s := selector{filters: filters}
	if set != nil {
		s.sets = set.Ec2TagSetList
	}
	return s
}

func (g *group) ec2() selector { return ec2Selector(g.Filters, g.TagSet) }

func (g *group) onPremises() selector {
	return selector{plainFilters(g.OnPremises), plainSets(g.OnPremisesSet)}
}

// matches reports whether the group selects the machine.
func (g *group) matches(m machine) bool {
	if m.OnPremises {
		return g.onPremises().matches(m.Tags)
	}
	return g.ec2().matches(m.Tags) || m.Scaling != "" && slices.Contains(g.scalingNames(), m.Scaling)
}

func anyTag(filters []api.EC2TagFilter, tags map[string]string) bool {
	for _, f := range filters {
		switch filterType(f) {
		case api.EC2TagFilterTypeKeyOnly:
			if _, has := tags[aws.Val(f.Key)]; has {
				return true
			}
		case api.EC2TagFilterTypeValueOnly:
			for _, v := range tags {
				if v == aws.Val(f.Value) {
					return true
				}
			}
		default:
			if v, has := tags[aws.Val(f.Key)]; has && v == aws.Val(f.Value) {
				return true
			}
		}
	}
	return false
}
