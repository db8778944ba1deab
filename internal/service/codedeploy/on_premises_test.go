package codedeploy

import (
	"context"
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	commands "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/wire"
)

const (
	userARN    = "arn:aws:iam::" + account + ":user/build/box"
	sessionARN = "arn:aws:sts::" + account + ":assumed-role/onprem/box2"
)

func (w *world) register(name string, in api.RegisterOnPremisesInstanceInput, tags ...string) {
	w.t.Helper()
	in.InstanceName = &name
	must[api.RegisterOnPremisesInstanceOutput](w, "RegisterOnPremisesInstance", &in)
	for _, v := range tags {
		must[api.AddTagsToOnPremisesInstancesOutput](w, "AddTagsToOnPremisesInstances", &api.AddTagsToOnPremisesInstancesInput{
			InstanceNames: []string{name}, Tags: []api.Tag{{Key: aws.Ptr("app"), Value: aws.Ptr(v)}}})
	}
}

func onPremisesGroup(in *api.CreateDeploymentGroupInput) {
	in.OnPremisesInstanceTagFilters = []api.TagFilter{{Key: aws.Ptr("app"), Value: aws.Ptr("web"), Type: api.TagFilterTypeKeyAndValue}}
}

// asARN calls as the user or session of the ARN.
func asARN(arn string) context.Context {
	kind := aws.PrincipalUser
	if arn == sessionARN {
		kind = aws.PrincipalAssumedRole
	}
	return aws.WithCall(context.Background(), aws.Call{Account: account, Region: region,
		Principal: aws.Principal{Type: kind, Account: account, ARN: arn, SessionName: "i-1"}})
}

func TestDeploymentToOnPremisesInstances(t *testing.T) {
	w := newWorld(t, "i-1")
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)}, "web")
	w.register("box2", api.RegisterOnPremisesInstanceInput{IamSessionArn: aws.Ptr(sessionARN)}, "web")
	w.register("other", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN + "3")}, "db")
	w.setUp(onPremisesGroup)
	agents := []*hostAgent{w.agent("i-1", nil), w.agentAs(asARN(userARN), userARN, nil), w.agentAs(asARN(sessionARN), sessionARN, nil)}
	id := w.deploy("v1")
	d := w.awaitStatus(id, api.DeploymentStatusSucceeded)
	if *d.DeploymentOverview.Succeeded != 3 {
		t.Errorf("overview %+v", d.DeploymentOverview)
	}
	for _, a := range agents {
		if len(a.ran) != 7 {
			t.Errorf("%s ran %q", a.id, a.ran)
		}
	}
	list := must[api.ListDeploymentInstancesOutput](w, "ListDeploymentInstances", &api.ListDeploymentInstancesInput{DeploymentId: &id}).InstancesList
	if !slices.Equal(list, []string{"box", "box2", "i-1"}) {
		t.Errorf("targets %q", list)
	}
	info := must[api.GetOnPremisesInstanceOutput](w, "GetOnPremisesInstance", &api.GetOnPremisesInstanceInput{InstanceName: aws.Ptr("box")}).InstanceInfo
	if got := w.target(id, "box"); *got.TargetArn != *info.InstanceArn || *info.IamUserArn != userARN {
		t.Errorf("target %s, instance %+v", *got.TargetArn, info)
	}
}

// Groups of machines on premises need no permission in EC2.
func TestOnPremisesAlone(t *testing.T) {
	w := newWorld(t)
	w.denied["ec2:DescribeInstances"] = true
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)}, "web")
	w.setUp(onPremisesGroup, func(in *api.CreateDeploymentGroupInput) { in.Ec2TagFilters = nil })
	w.agentAs(asARN(userARN), userARN, nil)
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
}

