package codedeploy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/wire"
)

// fill sets every string member of an input to a value that passes the model's
// constraints.
func fill(in any) {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		text := map[string]string{
			"ServiceRoleArn": roleARN, "DeploymentId": "d-ABCDEFGHI", "ResourceArn": "arn:aws:codedeploy:us-east-1:123456789012:application:a",
		}[name]
		if text == "" {
			text = "a"
		}
		switch f.Interface().(type) {
		case *string:
			f.Set(reflect.ValueOf(&text))
		case []string:
			f.Set(reflect.ValueOf([]string{text}))
		case []api.Tag:
			f.Set(reflect.ValueOf([]api.Tag{{Key: &text, Value: &text}}))
		case *api.RevisionLocation:
			f.Set(reflect.ValueOf(revisionOf("k")))
		case []api.RevisionLocation:
			f.Set(reflect.ValueOf([]api.RevisionLocation{*revisionOf("k")}))
		}
		if name == "NextToken" || name == "ExternalId" {
			f.SetZero()
		}
	}
}

func TestEveryOperationAsksForItsPermission(t *testing.T) {
	w := newWorld(t)
	w.denied["*"] = true
	for _, op := range w.s.Wire().Operations {
		t.Run(op.Name, func(t *testing.T) {
			in := op.New()
			fill(in)
			_, err := w.server.Invoke(as("nobody"), "codedeploy", op.Name, in)
			want := "is not authorized to perform: codedeploy:" + op.Name
			var denied *aws.Denied
			if errors.As(err, &denied) {
				err = awserr.New("AccessDeniedException", "%s", denied.Error())
			}
			if !awserr.Is(err, "AccessDeniedException") || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}

func TestPassRole(t *testing.T) {
	w := newWorld(t)
	must[api.CreateApplicationOutput](w, "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("a")})
	w.denied["iam:PassRole"] = true
	_, err := call[api.CreateDeploymentGroupOutput](w, "CreateDeploymentGroup", &api.CreateDeploymentGroupInput{
		ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g"), ServiceRoleArn: aws.Ptr(roleARN)})
	if err == nil || !strings.Contains(err.Error(), "is not authorized to perform: iam:PassRole on resource: "+roleARN) {
		t.Errorf("error %v", err)
	}
}

func TestBadInput(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	group := func(change func(in *api.CreateDeploymentGroupInput)) *api.CreateDeploymentGroupInput {
		in := &api.CreateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("new"), ServiceRoleArn: aws.Ptr(roleARN)}
		change(in)
		return in
	}
	deploy := func(change func(in *api.CreateDeploymentInput)) *api.CreateDeploymentInput {
		in := &api.CreateDeploymentInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g"), Revision: revisionOf("v1")}
		change(in)
		return in
	}
	filter := func(k, v *string, kind api.EC2TagFilterType) []api.EC2TagFilter {
		return []api.EC2TagFilter{{Key: k, Value: v, Type: kind}}
	}
	tests := []struct {
		name, operation string
		in              any
		code, message   string
	}{
		{"application exists", "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("a")}, "ApplicationAlreadyExistsException", "An application with the name a already exists."},
		{"application name", "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("a b")}, "InvalidApplicationNameException", ""},
		{"Lambda", "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("l"), ComputePlatform: api.ComputePlatformLambda}, "NotImplemented", "hardstand does not implement the compute platform Lambda of codedeploy:CreateApplication."},
		{"no application", "GetApplication", &api.GetApplicationInput{ApplicationName: aws.Ptr("x")}, "ApplicationDoesNotExistException", "No application found for name: x"},
		{"group in no application", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) { in.ApplicationName = aws.Ptr("x") }), "ApplicationDoesNotExistException", "No application found for name: x"},
		{"group exists", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) { in.DeploymentGroupName = aws.Ptr("g") }), "DeploymentGroupAlreadyExistsException", "Deployment Group with name: g already exists for application: a"},
		{"group name", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) { in.DeploymentGroupName = aws.Ptr("g/h") }), "InvalidDeploymentGroupNameException", ""},
		{"role", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) { in.ServiceRoleArn = aws.Ptr("me") }), "InvalidRoleException", "The service role ARN was specified in an invalid format: me"},
		{"config", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr("x") }), "DeploymentConfigDoesNotExistException", "No Deployment Configuration found for name: x"},
		{"tags twice", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.Ec2TagFilters = filter(aws.Ptr("k"), nil, "")
			in.Ec2TagSet = &api.EC2TagSet{Ec2TagSetList: [][]api.EC2TagFilter{filter(aws.Ptr("k"), nil, "")}}
		}), "InvalidEC2TagCombinationException", ""},
		{"filter without a key", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.Ec2TagFilters = filter(nil, aws.Ptr("v"), api.EC2TagFilterTypeKeyOnly)
		}), "InvalidEC2TagException", "The tag was specified in an invalid format. A filter of type KEY_ONLY needs a key."},
		{"rollback without events", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: aws.Ptr(true)}
		}), "InvalidAutoRollbackConfigException", ""},
		{"traffic control", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.DeploymentStyle = &api.DeploymentStyle{DeploymentOption: api.DeploymentOptionWithTrafficControl}
		}), "InvalidLoadBalancerInfoException", "An invalid load balancer name, or no load balancer name, was specified. The deployment option WITH_TRAFFIC_CONTROL needs a load balancer or a target group."},
		{"balancer without a name", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.LoadBalancerInfo = &api.LoadBalancerInfo{ElbInfoList: []api.ELBInfo{{}}}
		}), "InvalidLoadBalancerInfoException", "An invalid load balancer name, or no load balancer name, was specified. A load balancer has no name."},
		{"eleven target groups", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.LoadBalancerInfo = &api.LoadBalancerInfo{TargetGroupInfoList: slices.Repeat([]api.TargetGroupInfo{{Name: aws.Ptr("web")}}, 11)}
		}), "InvalidLoadBalancerInfoException", "An invalid load balancer name, or no load balancer name, was specified. At most 10 load balancers and 10 target groups can be specified."},
		{"target group pairs", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.LoadBalancerInfo = &api.LoadBalancerInfo{TargetGroupPairInfoList: []api.TargetGroupPairInfo{{}}}
		}), "InvalidTargetGroupPairException", ""},
		{"style", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.DeploymentStyle = &api.DeploymentStyle{DeploymentType: "GREEN"}
		}), "InvalidDeploymentStyleException", "Deployment type can only be IN_PLACE or BLUE_GREEN"},
		{"blue/green options in place", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.BlueGreenDeploymentConfiguration = &api.BlueGreenDeploymentConfiguration{}
		}), "InvalidBlueGreenDeploymentConfigurationException", "The configuration for the blue/green deployment group was provided in an invalid format. It was given for deployments in place."},
		{"on-premises tags twice", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.OnPremisesInstanceTagFilters = []api.TagFilter{{Key: aws.Ptr("k")}}
			in.OnPremisesTagSet = &api.OnPremisesTagSet{OnPremisesTagSetList: [][]api.TagFilter{{{Key: aws.Ptr("k")}}}}
		}), "InvalidOnPremisesTagCombinationException", ""},
		{"auto scaling", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) { in.AutoScalingGroups = []string{"x"} }), "InvalidAutoScalingGroupException",
			"The Auto Scaling group was specified in an invalid format or does not exist. Auto Scaling group x: ValidationError: AutoScalingGroup name not found - null"},
		{"auto scaling twice", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) { in.AutoScalingGroups = []string{"x", "x"} }), "InvalidAutoScalingGroupException",
			"The Auto Scaling group was specified in an invalid format or does not exist. A name is empty or given twice."},
		{"eleven auto scaling groups", "CreateDeploymentGroup", group(func(in *api.CreateDeploymentGroupInput) {
			in.AutoScalingGroups = strings.Split("a b c d e f g h i j k", " ")
		}), "InvalidAutoScalingGroupException",
			"The Auto Scaling group was specified in an invalid format or does not exist. At most 10 Auto Scaling groups can be specified."},
		{"no group", "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("x")}, "DeploymentGroupDoesNotExistException", "No Deployment Group found for name: x"},
		{"deploy without a revision", "CreateDeployment", deploy(func(in *api.CreateDeploymentInput) { in.Revision = nil }), "RevisionRequiredException", "RevisionLocation must be specified"},
		{"deploy without a group", "CreateDeployment", deploy(func(in *api.CreateDeploymentInput) { in.DeploymentGroupName = nil }), "DeploymentGroupNameRequiredException", ""},
		{"deploy YAML", "CreateDeployment", deploy(func(in *api.CreateDeploymentInput) { in.Revision.S3Location.BundleType = api.BundleTypeYaml }), "InvalidRevisionException", "The revision was specified in an invalid format. The bundleType of a Server revision is tar, tgz or zip."},
		{"deploy to named targets", "CreateDeployment", deploy(func(in *api.CreateDeploymentInput) {
			in.TargetInstances = &api.TargetInstances{TagFilters: filter(aws.Ptr("k"), nil, "")}
		}), "InvalidTargetInstancesException", ""},
		{"deploy with an unknown config", "CreateDeployment", deploy(func(in *api.CreateDeploymentInput) { in.DeploymentConfigName = aws.Ptr("x") }), "DeploymentConfigDoesNotExistException", ""},
		{"deployment id", "GetDeployment", &api.GetDeploymentInput{DeploymentId: aws.Ptr("d-1")}, "InvalidDeploymentIdException", "Specified DeploymentId is not in the valid format: d-1"},
		{"no deployment", "GetDeployment", &api.GetDeploymentInput{DeploymentId: aws.Ptr("d-ABCDEFGHI")}, "DeploymentDoesNotExistException", "The deployment d-ABCDEFGHI could not be found"},
		{"stop nothing", "StopDeployment", &api.StopDeploymentInput{DeploymentId: aws.Ptr("d-ABCDEFGHI")}, "DeploymentDoesNotExistException", ""},
		{"list by application only", "ListDeployments", &api.ListDeploymentsInput{ApplicationName: aws.Ptr("a")}, "DeploymentGroupNameRequiredException", ""},
		{"token", "ListApplications", &api.ListApplicationsInput{NextToken: aws.Ptr("x")}, "InvalidNextTokenException", ""},
		{"no revision", "GetApplicationRevision", &api.GetApplicationRevisionInput{ApplicationName: aws.Ptr("a"), Revision: revisionOf("x")}, "RevisionDoesNotExistException", ""},
		{"predefined config", "CreateDeploymentConfig", &api.CreateDeploymentConfigInput{DeploymentConfigName: aws.Ptr("CodeDeployDefault.X")}, "InvalidDeploymentConfigNameException", ""},
		{"minimum", "CreateDeploymentConfig", &api.CreateDeploymentConfigInput{DeploymentConfigName: aws.Ptr("x"), MinimumHealthyHosts: &api.MinimumHealthyHosts{Type: api.MinimumHealthyHostsTypeFleetPercent, Value: aws.Ptr[int32](100)}}, "InvalidMinimumHealthyHostValueException", ""},
		{"tags of a stranger", "TagResource", &api.TagResourceInput{ResourceArn: aws.Ptr("arn:aws:s3:::b"), Tags: []api.Tag{{Key: aws.Ptr("k")}}}, "ArnNotSupportedException", ""},
		{"continue nothing", "ContinueDeployment", &api.ContinueDeploymentInput{}, "DeploymentIdRequiredException", ""},
		{"wait type", "ContinueDeployment", &api.ContinueDeploymentInput{DeploymentWaitType: "x"}, "InvalidDeploymentWaitTypeException", ""},
		{"skip nothing", "SkipWaitTimeForInstanceTermination", &api.SkipWaitTimeForInstanceTerminationInput{DeploymentId: aws.Ptr("d-ABCDEFGHI")}, "DeploymentDoesNotExistException", ""},
		{"hook status", "PutLifecycleEventHookExecutionStatus", &api.PutLifecycleEventHookExecutionStatusInput{DeploymentId: aws.Ptr("d-ABCDEFGHI"), Status: api.LifecycleEventStatusPending},
			"InvalidLifecycleEventHookExecutionStatusException", "The result of a Lambda validation function that verifies a lifecycle event is invalid. It should return Succeeded or Failed."},
		{"zonal", "CreateDeploymentConfig", &api.CreateDeploymentConfigInput{DeploymentConfigName: aws.Ptr("x"), ZonalConfig: &api.ZonalConfig{MonitorDurationInSeconds: aws.Ptr[int64](-1)},
			MinimumHealthyHosts: &api.MinimumHealthyHosts{Type: api.MinimumHealthyHostsTypeHostCount, Value: aws.Ptr[int32](0)}},
			"InvalidZonalDeploymentConfigurationException", "The ZonalConfig object is not valid. A monitor duration is not negative."},
		{"GitHub connection", "DeleteGitHubAccountToken", &api.DeleteGitHubAccountTokenInput{TokenName: aws.Ptr("x")}, "GitHubAccountTokenDoesNotExistException", ""},
		{"GitHub connection without a name", "DeleteGitHubAccountToken", &api.DeleteGitHubAccountTokenInput{}, "GitHubAccountTokenNameRequiredException", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.server.Invoke(as("deployer"), "codedeploy", tc.operation, tc.in)
			wantCode(t, err, tc.code, tc.message)
		})
	}
}

