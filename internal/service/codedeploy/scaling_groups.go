package codedeploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// A deployment group may have Auto Scaling groups. Into each CodeDeploy puts a
// lifecycle hook, so that instances that are launched wait for their first
// deployment (launches.go), and another for instances that end, where the group
// asks for it. The row says which hooks there shall be; rehook makes it so, at once
// where an operation changed the row, and again after a server that ended in
// between.

// scalingGroup is an Auto Scaling group with the names of its hooks.
type scalingGroup struct {
	Name            string
	Hook            string `json:",omitempty"`
	TerminationHook string `json:",omitempty"`
	// Hooked tells that the hooks are there.
	Hooked bool `json:",omitempty"`
}

// maxScalingGroups is AWS's limit for a deployment group.
const maxScalingGroups = 10

func (g *group) scalingNames() []string {
	names := make([]string, len(g.Scaling))
	for i, one := range g.Scaling {
		names[i] = one.Name
	}
	return names
}

func hookName(kind, group string) string {
	return "CodeDeploy-managed-automatic-" + kind + "-deployment-hook-" + group + "-" + ids.UUID()
}

// setScaling makes the Auto Scaling groups those named, and notes which hooks are
// not needed any more.
func (g *group) setScaling(names []string, termination bool) {
	var next []scalingGroup
	for _, name := range names {
		one := scalingGroup{Name: name}
		if i := slices.IndexFunc(g.Scaling, func(old scalingGroup) bool { return old.Name == name }); i >= 0 {
			one = g.Scaling[i]
		}
		if one.Hook == "" {
			one.Hook = hookName("launch", g.Name)
		}
		switch {
		case termination && one.TerminationHook == "":
			one.TerminationHook, one.Hooked = hookName("termination", g.Name), false
		case !termination && one.TerminationHook != "":
			g.Unhook = append(g.Unhook, scalingGroup{Name: name, TerminationHook: one.TerminationHook})
			one.TerminationHook = ""
		}
		next = append(next, one)
	}
	for _, old := range g.Scaling {
		if !slices.Contains(names, old.Name) {
			g.Unhook = append(g.Unhook, old)
		}
	}
	g.Scaling, g.TerminationHook = next, termination
}

func (one scalingGroup) view() api.AutoScalingGroup {
	out := api.AutoScalingGroup{Name: &one.Name}
	if one.Hook != "" {
		out.Hook = &one.Hook
	}
	if one.TerminationHook != "" {
		out.TerminationHook = &one.TerminationHook
	}
	return out
}

func viewScaling(list []scalingGroup) []api.AutoScalingGroup {
	out := make([]api.AutoScalingGroup, len(list))
	for i, one := range list {
		out[i] = one.view()
	}
	return out
}

func checkScaling(names []string) error {
	if len(names) > maxScalingGroups {
		return errScalingGroup(fmt.Sprintf("At most %d Auto Scaling groups can be specified.", maxScalingGroups))
	}
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			return errScalingGroup("A name is empty or given twice.")
		}
	}
	return nil
}

func errScalingGroup(why string) error {
	return awserr.New("InvalidAutoScalingGroupException", "The Auto Scaling group was specified in an invalid format or does not exist. %s", why)
}

// scalingRefused is what a role may not do with Auto Scaling, in AWS's words.
func scalingRefused(role string, err error) string {
	return fmt.Sprintf("The IAM role %s does not give you permission to perform operations in the following AWS service: AmazonAutoScaling. "+
		"Contact your AWS administrator if you need help. If you are an AWS administrator, you can grant permissions to your users or groups by creating IAM policies. %v", role, err)
}

// hooksDiffer reports whether there are hooks to be put or taken away.
func (g *group) hooksDiffer() bool {
	return len(g.Unhook) > 0 || slices.ContainsFunc(g.Scaling, func(one scalingGroup) bool { return !one.Hooked })
}

// rehook puts the hooks that are missing into group k's Auto Scaling groups and
// takes away those that are not needed. What could not be taken away is left to the
// user, as on AWS.
func (s *Service) rehook(ctx context.Context, k store.Key) (left []api.AutoScalingGroup, err error) {
	g, err := view(ctx, s, func(tx *store.Tx) (*group, error) { return groups.Get(tx, k) })
	if err != nil || !g.hooksDiffer() {
		return nil, err
	}
	actx, why := s.asRole(ctx, k, g.Role, "PutLifecycleHook")
	if why != nil {
		return nil, awserr.New("InvalidRoleException", "%s", why.message)
	}
	for _, one := range g.Unhook {
		if !s.unhook(actx, one) {
			left = append(left, one.view())
		}
	}
	for _, one := range g.Scaling {
		if !one.Hooked {
			if err := s.hook(actx, g.Role, one); err != nil {
				return left, err
			}
		}
	}
	done := slices.Clone(g.Unhook)
	return left, s.db.Update(ctx, func(tx *store.Tx) error {
		now, err := groups.Get(tx, k)
		if err != nil {
			return err
		}
		now.Unhook = slices.DeleteFunc(now.Unhook, func(one scalingGroup) bool { return slices.Contains(done, one) })
		for i, one := range now.Scaling {
			now.Scaling[i].Hooked = one.Hooked || slices.Contains(g.Scaling, one)
		}
		return groups.Put(tx, k, now)
	})
}

// The transitions at which hooks wait, and how long AWS's own do without a sign of
// life.
const (
	launching     = "autoscaling:EC2_INSTANCE_LAUNCHING"
	terminating   = "autoscaling:EC2_INSTANCE_TERMINATING"
	hookHeartbeat = 600 // seconds
)