func TestWhoIsAHost(t *testing.T) {
	w := newWorld(t, "i-1")
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)})
	poll := func(ctx context.Context, host string) error {
		_, err := wire.Call[commands.GetDeploymentSpecificationOutput](ctx, w.server, "codedeploy-commands", "GetDeploymentSpecification",
			&commands.GetDeploymentSpecificationInput{HostIdentifier: &host, DeploymentExecutionId: aws.Ptr("a/b/c/d")})
		return err
	}
	tests := []struct {
		name, who, host, code string
	}{
		{"registered", userARN, userARN, "ClientException"}, // let in: the id is what is wrong
		{"as an instance", userARN, *hostARN("i-1"), "AccessDeniedException"},
		{"not registered", userARN + "x", userARN + "x", "AccessDeniedException"},
		// A role session that is merely named like an instance is none.
		{"session named like an instance", sessionARN, *hostARN("i-1"), "AccessDeniedException"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { wantCode(t, poll(asARN(tc.who), tc.host), tc.code, "") })
	}
	must[api.DeregisterOnPremisesInstanceOutput](w, "DeregisterOnPremisesInstance", &api.DeregisterOnPremisesInstanceInput{InstanceName: aws.Ptr("box")})
	wantCode(t, poll(asARN(userARN), userARN), "AccessDeniedException", "")
}

func TestOnPremisesRegistry(t *testing.T) {
	w := newWorld(t)
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)}, "web")
	w.register("box2", api.RegisterOnPremisesInstanceInput{IamSessionArn: aws.Ptr(sessionARN)}, "db")
	must[api.DeregisterOnPremisesInstanceOutput](w, "DeregisterOnPremisesInstance", &api.DeregisterOnPremisesInstanceInput{InstanceName: aws.Ptr("box2")})
	web := []api.TagFilter{{Key: aws.Ptr("app"), Value: aws.Ptr("web"), Type: api.TagFilterTypeKeyAndValue}}
	for name, tc := range map[string]struct {
		in   api.ListOnPremisesInstancesInput
		want []string
	}{
		"all":          {api.ListOnPremisesInstancesInput{}, []string{"box", "box2"}},
		"registered":   {api.ListOnPremisesInstancesInput{RegistrationStatus: api.RegistrationStatusRegistered}, []string{"box"}},
		"deregistered": {api.ListOnPremisesInstancesInput{RegistrationStatus: api.RegistrationStatusDeregistered}, []string{"box2"}},
		"tagged":       {api.ListOnPremisesInstancesInput{TagFilters: web}, []string{"box"}},
	} {
		if got := must[api.ListOnPremisesInstancesOutput](w, "ListOnPremisesInstances", &tc.in).InstanceNames; !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	must[api.RemoveTagsFromOnPremisesInstancesOutput](w, "RemoveTagsFromOnPremisesInstances", &api.RemoveTagsFromOnPremisesInstancesInput{
		InstanceNames: []string{"box"}, Tags: []api.Tag{{Key: aws.Ptr("app"), Value: aws.Ptr("other")}, {Key: aws.Ptr("gone")}}})
	infos := must[api.BatchGetOnPremisesInstancesOutput](w, "BatchGetOnPremisesInstances", &api.BatchGetOnPremisesInstancesInput{InstanceNames: []string{"box", "box2", "none"}}).InstanceInfos
	if len(infos) != 2 || len(infos[0].Tags) != 1 || infos[1].DeregisterTime == nil {
		t.Errorf("instances %+v", infos)
	}
	// The name and the session are free again.
	w.register("box2", api.RegisterOnPremisesInstanceInput{IamSessionArn: aws.Ptr(sessionARN)})
}

