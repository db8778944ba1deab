package ec2

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::EC2::Instance":                    resourceInstance{s},
		"AWS::EC2::SecurityGroup":               resourceSecurityGroup{s},
		"AWS::EC2::SecurityGroupIngress":        resourceIngress{s},
		"AWS::EC2::SecurityGroupEgress":         resourceEgress{s},
		"AWS::EC2::KeyPair":                     resourceKeyPair{s},
		"AWS::EC2::EIP":                         resourceEIP{s},
		"AWS::EC2::EIPAssociation":              resourceEIPAssociation{s},
		"AWS::EC2::LaunchTemplate":              resourceLaunchTemplate{s},
		"AWS::EC2::VPC":                         resourceVPC{s},
		"AWS::EC2::Subnet":                      resourceSubnet{s},
		"AWS::EC2::InternetGateway":             resourceInternetGateway{s},
		"AWS::EC2::NetworkAcl":                  resourceNetworkACL{s},
		"AWS::EC2::NetworkAclEntry":             resourceACLEntry{s},
		"AWS::EC2::SubnetNetworkAclAssociation": resourceACLAssociation{s},
		"AWS::EC2::NatGateway":                  resourceNatGateway{s},
		"AWS::EC2::NetworkInterface":            resourceNetworkInterface{s},
		"AWS::EC2::NetworkInterfaceAttachment":  resourceInterfaceAttachment{s},
		"AWS::EC2::VPCCidrBlock":                resourceVPCCidrBlock{s},
		"AWS::EC2::VPCEndpoint":                 resourceVPCEndpoint{s},
		"AWS::EC2::VPCGatewayAttachment":        resourceGatewayAttachment{s},
		"AWS::EC2::RouteTable":                  resourceRouteTable{s},
		"AWS::EC2::Route":                       resourceRoute{s},
		"AWS::EC2::SubnetRouteTableAssociation": resourceRouteAssociation{s},
	}
}

// call runs an operation of EC2 as the caller in ctx, by the door that everybody
// uses: validated, authorised, audited.
func call[O any](ctx context.Context, s *Service, operation string, in any) (*O, error) {
	out, err := s.invoker.Invoke(ctx, "ec2", operation, in)
	if err != nil {
		return nil, err
	}
	o, ok := out.(*O)
	if !ok {
		return nil, fmt.Errorf("ec2 %s answered %T", operation, out)
	}
	return o, nil
}

// awaitState waits for an instance to reach a state, and fails as soon as it
// cannot any more.
func (s *Service) awaitState(ctx context.Context, id, want string) error {
	return s.await(ctx, key(aws.CallFrom(ctx), id), func(r *instance) (bool, error) {
		if r.State != want && cannotReach(r.State, want) {
			return false, awserr.New("InstanceFailed", "Instance %s did not stabilize: it is %s. %s", id, r.State, r.StateReason.Message)
		}
		return r.State == want, nil
	})
}

func cannotReach(state, want string) bool {
	if want == stateTerminated {
		return state != stateShuttingDown
	}
	ended := state == stateTerminated || state == stateShuttingDown
	return ended || (want == stateRunning && (state == stateStopping || state == stateStopped))
}

func tagMap(stackTags map[string]string, own []stack.Tag) map[string]string {
	out := maps.Clone(stackTags)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range own {
		out[t.Key] = t.Value
	}
	return out
}

// syncTags brings the tags of a resource from old to want.
func (s *Service) syncTags(ctx context.Context, id string, old, want map[string]string) error {
	var gone []api.Tag
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if _, ok := want[k]; !ok {
			gone = append(gone, api.Tag{Key: aws.Ptr(k)})
		}
	}
	if len(gone) > 0 {
		if _, err := call[api.DeleteTagsOutput](ctx, s, "DeleteTags", &api.DeleteTagsInput{Resources: []string{id}, Tags: gone}); err != nil {
			return err
		}
	}
	if maps.Equal(old, want) || len(want) == 0 {
		return nil
	}
	_, err := call[api.CreateTagsOutput](ctx, s, "CreateTags", &api.CreateTagsInput{Resources: []string{id}, Tags: apiTags(want)})
	return err
}

func toAPITags(tags []stack.Tag) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, t := range tags {
		out = append(out, api.Tag{Key: aws.Ptr(t.Key), Value: aws.Ptr(t.Value)})
	}
	return out
}
