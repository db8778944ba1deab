package codedeploy

import (
	"context"
	"reflect"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// resourceDeploymentGroup is AWS::CodeDeploy::DeploymentGroup. Ref and the
// physical id are the name, which is unique in its application. With the
// property Deployment the resource is ready when that deployment has succeeded.
type resourceDeploymentGroup struct {
	inv Invoker
	db  *store.DB
}

type groupTagFilter struct{ Key, Value, Type *string }

type groupProperties struct {
	ApplicationName      string `cfn:",required"`
	DeploymentGroupName  *string
	ServiceRoleArn       string `cfn:",required"`
	DeploymentConfigName *string
	Ec2TagFilters        []groupTagFilter
	Ec2TagSet            *struct {
		Ec2TagSetList []struct{ Ec2TagGroup []groupTagFilter }
	}
	OnPremisesInstanceTagFilters []groupTagFilter
	OnPremisesTagSet             *struct {
		OnPremisesTagSetList []struct{ OnPremisesTagGroup []groupTagFilter }
	}
	BlueGreenDeploymentConfiguration *blueGreenProperties
	AutoRollbackConfiguration        *struct {
		Enabled *bool
		Events  []string
	}
	AlarmConfiguration *struct {
		Enabled, IgnorePollAlarmFailure *bool
		Alarms                          []struct{ Name *string }
	}
	TriggerConfigurations []struct {
		TriggerName, TriggerTargetArn *string
		TriggerEvents                 []string
	}
	AutoScalingGroups      []string
	TerminationHookEnabled *bool
	LoadBalancerInfo       *struct {
		ElbInfoList, TargetGroupInfoList []struct{ Name *string }
	}
	Deployment                *deploymentProperties
	DeploymentStyle           *struct{ DeploymentType, DeploymentOption *string }
	OutdatedInstancesStrategy *string
	Tags                      []stack.Tag
}

func (resourceDeploymentGroup) Schema() stack.Schema {
	sc := stack.SchemaOf(groupProperties{})
	sc.Taggable = true
	return sc
}

func apiFilters(in []groupTagFilter) []api.EC2TagFilter {
	out := make([]api.EC2TagFilter, len(in))
	for i, f := range in {
		out[i] = api.EC2TagFilter{Key: f.Key, Value: f.Value, Type: api.EC2TagFilterType(aws.Val(f.Type))}
	}
	return out
}

func (p *groupProperties) tagSet() *api.EC2TagSet {
	if p.Ec2TagSet == nil {
		return nil
	}
	set := &api.EC2TagSet{}
	for _, g := range p.Ec2TagSet.Ec2TagSetList {
		set.Ec2TagSetList = append(set.Ec2TagSetList, apiFilters(g.Ec2TagGroup))
	}
	return set
}

func apiTagFilters(in []groupTagFilter) []api.TagFilter {
	out := make([]api.TagFilter, len(in))
	for i, f := range in {
		out[i] = api.TagFilter{Key: f.Key, Value: f.Value, Type: api.TagFilterType(aws.Val(f.Type))}
	}
	return out
}

func (p *groupProperties) onPremisesSet() *api.OnPremisesTagSet {
	if p.OnPremisesTagSet == nil {
		return nil
	}
	set := &api.OnPremisesTagSet{}
	for _, g := range p.OnPremisesTagSet.OnPremisesTagSetList {
		set.OnPremisesTagSetList = append(set.OnPremisesTagSetList, apiTagFilters(g.OnPremisesTagGroup))
	}
	return set
}

type blueGreenProperties struct {
	DeploymentReadyOption *struct {
		ActionOnTimeout   *string
		WaitTimeInMinutes *int32
	}
	GreenFleetProvisioningOption              *struct{ Action *string }
	TerminateBlueInstancesOnDeploymentSuccess *struct {
		Action                       *string
		TerminationWaitTimeInMinutes *int32
	}
}

func (p *blueGreenProperties) api() *api.BlueGreenDeploymentConfiguration {
	if p == nil {
		return nil
	}
	out := &api.BlueGreenDeploymentConfiguration{}
	if o := p.DeploymentReadyOption; o != nil {
		out.DeploymentReadyOption = &api.DeploymentReadyOption{ActionOnTimeout: api.DeploymentReadyAction(aws.Val(o.ActionOnTimeout)), WaitTimeInMinutes: o.WaitTimeInMinutes}
	}
	if o := p.GreenFleetProvisioningOption; o != nil {
		out.GreenFleetProvisioningOption = &api.GreenFleetProvisioningOption{Action: api.GreenFleetProvisioningAction(aws.Val(o.Action))}
	}
	if o := p.TerminateBlueInstancesOnDeploymentSuccess; o != nil {
		out.TerminateBlueInstancesOnDeploymentSuccess = &api.BlueInstanceTerminationOption{Action: api.InstanceAction(aws.Val(o.Action)), TerminationWaitTimeInMinutes: o.TerminationWaitTimeInMinutes}
	}
	return out
}

func (p *groupProperties) rollback() *api.AutoRollbackConfiguration {
	r := p.AutoRollbackConfiguration
	if r == nil {
		return nil
	}
	out := &api.AutoRollbackConfiguration{Enabled: r.Enabled}
	for _, e := range r.Events {
		out.Events = append(out.Events, api.AutoRollbackEvent(e))
	}
	return out
}

func (p *groupProperties) alarms() *api.AlarmConfiguration {
	a := p.AlarmConfiguration
	if a == nil {
		return nil
	}
	out := &api.AlarmConfiguration{Enabled: a.Enabled, IgnorePollAlarmFailure: a.IgnorePollAlarmFailure, Alarms: []api.Alarm{}}
	for _, one := range a.Alarms {
		out.Alarms = append(out.Alarms, api.Alarm{Name: one.Name})
	}
	return out
}

func (p *groupProperties) triggers() []api.TriggerConfig {
	out := make([]api.TriggerConfig, len(p.TriggerConfigurations))
	for i, t := range p.TriggerConfigurations {
		out[i] = api.TriggerConfig{TriggerName: t.TriggerName, TriggerTargetArn: t.TriggerTargetArn}
		for _, e := range t.TriggerEvents {
			out[i].TriggerEvents = append(out[i].TriggerEvents, api.TriggerEventType(e))
		}
	}
	return out
}

// balancer is the property, empty where the template has none: that takes one away.
func (p *groupProperties) balancer() *api.LoadBalancerInfo {
	out := &api.LoadBalancerInfo{}
	if p.LoadBalancerInfo == nil {
		return out
	}
	for _, b := range p.LoadBalancerInfo.ElbInfoList {
		out.ElbInfoList = append(out.ElbInfoList, api.ELBInfo{Name: b.Name})
	}
	for _, b := range p.LoadBalancerInfo.TargetGroupInfoList {
		out.TargetGroupInfoList = append(out.TargetGroupInfoList, api.TargetGroupInfo{Name: b.Name})
	}
	return out
}

func (p *groupProperties) style() *api.DeploymentStyle {
	st := p.DeploymentStyle
	if st == nil {
		return nil
	}
	return &api.DeploymentStyle{
		DeploymentType: api.DeploymentType(aws.Val(st.DeploymentType)), DeploymentOption: api.DeploymentOption(aws.Val(st.DeploymentOption)),
	}
}

func (t resourceDeploymentGroup) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p groupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	name := r.Name(100)
	if p.DeploymentGroupName != nil {
		name = *p.DeploymentGroupName
	}
	_, err := invoke[api.CreateDeploymentGroupOutput](ctx, t.inv, "CreateDeploymentGroup", &api.CreateDeploymentGroupInput{
		ApplicationName: &p.ApplicationName, DeploymentGroupName: &name, ServiceRoleArn: &p.ServiceRoleArn,
		DeploymentConfigName: p.DeploymentConfigName, Ec2TagFilters: apiFilters(p.Ec2TagFilters), Ec2TagSet: p.tagSet(),
		OnPremisesInstanceTagFilters: apiTagFilters(p.OnPremisesInstanceTagFilters), OnPremisesTagSet: p.onPremisesSet(),
		BlueGreenDeploymentConfiguration: p.BlueGreenDeploymentConfiguration.api(),
		AutoRollbackConfiguration:        p.rollback(), DeploymentStyle: p.style(),
		AlarmConfiguration: p.alarms(), TriggerConfigurations: p.triggers(), LoadBalancerInfo: p.balancer(),
		AutoScalingGroups: p.AutoScalingGroups, TerminationHookEnabled: p.TerminationHookEnabled,
		OutdatedInstancesStrategy: api.OutdatedInstancesStrategy(aws.Val(p.OutdatedInstancesStrategy)), Tags: apiTags(r.TagsWith(p.Tags)),
	})
	if err != nil {
		return stack.Result{}, err
	}
	started(name)
	return stack.Result{PhysicalID: name}, t.deploy(ctx, p.ApplicationName, name, p.Deployment)
}

