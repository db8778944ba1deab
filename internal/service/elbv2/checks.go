package elbv2

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// Condition keys of the service.
const (
	condScheme   = "elasticloadbalancing:Scheme"
	condSubnet   = "elasticloadbalancing:Subnet"
	condGroup    = "elasticloadbalancing:SecurityGroup"
	condProtocol = "elasticloadbalancing:ListenerProtocol"
	condPolicy   = "elasticloadbalancing:SecurityPolicy"
	condCreate   = "elasticloadbalancing:CreateAction"
	condTag      = "elasticloadbalancing:ResourceTag/"
)

// on names the resources that a member of the input holds: an ARN or a list of them.
func on(member string) func(context.Context, any) []aws.Check {
	return func(_ context.Context, in any) (out []aws.Check) {
		v := reflect.ValueOf(in).Elem().FieldByName(member)
		switch names := v.Interface().(type) {
		case *string:
			out = append(out, aws.Check{Resource: aws.Val(names)})
		case []string:
			for _, name := range names {
				out = append(out, aws.Check{Resource: name})
			}
		}
		if len(out) == 0 {
			out = append(out, aws.Check{Resource: "*"})
		}
		return out
	}
}

// checked makes the checks of an operation out of what it acts on, with what its input
// says under condition keys, and the permission to tag what is made with tags.
func checked[I any](resources func(context.Context, any) []aws.Check, operation string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		list := resources(ctx, in)
		for i := range list {
			offerInput(&list[i], in)
		}
		if tags, ok := reflect.ValueOf(in).Elem().Type().FieldByName("Tags"); ok && operation != "AddTags" &&
			reflect.ValueOf(in).Elem().FieldByIndex(tags.Index).Len() > 0 {
			tagging := aws.Check{Action: signer + ":AddTags", Resource: madeBy(operation, list[0].Resource)}
			tagging.Offer(condCreate, operation)
			list = append(list, tagging)
		}
		return list, nil
	}
}

// madeBy is what an operation on a resource makes: its ARN is not known before.
func madeBy(operation, on string) string {
	switch operation {
	case "CreateListener":
		return strings.Replace(on, ":"+kindBalancer+"/", ":"+kindListener+"/", 1) + "/*"
	case "CreateRule":
		return strings.Replace(on, ":"+kindListener+"/", ":"+kindRule+"/", 1) + "/*"
	}
	return on
}

func offerInput(c *aws.Check, in any) {
	switch in := in.(type) {
	case *api.CreateLoadBalancerInput:
		scheme := in.Scheme
		if scheme == "" {
			scheme = facing
		}
		c.OfferText(condScheme, string(scheme))
		c.Offer(condSubnet, subnetNames(in.Subnets, in.SubnetMappings)...)
		c.Offer(condGroup, in.SecurityGroups...)
	case *api.SetSubnetsInput:
		c.Offer(condSubnet, subnetNames(in.Subnets, in.SubnetMappings)...)
	case *api.SetSecurityGroupsInput:
		c.Offer(condGroup, in.SecurityGroups...)
	case *api.CreateListenerInput:
		c.OfferText(condProtocol, string(in.Protocol))
		c.OfferText(condPolicy, aws.Val(in.SslPolicy))
	case *api.ModifyListenerInput:
		c.OfferText(condProtocol, string(in.Protocol))
		c.OfferText(condPolicy, aws.Val(in.SslPolicy))
	}
}

func subnetNames(subnets []string, mappings []api.SubnetMapping) []string {
	out := append([]string(nil), subnets...)
	for _, m := range mappings {
		out = append(out, aws.Val(m.SubnetId))
	}
	return out
}

func own(ctx context.Context, resource string) string {
	c := aws.CallFrom(ctx)
	return arn.New(signer, c.Region, c.Account, resource)
}

// onNewBalancer is what CreateLoadBalancer makes: its ARN is not known before.
func onNewBalancer(ctx context.Context, in any) []aws.Check {
	i := in.(*api.CreateLoadBalancerInput)
	return []aws.Check{{Resource: own(ctx, kindBalancer+"/"+typePart(i.Type)+"/"+aws.Val(i.Name)+"/*")}}
}

func onNewGroup(ctx context.Context, in any) []aws.Check {
	return []aws.Check{{Resource: own(ctx, kindGroup+"/"+aws.Val(in.(*api.CreateTargetGroupInput).Name)+"/*")}}
}

func onPriorities(_ context.Context, in any) (out []aws.Check) {
	for _, p := range in.(*api.SetRulePrioritiesInput).RulePriorities {
		out = append(out, aws.Check{Resource: aws.Val(p.RuleArn)})
	}
	if len(out) == 0 {
		out = append(out, aws.Check{Resource: "*"})
	}
	return out
}

// complete adds the tags of the resource that a check is about.
func (s *Service) complete(ctx context.Context, _ any, c *aws.Check) error {
	if _, _, ok := split(c.Resource); !ok {
		return nil
	}
	return s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		tags, err := tagsOf(ctx, tx, c.Resource)
		if err != nil {
			if awserr.As(err) != nil || errors.Is(err, store.ErrNotFound) {
				return nil // the operation says so itself
			}
			return err
		}
		for k, v := range tags {
			c.OfferTag(k, v)
			c.OfferText(condTag+k, v)
		}
		return nil
	})
}