// TestRoleMustBeAssumable: a group is not made, and not changed, with a role that
// CodeDeploy cannot assume.
func TestRoleMustBeAssumable(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	w.noRole = awserr.New("NoSuchEntity", "gone")
	for operation, in := range map[string]any{
		"CreateDeploymentGroup": &api.CreateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("new"), ServiceRoleArn: aws.Ptr(roleARN)},
		"UpdateDeploymentGroup": &api.UpdateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), CurrentDeploymentGroupName: aws.Ptr("g"), ServiceRoleArn: aws.Ptr(roleARN)},
	} {
		_, err := w.server.Invoke(as("deployer"), "codedeploy", operation, in)
		wantCode(t, err, "InvalidRoleException", "Cannot assume role provided.")
	}
}

func TestApplicationsAndGroups(t *testing.T) {
	w := newWorld(t)
	w.setUp(func(in *api.CreateDeploymentGroupInput) {
		in.Tags = []api.Tag{{Key: aws.Ptr("k"), Value: aws.Ptr("v")}}
	})
	before := must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo
	must[api.UpdateApplicationOutput](w, "UpdateApplication", &api.UpdateApplicationInput{ApplicationName: aws.Ptr("a"), NewApplicationName: aws.Ptr("b")})
	must[api.UpdateDeploymentGroupOutput](w, "UpdateDeploymentGroup", &api.UpdateDeploymentGroupInput{ApplicationName: aws.Ptr("b"),
		CurrentDeploymentGroupName: aws.Ptr("g"), NewDeploymentGroupName: aws.Ptr("h"), DeploymentConfigName: aws.Ptr(allAtOnce)})
	after := must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("b"), DeploymentGroupName: aws.Ptr("h")}).DeploymentGroupInfo
	if *after.DeploymentGroupId != *before.DeploymentGroupId || *after.DeploymentConfigName != allAtOnce || len(after.Ec2TagFilters) != 1 {
		t.Errorf("after the renames: %+v", after)
	}
	arn := "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:b/h"
	must[api.TagResourceOutput](w, "TagResource", &api.TagResourceInput{ResourceArn: &arn, Tags: []api.Tag{{Key: aws.Ptr("x"), Value: aws.Ptr("y")}}})
	must[api.UntagResourceOutput](w, "UntagResource", &api.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"k"}})
	tags := must[api.ListTagsForResourceOutput](w, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: &arn}).Tags
	if len(tags) != 1 || *tags[0].Key != "x" {
		t.Errorf("tags %+v", tags)
	}
	must[api.DeleteApplicationOutput](w, "DeleteApplication", &api.DeleteApplicationInput{ApplicationName: aws.Ptr("b")})
	must[api.DeleteApplicationOutput](w, "DeleteApplication", &api.DeleteApplicationInput{ApplicationName: aws.Ptr("b")})
	if left := must[api.ListApplicationsOutput](w, "ListApplications", &api.ListApplicationsInput{}).Applications; len(left) != 0 {
		t.Errorf("left %q", left)
	}
}