func (t resourceDeploymentGroup) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := invoke[api.GetDeploymentGroupOutput](ctx, t.inv, "GetDeploymentGroup", &api.GetDeploymentGroupInput{
		ApplicationName: applicationOf(r), DeploymentGroupName: &r.PhysicalID})
	if awserr.Is(err, "ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException") {
		return stack.Result{}, stack.ErrNotFound
	}
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

func (t resourceDeploymentGroup) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p, old groupProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	in := &api.UpdateDeploymentGroupInput{
		ApplicationName: &p.ApplicationName, CurrentDeploymentGroupName: &r.PhysicalID, ServiceRoleArn: &p.ServiceRoleArn,
		DeploymentConfigName: p.DeploymentConfigName, Ec2TagSet: p.tagSet(), AutoRollbackConfiguration: p.rollback(),
		DeploymentStyle: p.style(), OutdatedInstancesStrategy: api.OutdatedInstancesStrategy(aws.Val(p.OutdatedInstancesStrategy)),
		OnPremisesTagSet: p.onPremisesSet(), BlueGreenDeploymentConfiguration: p.BlueGreenDeploymentConfiguration.api(),
		AlarmConfiguration: p.alarms(), TriggerConfigurations: p.triggers(), LoadBalancerInfo: p.balancer(),
		AutoScalingGroups: append([]string{}, p.AutoScalingGroups...), TerminationHookEnabled: aws.Ptr(aws.Val(p.TerminationHookEnabled)),
	}
	p.complete(in, old.AutoRollbackConfiguration != nil)
	if in.AlarmConfiguration == nil && old.AlarmConfiguration != nil {
		in.AlarmConfiguration = &api.AlarmConfiguration{Enabled: aws.Ptr(false), Alarms: []api.Alarm{}}
	}
	if _, err := invoke[api.UpdateDeploymentGroupOutput](ctx, t.inv, "UpdateDeploymentGroup", in); err != nil {
		return stack.Result{}, err
	}
	resource := groupARN(aws.CallFrom(ctx), p.ApplicationName, r.PhysicalID)
	if err := retag(ctx, t.inv, resource, r, p.Tags, old.Tags); err != nil {
		return stack.Result{}, err
	}
	if reflect.DeepEqual(p.Deployment, old.Deployment) {
		return stack.Result{PhysicalID: r.PhysicalID}, nil
	}
	return stack.Result{PhysicalID: r.PhysicalID}, t.deploy(ctx, p.ApplicationName, r.PhysicalID, p.Deployment)
}

