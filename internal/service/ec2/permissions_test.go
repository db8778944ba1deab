package ec2

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
)

// fill sets the members that the model requires, so that a call gets as far as the
// authorizer.
func fill(in any, op *model.Operation) {
	v := reflect.ValueOf(in).Elem()
	for _, m := range op.Input.Members {
		if f := v.FieldByName(m.FieldName()); m.Required {
			f.Set(filled(f.Type()))
		}
	}
}

func filled(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(filled(t.Elem()))
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("x"))
			break
		}
		v.Set(reflect.Append(v, filled(t.Elem())))
	case reflect.String:
		v.SetString("i-00000000000000000")
	case reflect.Int32:
		v.SetInt(1)
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).Type == reflect.TypeFor[*string]() {
				v.Field(i).Set(filled(t.Field(i).Type))
			}
		}
	}
	return v
}

// TestEveryOperationIsDenied: nobody gets anything without permission.
func TestEveryOperationIsDenied(t *testing.T) {
	w := newWorld(t)
	w.auth.deny = true
	for _, op := range w.svc.Wire().Operations {
		in := op.New()
		fill(in, api.Model().Operations[op.Name])
		if f := reflect.ValueOf(in).Elem().FieldByName("Attribute"); f.IsValid() && f.Kind() == reflect.String {
			f.SetString(map[string]string{"DescribeVpcAttribute": "enableDnsSupport", "DescribeInstanceAttribute": "userData"}[op.Name])
		}
		if f := reflect.ValueOf(in).Elem().FieldByName("RuleAction"); f.IsValid() {
			f.SetString("allow")
		}
		_, err := w.server.Invoke(w.ctx, "ec2", op.Name, in)
		e := awserr.As(err)
		want := "You are not authorized to perform this operation. User: " + testUser + " is not authorized to perform: ec2:" + op.Name
		if e == nil || e.Code != "UnauthorizedOperation" || e.Status != 403 || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
	w.auth.deny = false
	if n := len(do[api.DescribeTagsOutput](w, "DescribeTags", &api.DescribeTagsInput{}).Tags); n != 0 {
		t.Errorf("%d tags were made", n)
	}
}

// asks renders the checks that an operation made: action, resource without the part
// that all share, and the condition keys beyond ec2:Region.
func asks(checks []aws.Check) []string {
	var out []string
	for _, c := range checks {
		s := c.Action + " " + strings.TrimPrefix(c.Resource, "arn:aws:ec2:us-east-1:"+testAccount+":")
		for _, k := range []string{"ec2:InstanceType", "ec2:InstanceProfile", "ec2:CreateAction", "ec2:KeyPairName", "iam:PassedToService", "aws:RequestTag/Name", "aws:TagKeys", "aws:ResourceTag/Env", "ec2:IsLaunchTemplateResource", "ec2:LaunchTemplate"} {
			if v, ok := c.Context[k]; ok {
				s += " " + k + "=" + strings.Join(v, ",")
			}
		}
		out = append(out, s)
	}
	return out
}

// TestChecks: on which resources, and with which condition keys, each kind of
// operation is judged.
func TestChecks(t *testing.T) {
	w := newWorld(t)
	w.run()
	env := []api.TagSpecification{{ResourceType: "security-group", Tags: tagList("Env", "prod")}}
	sg := *do[api.CreateSecurityGroupOutput](w, "CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("web"), Description: aws.Ptr("d"), TagSpecifications: env}).GroupId
	def := *do[api.DescribeSecurityGroupsOutput](w, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{GroupNames: []string{"default"}}).SecurityGroups[0].GroupId
	key := do[api.CreateKeyPairOutput](w, "CreateKeyPair", &api.CreateKeyPairInput{KeyName: aws.Ptr("k"), KeyType: "ed25519"})
	sub := *w.subnets()[0].SubnetId
	id := w.running(func(in *api.RunInstancesInput) {
		in.IamInstanceProfile = &api.IamInstanceProfileSpecification{Arn: aws.Ptr(w.profiles["web"].ARN)}
		in.TagSpecifications = []api.TagSpecification{{ResourceType: "instance", Tags: tagList("Env", "prod")}}
	})
	eip := w.allocate()
	assoc := w.associate(*eip.AllocationId, id)
	profile := w.row(id).ProfileAssocID
	machine := "instance/" + id + " ec2:InstanceType=t3.micro ec2:InstanceProfile=" + w.profiles["web"].ARN + " aws:ResourceTag/Env=prod"
	run := func(edit func(*api.RunInstancesInput)) *api.RunInstancesInput {
		in := &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](1), MaxCount: aws.Ptr[int32](1), DryRun: aws.Ptr(true)}
		edit(in)
		return in
	}
	lt := w.template("web", api.RequestLaunchTemplateData{
		InstanceType: "t3.nano", IamInstanceProfile: &api.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: aws.Ptr("web")}, SecurityGroupIds: []string{sg},
		TagSpecifications: []api.LaunchTemplateTagSpecificationRequest{{ResourceType: "volume", Tags: tagList("Name", "y")}},
	})
	ours := func(yes bool) string {
		return " ec2:IsLaunchTemplateResource=" + boolText(yes) + " ec2:LaunchTemplate=arn:aws:ec2:us-east-1:" + testAccount + ":launch-template/" + lt
	}
	const r = "ec2:RunInstances "
	image := r + "arn:aws:ec2:us-east-1::image/" + testImage
	w.auth.take()
	for _, c := range []struct {
		name, operation string
		in              any
		want            []string
	}{
		{"plain run", "RunInstances", run(func(*api.RunInstancesInput) {}), []string{
			image, r + "instance/* ec2:InstanceType=m1.small", r + "network-interface/*", r + "volume/*", r + "subnet/" + sub, r + "security-group/" + def}},
		{"full run", "RunInstances", run(func(in *api.RunInstancesInput) {
			in.KeyName, in.InstanceType, in.SecurityGroups = aws.Ptr("k"), "t3.nano", []string{"web"}
			in.IamInstanceProfile = &api.IamInstanceProfileSpecification{Name: aws.Ptr("web")}
			in.TagSpecifications = []api.TagSpecification{{ResourceType: "instance", Tags: tagList("Name", "x")}, {ResourceType: "volume", Tags: tagList("Name", "y")}}
		}), []string{
			image, r + "instance/* ec2:InstanceType=t3.nano ec2:InstanceProfile=" + w.profiles["web"].ARN + " aws:RequestTag/Name=x aws:TagKeys=Name", r + "network-interface/*", r + "volume/* aws:RequestTag/Name=y aws:TagKeys=Name", r + "subnet/" + sub, r + "key-pair/k ec2:KeyPairName=k", r + "security-group/" + sg + " aws:ResourceTag/Env=prod",
			"ec2:CreateTags instance/* ec2:CreateAction=RunInstances aws:RequestTag/Name=x aws:TagKeys=Name", "ec2:CreateTags volume/* ec2:CreateAction=RunInstances aws:RequestTag/Name=y aws:TagKeys=Name",
			"iam:PassRole arn:aws:iam::123456789012:role/web iam:PassedToService=ec2.amazonaws.com"}},
		{"run by interface", "RunInstances", run(func(in *api.RunInstancesInput) {
			in.NetworkInterfaces = []api.InstanceNetworkInterfaceSpecification{{SubnetId: &sub, Groups: []string{sg}}}
		}), []string{
			image, r + "instance/* ec2:InstanceType=m1.small", r + "network-interface/*", r + "volume/*", r + "subnet/" + sub, r + "security-group/" + sg + " aws:ResourceTag/Env=prod"}},
		{"run from a template", "RunInstances", run(func(in *api.RunInstancesInput) {
			in.LaunchTemplate, in.KeyName = &api.LaunchTemplateSpecification{LaunchTemplateName: aws.Ptr("web")}, aws.Ptr("k")
		}), []string{
			image + ours(false), r + "instance/* ec2:InstanceType=t3.nano ec2:InstanceProfile=" + w.profiles["web"].ARN + ours(true), r + "network-interface/*" + ours(true), r + "volume/* aws:RequestTag/Name=y aws:TagKeys=Name" + ours(true), r + "subnet/" + sub + ours(true),
			r + "key-pair/k ec2:KeyPairName=k" + ours(false), r + "security-group/" + sg + " aws:ResourceTag/Env=prod" + ours(true), r + "launch-template/" + lt + ours(true),
			"ec2:CreateTags volume/* ec2:CreateAction=RunInstances aws:RequestTag/Name=y aws:TagKeys=Name", "iam:PassRole arn:aws:iam::123456789012:role/web iam:PassedToService=ec2.amazonaws.com"}},
		{"template by name", "DeleteLaunchTemplate", &api.DeleteLaunchTemplateInput{LaunchTemplateName: aws.Ptr("web"), DryRun: aws.Ptr(true)}, []string{"ec2:DeleteLaunchTemplate launch-template/" + lt}},
		{"no such template", "ModifyLaunchTemplate", &api.ModifyLaunchTemplateInput{LaunchTemplateName: aws.Ptr("none"), DefaultVersion: aws.Ptr("1"), DryRun: aws.Ptr(true)}, []string{"ec2:ModifyLaunchTemplate launch-template/*"}},
		{"stop", "StopInstances", &api.StopInstancesInput{InstanceIds: []string{id}, DryRun: aws.Ptr(true)}, []string{"ec2:StopInstances " + machine}},
		{"console", "GetConsoleOutput", &api.GetConsoleOutputInput{InstanceId: &id}, []string{"ec2:GetConsoleOutput " + machine}},
		{"describe", "DescribeInstances", &api.DescribeInstancesInput{InstanceIds: []string{id}}, []string{"ec2:DescribeInstances *"}},
		{"tag", "CreateTags", &api.CreateTagsInput{Resources: []string{id, sg}, Tags: tagList("Name", "x"), DryRun: aws.Ptr(true)}, []string{
			"ec2:CreateTags instance/" + id + " ec2:InstanceType=t3.micro ec2:InstanceProfile=" + w.profiles["web"].ARN + " aws:RequestTag/Name=x aws:TagKeys=Name aws:ResourceTag/Env=prod", "ec2:CreateTags security-group/" + sg + " aws:RequestTag/Name=x aws:TagKeys=Name aws:ResourceTag/Env=prod"}},
		{"group by name", "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupName: aws.Ptr("web"), DryRun: aws.Ptr(true)}, []string{"ec2:DeleteSecurityGroup security-group/" + sg + " aws:ResourceTag/Env=prod"}},
		{"tagged rule", "AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{GroupId: &sg, DryRun: aws.Ptr(true), TagSpecifications: []api.TagSpecification{{ResourceType: "security-group-rule", Tags: tagList("Name", "x")}}}, []string{
			"ec2:AuthorizeSecurityGroupIngress security-group/" + sg + " aws:ResourceTag/Env=prod", "ec2:CreateTags security-group-rule/* ec2:CreateAction=AuthorizeSecurityGroupIngress aws:RequestTag/Name=x aws:TagKeys=Name"}},
		{"new group", "CreateSecurityGroup", &api.CreateSecurityGroupInput{GroupName: aws.Ptr("x"), Description: aws.Ptr("d"), DryRun: aws.Ptr(true)}, []string{"ec2:CreateSecurityGroup security-group/*", "ec2:CreateSecurityGroup vpc/*"}},
		{"key by id", "DeleteKeyPair", &api.DeleteKeyPairInput{KeyPairId: key.KeyPairId, DryRun: aws.Ptr(true)}, []string{"ec2:DeleteKeyPair key-pair/k ec2:KeyPairName=k"}},
		{"address by IP", "ReleaseAddress", &api.ReleaseAddressInput{PublicIp: eip.PublicIp, DryRun: aws.Ptr(true)}, []string{"ec2:ReleaseAddress elastic-ip/" + *eip.AllocationId}},
		{"address to instance", "AssociateAddress", &api.AssociateAddressInput{AllocationId: eip.AllocationId, InstanceId: &id, DryRun: aws.Ptr(true)}, []string{"ec2:AssociateAddress elastic-ip/" + *eip.AllocationId, "ec2:AssociateAddress " + machine}},
		{"address by association", "DisassociateAddress", &api.DisassociateAddressInput{AssociationId: &assoc, DryRun: aws.Ptr(true)}, []string{"ec2:DisassociateAddress elastic-ip/" + *eip.AllocationId}},
		{"profile by association", "ReplaceIamInstanceProfileAssociation", &api.ReplaceIamInstanceProfileAssociationInput{AssociationId: &profile, IamInstanceProfile: &api.IamInstanceProfileSpecification{Name: aws.Ptr("empty")}}, []string{"ec2:ReplaceIamInstanceProfileAssociation " + machine}},
	} {
		_, err := w.server.Invoke(w.ctx, "ec2", c.operation, c.in)
		if err != nil && !awserr.Is(err, "DryRunOperation") {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, asks(w.auth.take())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