func TestListsArePaged(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 2*pageSize + 3 {
		name := fmt.Sprintf("app%03d", i)
		want = append(want, name)
		must[api.CreateApplicationOutput](w, "CreateApplication", &api.CreateApplicationInput{ApplicationName: &name})
	}
	var got []string
	in := &api.ListApplicationsInput{}
	for {
		out := must[api.ListApplicationsOutput](w, "ListApplications", in)
		got = append(got, out.Applications...)
		if out.NextToken == nil {
			break
		}
		in.NextToken = out.NextToken
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d names, want %d", len(got), len(want))
	}
}

func TestRevisions(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.agent("i-1", nil)
	must[api.RegisterApplicationRevisionOutput](w, "RegisterApplicationRevision", &api.RegisterApplicationRevisionInput{
		ApplicationName: aws.Ptr("a"), Revision: revisionOf("v0"), Description: aws.Ptr("first")})
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	for filter, want := range map[api.ListStateFilterAction]int{"": 2, api.ListStateFilterActionInclude: 1, api.ListStateFilterActionExclude: 1} {
		out := must[api.ListApplicationRevisionsOutput](w, "ListApplicationRevisions", &api.ListApplicationRevisionsInput{ApplicationName: aws.Ptr("a"), Deployed: filter, S3Bucket: aws.Ptr("b"), S3KeyPrefix: aws.Ptr("v")})
		if len(out.Revisions) != want {
			t.Errorf("deployed %q: %d revisions, want %d", filter, len(out.Revisions), want)
		}
	}
	got := must[api.GetApplicationRevisionOutput](w, "GetApplicationRevision", &api.GetApplicationRevisionInput{ApplicationName: aws.Ptr("a"), Revision: revisionOf("v1")})
	if !slices.Equal(got.RevisionInfo.DeploymentGroups, []string{"g"}) || got.RevisionInfo.LastUsedTime == nil {
		t.Errorf("revision %+v", got.RevisionInfo)
	}
}

