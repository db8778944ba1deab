package elb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// Quotas of an account, as AWS documents the defaults.
const (
	maxBalancers = 20
	maxListeners = 100
	maxInstances = 1000
)

const (
	internetFacing = "internet-facing"
	internal       = "internal"
)

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$`)

func judgeName(name string) error {
	switch {
	case name == "":
		return errValidation("LoadBalancer name cannot be empty")
	case len(name) > 32:
		return errValidation("LoadBalancer name cannot be longer than 32 characters")
	case strings.Trim(name, "-") != name:
		return errValidation("LoadBalancer name cannot begin or end with a dash")
	case !nameForm.MatchString(name):
		return errValidation("LoadBalancer name cannot contain characters that are not letters, or digits or the dash.")
	}
	return nil
}

func schemeOr(given *string) string {
	if aws.Val(given) == "" {
		return internetFacing
	}
	return *given
}

// CreateLoadBalancer makes a balancer. One that has the name and all that is asked for
// is returned.
func (s *Service) CreateLoadBalancer(ctx context.Context, in *api.CreateLoadBalancerInput) (*api.CreateLoadBalancerOutput, error) {
	k := keyOf(ctx, aws.Val(in.LoadBalancerName))
	want, err := s.wanted(ctx, k, in)
	if err != nil {
		return nil, err
	}
	b := want
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		made, err := balancers.Get(tx, k)
		if err == nil {
			b = made
			return made.same(k.ID, want)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		others, err := balancers.List(tx, store.Scope{Account: k.Account, Region: k.Region}, "", maxBalancers)
		if err != nil {
			return err
		}
		if len(others) >= maxBalancers {
			return awserr.New("TooManyLoadBalancers", "Exceeded quota of account %s", k.Account)
		}
		emit(ctx, tx, k, "balancer", "CreateLoadBalancer")
		return balancers.Insert(tx, k, want)
	})
	if err != nil {
		return nil, err
	}
	s.settle(ctx, k)
	return &api.CreateLoadBalancerOutput{DNSName: aws.Ptr(b.DNS)}, nil
}

// wanted judges the request and makes the row out of it.
func (s *Service) wanted(ctx context.Context, k store.Key, in *api.CreateLoadBalancerInput) (*balancer, error) {
	if err := judgeName(k.ID); err != nil {
		return nil, err
	}
	scheme := schemeOr(in.Scheme)
	if scheme != internetFacing && scheme != internal {
		return nil, awserr.New("InvalidScheme", "Invalid scheme: %s", scheme)
	}
	listeners, err := s.judgeListeners(ctx, in.Listeners)
	if err != nil {
		return nil, err
	}
	tags, err := newTags(ctx, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	b := &balancer{Scheme: scheme, Created: s.cfg.Clock.Now().UTC(), Tags: tags, Token: aws.CallFrom(ctx).Token,
		DNS: dnsName(k, scheme), Attributes: attributes{DrainTimeout: defaultDrain, IdleTimeout: defaultIdle}}
	if err := s.place(ctx, k, b, in); err != nil {
		return nil, err
	}
	for _, l := range listeners {
		b.addListener(l)
	}
	b.Check = check{Target: fmt.Sprintf("TCP:%d", b.Listeners[0].InstancePort), Interval: 30, Timeout: 5, Healthy: 10, Unhealthy: 2}
	return b, nil
}

// place finds the subnets and the security groups of a new balancer.
func (s *Service) place(ctx context.Context, k store.Key, b *balancer, in *api.CreateLoadBalancerInput) error {
	var found []subnet
	var err error
	switch {
	case len(in.Subnets) > 0 && len(in.AvailabilityZones) > 0:
		return errValidation("Only one of SubnetIds or AvailabilityZones parameter may be specified")
	case len(in.Subnets) > 0:
		found, err = s.subnets(ctx, k, in.Subnets)
	case len(in.AvailabilityZones) > 0:
		found, err = s.defaultSubnets(ctx, k, in.AvailabilityZones)
	default:
		return errValidation("Either AvailabilityZones or SubnetIds must be specified")
	}
	if err != nil {
		return err
	}
	b.VPC = found[0].vpc
	if err := b.join(found); err != nil {
		return err
	}
	if b.Scheme == internetFacing {
		if err := s.needGateway(ctx, k, b.VPC); err != nil {
			return err
		}
	}
	return s.secure(ctx, k, b, in.SecurityGroups)
}

// dnsName makes the balancer's name, with digits that no other balancer has.
func dnsName(k store.Key, scheme string) string {
	name := fmt.Sprintf("%s-%d.%s.elb.amazonaws.com", k.ID, 100_000_000+rand.Int64N(1_900_000_000), k.Region) //nolint:gosec // no secret
	if scheme == internal {
		name = "internal-" + name
	}
	return name
}

// same says whether the balancer is the one that is to be made: by the same stack, or
// with everything as it is asked for.
func (b *balancer) same(name string, want *balancer) error {
	if want.Token != "" && want.Token == b.Token {
		return nil
	}
	different := func(what string) error {
		return awserr.New("DuplicateLoadBalancerName", "Load Balancer named %s already exists and it is configured with different %s.", name, what)
	}
	subnets := func(b *balancer) (out []string) {
		for _, n := range b.Nodes {
			out = append(out, n.Subnet)
		}
		slices.Sort(out)
		return out
	}
	switch {
	case want.Token != "" || b.Scheme != want.Scheme || b.VPC != want.VPC || !slices.EqualFunc(b.Listeners, want.Listeners, sameListener) ||
		!slices.Equal(subnets(b), subnets(want)) || !slices.Equal(b.SecurityGroups, want.SecurityGroups):
		return different("parameters")
	case !maps.Equal(b.Tags, want.Tags):
		return different("tags")
	}
	return nil
}

func sameListener(a, b listener) bool {
	return a.Protocol == b.Protocol && a.Port == b.Port && a.InstanceProtocol == b.InstanceProtocol && a.InstancePort == b.InstancePort && a.Certificate == b.Certificate
}