// complete takes back to the default what the template no longer says.
func (p *groupProperties) complete(in *api.UpdateDeploymentGroupInput, rolledBack bool) {
	if p.DeploymentConfigName == nil {
		in.DeploymentConfigName = aws.Ptr(oneAtATime)
	}
	if in.AutoRollbackConfiguration == nil && rolledBack {
		in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: aws.Ptr(false)}
	}
	if in.OutdatedInstancesStrategy == "" {
		in.OutdatedInstancesStrategy = api.OutdatedInstancesStrategyUpdate
	}
	if p.Ec2TagSet == nil {
		in.Ec2TagFilters = apiFilters(p.Ec2TagFilters)
	}
	if p.OnPremisesTagSet == nil {
		in.OnPremisesInstanceTagFilters = apiTagFilters(p.OnPremisesInstanceTagFilters)
	}
	if in.DeploymentStyle == nil {
		in.DeploymentStyle = &api.DeploymentStyle{DeploymentType: api.DeploymentTypeInPlace, DeploymentOption: api.DeploymentOptionWithoutTrafficControl}
	}
}

func (t resourceDeploymentGroup) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeleteDeploymentGroupOutput](ctx, t.inv, "DeleteDeploymentGroup", &api.DeleteDeploymentGroupInput{
		ApplicationName: applicationOf(r), DeploymentGroupName: &r.PhysicalID})
	return err
}

// applicationOf is the application that a group's properties name.
func applicationOf(r stack.Request) *string {
	name, _ := r.Properties["ApplicationName"].(string)
	return &name
}