func TestListDeployments(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.agent("i-1", func(key, event string) bool { return key == "bad" && event == "Install" })
	var ids []string
	for _, key := range []string{"v1", "bad", "v2"} {
		id := w.deploy(key)
		w.await(id, "an end", func(d *api.DeploymentInfo) bool { return d.CompleteTime != nil })
		ids = append([]string{id}, ids...)
		w.clock.Advance(1)
	}
	all := must[api.ListDeploymentsOutput](w, "ListDeployments", &api.ListDeploymentsInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).Deployments
	if !slices.Equal(all, ids) {
		t.Errorf("all: %q, want %q", all, ids)
	}
	failed := must[api.ListDeploymentsOutput](w, "ListDeployments", &api.ListDeploymentsInput{IncludeOnlyStatuses: []api.DeploymentStatus{api.DeploymentStatusFailed}}).Deployments
	if !slices.Equal(failed, ids[1:2]) {
		t.Errorf("failed: %q", failed)
	}
	targets := must[api.ListDeploymentInstancesOutput](w, "ListDeploymentInstances", &api.ListDeploymentInstancesInput{DeploymentId: &ids[1], InstanceStatusFilter: []api.InstanceStatus{api.InstanceStatusFailed}})
	if !slices.Equal(targets.InstancesList, []string{"i-1"}) {
		t.Errorf("instances %q", targets.InstancesList)
	}
	d := must[api.GetDeploymentInstanceOutput](w, "GetDeploymentInstance", &api.GetDeploymentInstanceInput{DeploymentId: &ids[1], InstanceId: aws.Ptr("i-1")}).InstanceSummary.LifecycleEvents[3].Diagnostics
	if d.ErrorCode != api.LifecycleErrorCodeScriptFailed || *d.ScriptName != "s.sh" || *d.LogTail != "[stdout]one\n[stderr]two\n" {
		t.Errorf("diagnostics %+v", d)
	}
}

