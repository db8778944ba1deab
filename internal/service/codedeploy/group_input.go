package codedeploy

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// groupInput is what CreateDeploymentGroup and UpdateDeploymentGroup share.
type groupInput struct {
	operation  string
	onPremises []api.TagFilter
	onPremSet  *api.OnPremisesTagSet
	scaling    []string
	triggers   []api.TriggerConfig
	alarms     *api.AlarmConfiguration
	rollback   *api.AutoRollbackConfiguration
	outdated   api.OutdatedInstancesStrategy
	balancer   *api.LoadBalancerInfo
	ecs        []api.ECSService
	filters    []api.EC2TagFilter
	tagSet     *api.EC2TagSet
	role       *string
	config     *string
	style      *api.DeploymentStyle
}

// check refuses what is malformed or not built.
func (in groupInput) check() error {
	if err := in.unbuilt(); err != nil {
		return err
	}
	if err := checkScaling(in.scaling); err != nil {
		return err
	}
	if err := checkBalancer(in.operation, in.balancer); err != nil {
		return err
	}
	if aws.Val(in.config) != "" {
		if _, err := checkConfigName(in.config); err != nil {
			return err
		}
	}
	if st := in.style; st != nil && st.DeploymentOption == "" { // the type may be left out
		return awserr.New("InvalidDeploymentStyleException", styleMissing)
	}
	if err := checkRollback(in.rollback); err != nil {
		return err
	}
	if err := checkAlarms(in.alarms); err != nil {
		return err
	}
	if err := checkTriggers(in.triggers); err != nil {
		return err
	}
	switch in.outdated {
	case "", api.OutdatedInstancesStrategyUpdate, api.OutdatedInstancesStrategyIgnore:
	default:
		return awserr.New("InvalidInputException", "The outdatedInstancesStrategy %s is invalid. Valid values are UPDATE and IGNORE.", in.outdated)
	}
	if in.role != nil {
		if a, err := arn.Parse(*in.role); err != nil || a.Service != "iam" || len(a.Resource) < 6 || a.Resource[:5] != "role/" {
			return awserr.New("InvalidRoleException", "The service role ARN was specified in an invalid format: %s", *in.role)
		}
	}
	if err := checkSelector(ec2Selector(in.filters, in.tagSet), errTagCombination, "InvalidEC2TagException"); err != nil {
		return err
	}
	return checkSelector(selector{plainFilters(in.onPremises), plainSets(in.onPremSet)}, errOnPremisesTagCombination, "InvalidTagException")
}

// checkRole refuses a service role that CodeDeploy cannot assume: what it may do is
// found out by the deployment.
func (s *Service) checkRole(ctx context.Context, role string) error {
	if _, err := s.roles.AssumeServiceRole(ctx, role, servicePrincipal); err != nil {
		s.log.Info("service role", "role", role, "error", err)
		return awserr.New("InvalidRoleException", "Cannot assume role provided.")
	}
	return nil
}

func (in groupInput) unbuilt() error {
	for _, m := range []struct {
		name string
		set  bool
	}{
		{"ecsServices", len(in.ecs) > 0},
	} {
		if m.set {
			return errUnbuilt(in.operation, m.name)
		}
	}
	return nil
}

func checkRollback(r *api.AutoRollbackConfiguration) error {
	if r == nil {
		return nil
	}
	for _, e := range r.Events {
		switch e {
		case api.AutoRollbackEventDeploymentFailure, api.AutoRollbackEventDeploymentStopOnRequest, api.AutoRollbackEventDeploymentStopOnAlarm:
		default:
			return awserr.New("InvalidAutoRollbackConfigException", "The automatic rollback event %s is invalid.", e)
		}
	}
	if aws.Val(r.Enabled) && len(r.Events) == 0 {
		return awserr.New("InvalidAutoRollbackConfigException",
			"The automatic rollback configuration was specified in an invalid format. Automatic rollback is enabled, but no event types were listed.")
	}
	return nil
}

// AWS's limits of a selection by tags.
const (
	maxTagSets = 3
	maxFilters = 10
)

func checkSelector(s selector, both error, code string) error {
	if len(s.filters) > 0 && len(s.sets) > 0 {
		return both
	}
	if len(s.sets) > maxTagSets {
		return awserr.New("TagSetListLimitExceededException", "The number of tag groups included in the tag set list exceeded the maximum allowed limit of %d.", maxTagSets)
	}
	all := slices.Concat(append([][]api.EC2TagFilter{s.filters}, s.sets...)...)
	if len(all) > maxFilters {
		return awserr.New(code, "The tag was specified in an invalid format. At most %d tags can be specified.", maxFilters)
	}
	for _, f := range all {
		if why := checkTagFilter(f); why != "" {
			return awserr.New(code, "The tag was specified in an invalid format. %s", why)
		}
	}
	return nil
}

func checkTagFilter(f api.EC2TagFilter) string {
	k, v := aws.Val(f.Key), aws.Val(f.Value)
	switch filterType(f) {
	case api.EC2TagFilterTypeKeyOnly:
		if k == "" {
			return "A filter of type KEY_ONLY needs a key."
		}
	case api.EC2TagFilterTypeValueOnly:
		if v == "" {
			return "A filter of type VALUE_ONLY needs a value."
		}
	case api.EC2TagFilterTypeKeyAndValue:
		if k == "" {
			return "A filter of type KEY_AND_VALUE needs a key."
		}
	default:
		return "Valid filter types are KEY_ONLY, VALUE_ONLY and KEY_AND_VALUE."
	}
	return ""
}

// filterType fills in the type that a filter without one has.
func filterType(f api.EC2TagFilter) api.EC2TagFilterType {
	switch {
	case f.Type != "":
		return f.Type
	case f.Value == nil:
		return api.EC2TagFilterTypeKeyOnly
	case f.Key == nil:
		return api.EC2TagFilterTypeValueOnly
	}
	return api.EC2TagFilterTypeKeyAndValue
}