// hook puts the hooks into one Auto Scaling group.
func (s *Service) hook(ctx context.Context, role string, one scalingGroup) error {
	for _, h := range []struct{ name, transition, otherwise string }{
		{one.Hook, launching, "ABANDON"}, {one.TerminationHook, terminating, "CONTINUE"},
	} {
		if h.name == "" {
			continue
		}
		_, err := wire.Call[autoscaling.PutLifecycleHookOutput](ctx, s.invoker, "autoscaling", "PutLifecycleHook", &autoscaling.PutLifecycleHookInput{
			AutoScalingGroupName: &one.Name, LifecycleHookName: &h.name, LifecycleTransition: &h.transition,
			HeartbeatTimeout: aws.Ptr[int32](hookHeartbeat), DefaultResult: &h.otherwise})
		switch {
		case isRefused(err):
			return awserr.New("InvalidRoleException", "%s", scalingRefused(role, err))
		case awserr.Is(err, "LimitExceeded"):
			return awserr.New("LifecycleHookLimitExceededException", "The limit for lifecycle hooks was exceeded. Auto Scaling group %s: %v", one.Name, err)
		case awserr.As(err) != nil:
			return errScalingGroup(fmt.Sprintf("Auto Scaling group %s: %v", one.Name, err))
		case err != nil:
			return fmt.Errorf("put lifecycle hook: %w", err)
		}
	}
	return nil
}

// unhook takes the hooks out of one Auto Scaling group; false when they may be there
// still.
func (s *Service) unhook(ctx context.Context, one scalingGroup) bool {
	gone := true
	for _, name := range []string{one.Hook, one.TerminationHook} {
		if name == "" {
			continue
		}
		_, err := wire.Call[autoscaling.DeleteLifecycleHookOutput](ctx, s.invoker, "autoscaling", "DeleteLifecycleHook",
			&autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: &one.Name, LifecycleHookName: &name})
		if err != nil && !awserr.Is(err, "ValidationError") { // no such hook, or no such group
			s.log.Warn("cannot delete a lifecycle hook", "group", one.Name, "hook", name, "error", err)
			gone = false
		}
	}
	return gone
}

// unhookAll takes a deployment group's hooks away before it is deleted.
func (s *Service) unhookAll(ctx context.Context, k store.Key, g *group) []api.AutoScalingGroup {
	left := []api.AutoScalingGroup{}
	if len(g.Scaling) == 0 {
		return left
	}
	actx, why := s.asRole(ctx, k, g.Role, "DeleteLifecycleHook")
	for _, one := range g.Scaling {
		if why != nil || !s.unhook(actx, one) {
			left = append(left, one.view())
		}
	}
	return left
}

// member is an instance of an Auto Scaling group that is in service there, or on its
// way.
type member struct {
	group    string
	arriving bool
}

// scalingMembers returns the members of the Auto Scaling groups named, by instance.
func (s *Service) scalingMembers(ctx context.Context, k store.Key, role string, names []string) (of map[string]member, why *cause, err error) {
	list, why, err := s.describeScaling(ctx, k, role, names)
	of = map[string]member{}
	for _, g := range list {
		for _, i := range g.Instances {
			switch i.LifecycleState {
			case autoscaling.LifecycleStateInService, autoscaling.LifecycleStateStandby:
				of[aws.Val(i.InstanceId)] = member{group: aws.Val(g.AutoScalingGroupName)}
			case autoscaling.LifecycleStatePendingWait, autoscaling.LifecycleStatePendingProceed:
				of[aws.Val(i.InstanceId)] = member{aws.Val(g.AutoScalingGroupName), true}
			}
		}
	}
	return of, why, err
}

// describeScaling describes the Auto Scaling groups named; that one is not there is
// a cause, with which come the others.
func (s *Service) describeScaling(ctx context.Context, k store.Key, role string, names []string) ([]autoscaling.AutoScalingGroup, *cause, error) {
	if len(names) == 0 {
		return nil, nil, nil
	}
	ctx, why := s.asRole(ctx, k, role, "DescribeAutoScalingGroups")
	if why != nil {
		return nil, why, nil
	}
	out, err := wire.Call[autoscaling.DescribeAutoScalingGroupsOutput](ctx, s.invoker, "autoscaling", "DescribeAutoScalingGroups",
		&autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names})
	if why := scalingCause(role, err); why != nil || err != nil {
		return nil, why, passed(why, err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(out.AutoScalingGroups, func(g autoscaling.AutoScalingGroup) bool { return aws.Val(g.AutoScalingGroupName) == name }) {
			return out.AutoScalingGroups, &cause{api.ErrorCodeAutoScalingConfiguration, fmt.Sprintf(
				"The deployment failed because the deployment group isn't configured correctly with its Auto Scaling group: there is no Auto Scaling group %s.", name)}, nil
		}
	}
	return out.AutoScalingGroups, nil, nil
}

// scalingCause turns an error of Auto Scaling into a deployment's, where it is one.
func scalingCause(role string, err error) *cause {
	switch {
	case isRefused(err):
		return &cause{api.ErrorCodeAutoScalingIamRolePermissions, scalingRefused(role, err)}
	case awserr.As(err) != nil:
		return &cause{api.ErrorCodeAutoScalingConfiguration, fmt.Sprintf("The deployment cannot use its Auto Scaling group: %v", err)}
	}
	return nil
}