func TestResourceTypes(t *testing.T) {
	w := newWorld(t)
	types := w.s.Resources()
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::CodeDeploy::Application"], Type: "AWS::CodeDeploy::Application", Context: as("deployer"),
		Properties: map[string]any{"ApplicationName": "s"}, Changed: map[string]any{"ApplicationName": "s", "Tags": []any{map[string]any{"Key": "k", "Value": "v"}}}})
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::CodeDeploy::DeploymentConfig"], Type: "AWS::CodeDeploy::DeploymentConfig", Context: as("deployer"),
		Properties: map[string]any{"DeploymentConfigName": "c", "MinimumHealthyHosts": map[string]any{"Type": "HOST_COUNT", "Value": 2},
			"ZonalConfig": map[string]any{"MonitorDurationInSeconds": 60, "MinimumHealthyHostsPerZone": map[string]any{"Type": "FLEET_PERCENT", "Value": "50"}}}})
	must[api.CreateApplicationOutput](w, "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("a")})
	group := func(config string) map[string]any {
		return map[string]any{"ApplicationName": "a", "ServiceRoleArn": roleARN, "DeploymentConfigName": config,
			"Ec2TagFilters": []any{map[string]any{"Key": "app", "Value": "web", "Type": "KEY_AND_VALUE"}}}
	}
	stacktest.Conform(t, stacktest.Case{Resource: types["AWS::CodeDeploy::DeploymentGroup"], Type: "AWS::CodeDeploy::DeploymentGroup", Context: as("deployer"),
		Properties: group(oneAtATime), Changed: group(allAtOnce)})
}

