package autoscaling

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	// groupResource is the type of resource that has tags.
	groupResource = "auto-scaling-group"
	maxGroups     = 500
)

// CreateAutoScalingGroup stores a group; its worker launches the instances.
func (s *Service) CreateAutoScalingGroup(ctx context.Context, in *api.CreateAutoScalingGroupInput) (*api.CreateAutoScalingGroupOutput, error) {
	c := aws.CallFrom(ctx)
	k := key(c, *in.AutoScalingGroupName)
	if strings.Contains(k.ID, ":") {
		return nil, invalid("Invalid AutoScalingGroupName: %s. The name must not contain a colon.", k.ID)
	}
	if made, err := s.absent(ctx, k, c.Token); made || err != nil {
		return &api.CreateAutoScalingGroupOutput{}, err
	}
	g, err := s.planGroup(ctx, in)
	if err != nil {
		return nil, err
	}
	list, err := s.planHooks(ctx, g.Name, in.LifecycleHookSpecificationList)
	if err != nil {
		return nil, err
	}
	err = s.update(ctx, func(tx *store.Tx) error {
		if err := insertGroup(tx, k, g); err != nil {
			return err
		}
		for i := range list {
			if err := putHook(tx, k, g, &list[i]); err != nil {
				return err
			}
		}
		changed(tx, k, "CreateAutoScalingGroup")
		return nil
	})
	if err == nil {
		s.work.Wake(k)
	}
	return &api.CreateAutoScalingGroupOutput{}, err
}

// absent reports whether the group was made by an earlier try with the same token; a
// group that somebody else made is an error.
func (s *Service) absent(ctx context.Context, k store.Key, token string) (made bool, err error) {
	err = s.view(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, k)
		switch {
		case isNotFound(err):
			return nil
		case err != nil:
			return err
		}
		if made = token != "" && g.Token == token; made {
			return nil
		}
		return groupExists(k.ID)
	})
	return made, err
}

func groupExists(name string) error {
	return alreadyExists("AutoScalingGroup by this name already exists - A group with the name %s already exists", name)
}

func insertGroup(tx *store.Tx, k store.Key, g *group) error {
	if _, err := groups.Get(tx, k); err == nil {
		return groupExists(k.ID)
	}
	list, err := groups.List(tx, scope(k), "", 0)
	if err != nil {
		return err
	}
	if len(list) >= maxGroups {
		return limitExceeded("AutoScalingGroup limit exceeded: You may not create more than %d Auto Scaling groups", maxGroups)
	}
	return groups.Insert(tx, k, g)
}

// planGroup is the group that a request describes.
func (s *Service) planGroup(ctx context.Context, in *api.CreateAutoScalingGroupInput) (*group, error) {
	c := aws.CallFrom(ctx)
	now := s.now()
	g := &group{Name: *in.AutoScalingGroupName, Created: now, Token: c.Token, Min: *in.MinSize, Max: *in.MaxSize, Desired: *in.MinSize,
		Cooldown: defaultCooldown, HealthCheck: "EC2", Termination: []string{"Default"}, DeletionGuard: "none"}
	g.ARN = arnOf(key(c, ""), "autoScalingGroup", ids.UUID(), "autoScalingGroupName/"+g.Name)
	set(&g.Desired, in.DesiredCapacity)
	options := createSettings(in)
	if err := options.judge(); err != nil {
		return nil, err
	}
	if g.take(options); len(g.Termination) == 0 {
		g.Termination = []string{"Default"}
	}
	if err := g.judgeSizes(); err != nil {
		return nil, err
	}
	var err error
	if g.Tags, err = groupTags(c, g.Name, nil, in.Tags); err != nil {
		return nil, err
	}
	if err := s.planSource(ctx, g, in); err != nil {
		return nil, err
	}
	if g.Traffic, err = s.planTraffic(ctx, g, in.LoadBalancerNames, in.TargetGroupARNs, in.TrafficSources); err != nil {
		return nil, err
	}
	if g.Desired > 0 {
		g.because(now, "a user request created an AutoScalingGroup changing the desired capacity from 0 to %d.", g.Desired)
	}
	return g, nil
}

// planSource finds what the group launches from, where, and with which role.
func (s *Service) planSource(ctx context.Context, g *group, in *api.CreateAutoScalingGroupInput) error {
	c := aws.CallFrom(ctx)
	src, named, err := sourceOf(in.LaunchConfigurationName, in.LaunchTemplate, in.MixedInstancesPolicy)
	switch {
	case err != nil:
		return err
	case named == (in.InstanceId != nil):
		return invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	}
	zones, subnets := in.AvailabilityZones, val(in.VPCZoneIdentifier)
	if in.InstanceId != nil && len(zones) == 0 && subnets == "" {
		i, err := s.instanceOf(ctx, *in.InstanceId)
		if err != nil {
			return err
		}
		zones = []string{*i.Placement.AvailabilityZone}
	}
	if g.Role, err = s.ensureRole(ctx, in.ServiceLinkedRoleARN); err != nil {
		return err
	}
	as, err := s.acting(ctx, key(c, ""), g.Role)
	if err != nil {
		return fmt.Errorf("act as %s: %w", g.Role, err)
	}
	if err := g.settle(as, s.cfg.Invoker, subnets, zones); err != nil {
		return err
	}
	if in.InstanceId != nil {
		src.Configuration = g.Name
		if err := s.configurationLike(ctx, g.Name, *in.InstanceId); err != nil {
			return err
		}
	}
	if err := s.judgeSource(ctx, as, &src, g.Places[0]); err != nil {
		return err
	}
	g.source = src
	return nil
}

// getGroup finds a group for an operation that says so when there is none.
func getGroup(tx *store.Tx, k store.Key) (*group, error) {
	g, err := groups.Get(tx, k)
	if isNotFound(err) {
		return nil, invalid("AutoScalingGroup name not found - AutoScalingGroup '%s' not found", k.ID)
	}
	return g, err
}

// membersOf lists the instances of a group, the oldest first.
func membersOf(tx *store.Tx, k store.Key) ([]*member, error) {
	rows, err := members.Lookup(tx, "group", scoped(k, k.ID))
	if err != nil {
		return nil, err
	}
	out := make([]*member, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.Value)
	}
	slices.SortStableFunc(out, func(a, b *member) int { return cmp.Or(a.Decided.Compare(b.Decided), cmp.Compare(a.Number, b.Number)) })
	return out, nil
}

func memberKey(g store.Key, m *member) store.Key {
	return store.Key{Account: g.Account, Region: g.Region, ID: m.ID}
}

func putMember(tx *store.Tx, g store.Key, m *member) error {
	return members.Put(tx, memberKey(g, m), m)
}