func TestBadOnPremisesInput(t *testing.T) {
	w := newWorld(t)
	w.register("box", api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)})
	w.register("box2", api.RegisterOnPremisesInstanceInput{IamSessionArn: aws.Ptr(sessionARN)})
	box := []string{"box"}
	tests := []struct {
		name, operation string
		in              any
		code, message   string
	}{
		{"no name", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{IamUserArn: aws.Ptr(userARN)}, "InstanceNameRequiredException", ""},
		{"name of EC2", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{InstanceName: aws.Ptr("i-1")}, "InvalidInstanceNameException", ""},
		{"no ARN", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{InstanceName: aws.Ptr("x")}, "IamArnRequiredException", "No IAM ARN was included in the request. You must use an IAM session ARN or user ARN in the request."},
		{"both ARNs", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{InstanceName: aws.Ptr("x"), IamUserArn: aws.Ptr(userARN), IamSessionArn: aws.Ptr(sessionARN)}, "MultipleIamArnsProvidedException", ""},
		{"user ARN", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{InstanceName: aws.Ptr("x"), IamUserArn: aws.Ptr(sessionARN)}, "InvalidIamUserArnException", ""},
		{"session ARN", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{InstanceName: aws.Ptr("x"), IamSessionArn: aws.Ptr(userARN)}, "InvalidIamSessionArnException", ""},
		{"name taken", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{InstanceName: aws.Ptr("box"), IamUserArn: aws.Ptr(userARN + "2")}, "InstanceNameAlreadyRegisteredException", ""},
		{"user taken", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{InstanceName: aws.Ptr("x"), IamUserArn: aws.Ptr(userARN)}, "IamUserArnAlreadyRegisteredException", ""},
		{"session taken", "RegisterOnPremisesInstance", &api.RegisterOnPremisesInstanceInput{InstanceName: aws.Ptr("x"), IamSessionArn: aws.Ptr(sessionARN)}, "IamSessionArnAlreadyRegisteredException", ""},
		{"get nothing", "GetOnPremisesInstance", &api.GetOnPremisesInstanceInput{InstanceName: aws.Ptr("x")}, "InstanceNotRegisteredException", ""},
		{"tag nothing", "AddTagsToOnPremisesInstances", &api.AddTagsToOnPremisesInstancesInput{InstanceNames: []string{"x"}, Tags: []api.Tag{{Key: aws.Ptr("k"), Value: aws.Ptr("v")}}}, "InstanceNotRegisteredException", ""},
		{"tag without a value", "AddTagsToOnPremisesInstances", &api.AddTagsToOnPremisesInstancesInput{InstanceNames: box, Tags: []api.Tag{{Key: aws.Ptr("k")}}}, "InvalidTagException", "The tag was specified in an invalid format. The tag k has no value."},
		{"no tags", "RemoveTagsFromOnPremisesInstances", &api.RemoveTagsFromOnPremisesInstancesInput{InstanceNames: box, Tags: []api.Tag{}}, "TagRequiredException", "A tag was not specified."},
		{"no instances", "AddTagsToOnPremisesInstances", &api.AddTagsToOnPremisesInstancesInput{InstanceNames: []string{}, Tags: []api.Tag{{Key: aws.Ptr("k")}}}, "InstanceNameRequiredException", ""},
		{"filter", "ListOnPremisesInstances", &api.ListOnPremisesInstancesInput{TagFilters: []api.TagFilter{{Type: api.TagFilterTypeKeyOnly}}}, "InvalidTagFilterException", ""},
		{"batch of nothing", "BatchGetOnPremisesInstances", &api.BatchGetOnPremisesInstancesInput{InstanceNames: []string{}}, "InstanceNameRequiredException", ""},
		{"too large a batch", "BatchGetOnPremisesInstances", &api.BatchGetOnPremisesInstancesInput{InstanceNames: slices.Repeat(box, 101)}, "BatchLimitExceededException", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.server.Invoke(as("deployer"), "codedeploy", tc.operation, tc.in)
			wantCode(t, err, tc.code, tc.message)
		})
	}
	many := &api.AddTagsToOnPremisesInstancesInput{InstanceNames: box}
	for _, k := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"} {
		many.Tags = append(many.Tags, api.Tag{Key: aws.Ptr(k), Value: aws.Ptr("v")})
	}
	_, err := call[api.AddTagsToOnPremisesInstancesOutput](w, "AddTagsToOnPremisesInstances", many)
	wantCode(t, err, "TagLimitExceededException", "")
}