func TestResourceThatDeploys(t *testing.T) {
	w := newWorld(t, "i-1")
	must[api.CreateApplicationOutput](w, "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("a")})
	a := w.agent("i-1", func(key, event string) bool { return key == "bad" && event == "Install" })
	group := func(key string) map[string]any {
		return map[string]any{"ApplicationName": "a", "ServiceRoleArn": roleARN,
			"Ec2TagFilters": []any{map[string]any{"Key": "app", "Value": "web", "Type": "KEY_AND_VALUE"}},
			"Deployment": map[string]any{"Revision": map[string]any{"RevisionType": "S3",
				"S3Location": map[string]any{"Bucket": "b", "Key": key, "BundleType": "Zip"}}}}
	}
	good, bad := group("v1"), group("bad")
	resource := w.s.Resources()["AWS::CodeDeploy::DeploymentGroup"]
	stacktest.Conform(t, stacktest.Case{Resource: resource, Type: "AWS::CodeDeploy::DeploymentGroup", Context: as("deployer"), Properties: good, Changed: group("v2")})
	if len(a.ran) != 14 { // each revision once, though the creation was repeated
		t.Errorf("ran %q", a.ran)
	}
	_, err := resource.Create(as("deployer"), stack.Request{StackName: "s", LogicalID: "L", Token: "t", Properties: bad, Region: region, Account: account}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "of revision s3://b/bad: Failed: HEALTH_CONSTRAINTS: ") {
		t.Errorf("error %v", err)
	}
}

var _ wire.Invoker = (*world)(nil)
