package codedeploy

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// machine is what CodeDeploy knows of an instance.
type machine struct {
	ID, State string
	Tags      map[string]string
	Profile   bool // has an instance profile
}

// cause is a deployment's error before it has targets.
type cause struct {
	code    api.ErrorCode
	message string
}

// describe lists the instances that the service role may see: all of them, or
// those with the ids given.
func (s *Service) describe(ctx context.Context, k store.Key, role string, only []string) ([]machine, *cause, error) {
	c := aws.Call{Account: k.Account, Region: k.Region, RequestID: ids.UUID(), Service: "ec2", Operation: "DescribeInstances",
		UserAgent: servicePrincipal, Secure: true}
	p, err := s.roles.AssumeServiceRole(aws.WithCall(ctx, c), role, servicePrincipal)
	if err != nil {
		return nil, roleCause(role, err), nil
	}
	c.Principal = p
	ctx = aws.WithCall(ctx, c)
	var out []machine
	in := &ec2.DescribeInstancesInput{InstanceIds: only}
	for {
		answer, err := s.invoker.Invoke(ctx, "ec2", "DescribeInstances", in)
		if err != nil {
			if c := deniedCause(role, err); c != nil {
				return nil, c, nil
			}
			return nil, nil, fmt.Errorf("find instances: %w", err)
		}
		page, ok := answer.(*ec2.DescribeInstancesOutput)
		if !ok {
			return nil, nil, fmt.Errorf("find instances: DescribeInstances answered %T", answer)
		}
		for _, r := range page.Reservations {
			for i := range r.Instances {
				out = append(out, newMachine(&r.Instances[i]))
			}
		}
		if aws.Val(page.NextToken) == "" {
			return out, nil, nil
		}
		in = &ec2.DescribeInstancesInput{NextToken: page.NextToken}
	}
}

func newMachine(i *ec2.Instance) machine {
	m := machine{ID: aws.Val(i.InstanceId), Tags: map[string]string{}, Profile: i.IamInstanceProfile != nil}
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

func deniedCause(role string, err error) *cause {
	if !awserr.Is(err, "UnauthorizedOperation", "AccessDenied", "AccessDeniedException") && !isDenied(err) {
		return nil
	}
	return &cause{api.ErrorCodeIamRolePermissions, fmt.Sprintf(
		"The service role %s does not give you permission to perform operations in the following AWS service: AmazonEC2. %v", role, err)}
}

// matches reports whether the group selects the instance.
func (g *group) matches(m machine) bool {
	if g.TagSet == nil {
		return anyTag(g.Filters, m.Tags)
	}
	for _, any := range g.TagSet.Ec2TagSetList {
		if !anyTag(any, m.Tags) {
			return false
		}
	}
	return len(g.TagSet.Ec2TagSetList) > 0
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
