package ec2

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// template makes a launch template and returns its id.
func (w *world) template(name string, data api.RequestLaunchTemplateData) string {
	w.t.Helper()
	out := do[api.CreateLaunchTemplateOutput](w, "CreateLaunchTemplate", &api.CreateLaunchTemplateInput{LaunchTemplateName: &name, LaunchTemplateData: &data})
	return *out.LaunchTemplate.LaunchTemplateId
}

// TestTemplateDataFits: each member of a template's data has its like in answers and in
// launches, or launchOf refuses it.
func TestTemplateDataFits(t *testing.T) {
	named := func(t reflect.Type, name string) bool {
		for i := range t.NumField() {
			if strings.EqualFold(t.Field(i).Name, name) {
				return true
			}
		}
		return false
	}
	data := reflect.TypeFor[api.RequestLaunchTemplateData]()
	for i := range data.NumField() {
		name := data.Field(i).Name
		if !named(reflect.TypeFor[api.ResponseLaunchTemplateData](), name) {
			t.Errorf("answers have no %s", name)
		}
		v := api.RequestLaunchTemplateData{InstanceRequirements: &api.InstanceRequirementsRequest{}, ElasticGpuSpecifications: []api.ElasticGpuSpecification{{}}}
		if name == "InstanceRequirements" || name == "ElasticGpuSpecifications" {
			if _, err := launchOf(v); err == nil {
				t.Errorf("%s is ignored", name)
			}
			continue
		}
		if !named(reflect.TypeFor[api.RunInstancesInput](), name) {
			t.Errorf("launches have no %s", name)
		}
	}
}

func TestTemplateVersions(t *testing.T) {
	w := newWorld(t)
	user := base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\n"))
	id := w.template("web", api.RequestLaunchTemplateData{ImageId: aws.Ptr(testImage), InstanceType: "t3.micro", UserData: &user, SecurityGroupIds: []string{"sg-1", "sg-2"}})
	add := func(source string, data api.RequestLaunchTemplateData) *api.LaunchTemplateVersion {
		in := &api.CreateLaunchTemplateVersionInput{LaunchTemplateId: &id, LaunchTemplateData: &data, VersionDescription: aws.Ptr("from " + source)}
		if source != "" {
			in.SourceVersion = &source
		}
		return do[api.CreateLaunchTemplateVersionOutput](w, "CreateLaunchTemplateVersion", in).LaunchTemplateVersion
	}
	second := add("1", api.RequestLaunchTemplateData{InstanceType: "t3.small", SecurityGroupIds: []string{"sg-3"}})
	if d := second.LaunchTemplateData; *second.VersionNumber != 2 || *second.DefaultVersion || *d.ImageId != testImage || d.InstanceType != "t3.small" || *d.UserData != user || len(d.SecurityGroupIds) != 1 {
		t.Errorf("second version: %+v", d)
	}
	third := add("", api.RequestLaunchTemplateData{KeyName: aws.Ptr("k")})
	if d := third.LaunchTemplateData; d.ImageId != nil || d.UserData != nil || *d.KeyName != "k" {
		t.Errorf("third version: %+v", d)
	}
	numbers := func(edit func(*api.DescribeLaunchTemplateVersionsInput)) []int64 {
		in := &api.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: aws.Ptr("web")}
		edit(in)
		out := []int64{}
		for _, v := range do[api.DescribeLaunchTemplateVersionsOutput](w, "DescribeLaunchTemplateVersions", in).LaunchTemplateVersions {
			out = append(out, *v.VersionNumber)
		}
		return out
	}
	type describe = api.DescribeLaunchTemplateVersionsInput
	for name, c := range map[string]struct {
		edit func(*describe)
		want []int64
	}{
		"all":      {func(*describe) {}, []int64{3, 2, 1}},
		"from":     {func(in *describe) { in.MinVersion = aws.Ptr("2") }, []int64{3, 2}},
		"to":       {func(in *describe) { in.MaxVersion = aws.Ptr("2") }, []int64{2, 1}},
		"named":    {func(in *describe) { in.Versions = []string{"1", "3", "$Default"} }, []int64{1, 3, 1}},
		"latest":   {func(in *describe) { in.Versions = []string{"$Latest"} }, []int64{3}},
		"a page":   {func(in *describe) { in.MaxResults = aws.Ptr[int32](2) }, []int64{3, 2}},
		"by type":  {func(in *describe) { in.Filters = filterBy("instance-type", "t3.small") }, []int64{2}},
		"of all":   {func(in *describe) { in.LaunchTemplateName, in.Versions = nil, []string{"$Latest", "$Default"} }, []int64{3, 1}},
		"defaults": {func(in *describe) { in.Filters = filterBy("is-default-version", "true") }, []int64{1}},
	} {
		if diff := cmp.Diff(c.want, numbers(c.edit)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	w.checkDeleteVersions(id)
}

// checkDeleteVersions: the default version stays, numbers are not given again.
func (w *world) checkDeleteVersions(id string) {
	w.t.Helper()
	changed := do[api.ModifyLaunchTemplateOutput](w, "ModifyLaunchTemplate", &api.ModifyLaunchTemplateInput{LaunchTemplateId: &id, DefaultVersion: aws.Ptr("2")}).LaunchTemplate
	if *changed.DefaultVersionNumber != 2 || *changed.LatestVersionNumber != 3 {
		w.t.Errorf("modified: %+v", changed)
	}
	out := do[api.DeleteLaunchTemplateVersionsOutput](w, "DeleteLaunchTemplateVersions", &api.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"3", "2", "9"}})
	var failed []string
	for _, f := range out.UnsuccessfullyDeletedLaunchTemplateVersions {
		failed = append(failed, string(f.ResponseError.Code))
	}
	if diff := cmp.Diff([]string{"unexpectedError", "launchTemplateVersionDoesNotExist"}, failed); diff != "" || len(out.SuccessfullyDeletedLaunchTemplateVersions) != 1 {
		w.t.Errorf("deleted %d, failed (-want +got):\n%s", len(out.SuccessfullyDeletedLaunchTemplateVersions), diff)
	}
	v := do[api.CreateLaunchTemplateVersionOutput](w, "CreateLaunchTemplateVersion", &api.CreateLaunchTemplateVersionInput{LaunchTemplateId: &id, LaunchTemplateData: &api.RequestLaunchTemplateData{KeyName: aws.Ptr("k")}})
	if n := *v.LaunchTemplateVersion.VersionNumber; n != 4 {
		w.t.Errorf("the next version is %d", n)
	}
	do[api.DeleteLaunchTemplateOutput](w, "DeleteLaunchTemplate", &api.DeleteLaunchTemplateInput{LaunchTemplateId: &id})
	if got := refused(w, "DescribeLaunchTemplateVersions", &api.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id}); got != "InvalidLaunchTemplateId.NotFound: The specified launch template, with template ID "+id+", does not exist." {
		w.t.Error(got)
	}
}

func filterBy(name, value string) []api.Filter {
	return []api.Filter{{Name: &name, Values: []string{value}}}
}

func TestTemplateRefusals(t *testing.T) {
	w := newWorld(t)
	id := w.template("web", api.RequestLaunchTemplateData{KeyName: aws.Ptr("k")})
	named := func(name string, data *api.RequestLaunchTemplateData) *api.CreateLaunchTemplateInput {
		return &api.CreateLaunchTemplateInput{LaunchTemplateName: &name, LaunchTemplateData: data}
	}
	some := &api.RequestLaunchTemplateData{KeyName: aws.Ptr("k")}
	const badName = "InvalidLaunchTemplateName.MalformedException: The specified launch template name is invalid. A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _."
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateLaunchTemplate", named("web", some), "InvalidLaunchTemplateName.AlreadyExistsException: Launch template name already in use."},
		{"CreateLaunchTemplate", named("a b c", some), badName},
		{"CreateLaunchTemplate", named("ab", some), badName},
		{"CreateLaunchTemplate", named("other", &api.RequestLaunchTemplateData{UserData: aws.Ptr("%")}), "InvalidUserData.Malformed: Invalid BASE64 encoding of user data."},
		{"CreateLaunchTemplate", &api.CreateLaunchTemplateInput{LaunchTemplateName: aws.Ptr("other"), LaunchTemplateData: some, Operator: &api.OperatorRequest{}}, "UnsupportedOperation: The parameter Operator is not supported by hardstand."},
		{"CreateLaunchTemplateVersion", &api.CreateLaunchTemplateVersionInput{LaunchTemplateData: some}, "MissingParameter: The request must contain the parameter launch template ID or launch template name"},
		{"CreateLaunchTemplateVersion", &api.CreateLaunchTemplateVersionInput{LaunchTemplateId: &id, LaunchTemplateData: some, SourceVersion: aws.Ptr("7")}, "InvalidLaunchTemplateId.VersionNotFound: Could not find the specified version 7 for the launch template with ID " + id + "."},
		{"ModifyLaunchTemplate", &api.ModifyLaunchTemplateInput{LaunchTemplateId: &id, DefaultVersion: aws.Ptr("666")}, "InvalidLaunchTemplateId.VersionNotFound: Could not find the specified version 666 for the launch template with ID " + id + "."},
		{"ModifyLaunchTemplate", &api.ModifyLaunchTemplateInput{LaunchTemplateId: &id}, "MissingParameter: The request must contain the parameter SetDefaultVersion"},
		{"ModifyLaunchTemplate", &api.ModifyLaunchTemplateInput{LaunchTemplateId: &id, LaunchTemplateName: aws.Ptr("web"), DefaultVersion: aws.Ptr("1")}, "InvalidParameterCombination: Either a launch template ID or a launch template name must be specified in the request, but not both."},
		{"DeleteLaunchTemplate", &api.DeleteLaunchTemplateInput{LaunchTemplateName: aws.Ptr("none")}, "InvalidLaunchTemplateName.NotFoundException: The specified launch template, with template name none, does not exist."},
		{"DeleteLaunchTemplate", &api.DeleteLaunchTemplateInput{LaunchTemplateName: aws.Ptr("x")}, "InvalidLaunchTemplateName.Malformed: A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _."},
		{"DeleteLaunchTemplate", &api.DeleteLaunchTemplateInput{LaunchTemplateId: aws.Ptr("lt-none")}, "InvalidLaunchTemplateId.Malformed: The specified launch template ID is invalid. A launch template ID must be in the format lt-xxxxxxxxxxxxxxxxx."},
		{"DescribeLaunchTemplates", &api.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"none"}}, "InvalidLaunchTemplateName.NotFoundException: At least one of the launch templates specified in the request does not exist."},
		{"DescribeLaunchTemplates", &api.DescribeLaunchTemplatesInput{Filters: filterBy("what", "x")}, "InvalidParameterValue: The filter 'what' is invalid"},
		{"DescribeLaunchTemplateVersions", &api.DescribeLaunchTemplateVersionsInput{}, "MissingParameter: The request must contain the parameter launch template ID or launch template name"},
		{"DescribeLaunchTemplateVersions", &api.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"x"}}, "InvalidLaunchTemplateId.VersionMalformed: The launch template version 'x' is invalid. It must be a positive number, $Latest or $Default."},
		{"GetLaunchTemplateData", &api.GetLaunchTemplateDataInput{InstanceId: aws.Ptr("i-00000000000000000")}, "InvalidInstanceID.NotFound: The instance ID 'i-00000000000000000' does not exist"},
	} {
		if got := refused(w, c.operation, c.in); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.operation, got, c.want)
		}
	}
}

// TestTemplateTokens: a client that repeats its call makes nothing twice.
func TestTemplateTokens(t *testing.T) {
	w := newWorld(t)
	in := func(key string) *api.CreateLaunchTemplateInput {
		return &api.CreateLaunchTemplateInput{LaunchTemplateName: aws.Ptr("web"), ClientToken: aws.Ptr("once"), LaunchTemplateData: &api.RequestLaunchTemplateData{KeyName: &key}}
	}
	first := do[api.CreateLaunchTemplateOutput](w, "CreateLaunchTemplate", in("k")).LaunchTemplate
	if again := do[api.CreateLaunchTemplateOutput](w, "CreateLaunchTemplate", in("k")).LaunchTemplate; *again.LaunchTemplateId != *first.LaunchTemplateId {
		t.Error("the repetition made another template")
	}
	if got := refused(w, "CreateLaunchTemplate", in("other")); !strings.HasPrefix(got, "IdempotentParameterMismatch") {
		t.Error(got)
	}
	version := &api.CreateLaunchTemplateVersionInput{LaunchTemplateName: aws.Ptr("web"), ClientToken: aws.Ptr("v"), LaunchTemplateData: &api.RequestLaunchTemplateData{KeyName: aws.Ptr("k")}}
	for range 2 {
		if v := do[api.CreateLaunchTemplateVersionOutput](w, "CreateLaunchTemplateVersion", version).LaunchTemplateVersion; *v.VersionNumber != 2 {
			t.Errorf("version %d", *v.VersionNumber)
		}
	}
}

// TestLaunchFromTemplate: an instance is what the template says, but for what the
// request says itself; and another is made in its likeness.
func TestLaunchFromTemplate(t *testing.T) {
	w := newWorld(t)
	w.run()
	group := w.group("web")
	sub := w.subnets()[1]
	user := base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\n"))
	tags := func(kind api.ResourceType, pairs ...string) api.LaunchTemplateTagSpecificationRequest {
		return api.LaunchTemplateTagSpecificationRequest{ResourceType: kind, Tags: tagList(pairs...)}
	}
	id := w.template("web", api.RequestLaunchTemplateData{
		ImageId: aws.Ptr(testImage), InstanceType: "t3.small", UserData: &user, IamInstanceProfile: &api.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: aws.Ptr("web")},
		NetworkInterfaces:   []api.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{{DeviceIndex: aws.Ptr[int32](0), Groups: []string{group}, SubnetId: sub.SubnetId}},
		BlockDeviceMappings: []api.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.Ptr(rootDevice), Ebs: &api.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Ptr[int32](30), VolumeType: "gp3"}}},
		MetadataOptions:     &api.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: "required"},
		TagSpecifications:   []api.LaunchTemplateTagSpecificationRequest{tags("instance", "Name", "web", "Env", "prod"), tags("volume", "Name", "disk"), tags("spot-instances-request", "a", "b")},
	})
	out := do[api.RunInstancesOutput](w, "RunInstances", &api.RunInstancesInput{
		LaunchTemplate: &api.LaunchTemplateSpecification{LaunchTemplateName: aws.Ptr("web")}, MinCount: aws.Ptr[int32](1), MaxCount: aws.Ptr[int32](1), InstanceType: "t3.micro",
		TagSpecifications: []api.TagSpecification{{ResourceType: "instance", Tags: tagList("Env", "test")}},
	})
	w.await(*out.Instances[0].InstanceId, stateRunning)
	i := w.instance(*out.Instances[0].InstanceId)
	got := map[string]string{"type": string(i.InstanceType), "subnet": *i.SubnetId, "group": *i.SecurityGroups[0].GroupId, "profile": *i.IamInstanceProfile.Arn, "tokens": string(i.MetadataOptions.HttpTokens)}
	for _, tag := range i.Tags {
		got[*tag.Key] = *tag.Value
	}
	want := map[string]string{"type": "t3.micro", "subnet": *sub.SubnetId, "group": group, "profile": w.profiles["web"].ARN, "tokens": "required",
		"Name": "web", "Env": "test", "aws:ec2launchtemplate:id": id, "aws:ec2launchtemplate:version": "1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("launched (-want +got):\n%s", diff)
	}
	if spec, _ := w.machines.spec(*i.InstanceId); string(spec.UserData) != "#!/bin/sh\n" {
		t.Errorf("user data %q", spec.UserData)
	}
	data := do[api.GetLaunchTemplateDataOutput](w, "GetLaunchTemplateData", &api.GetLaunchTemplateDataInput{InstanceId: i.InstanceId}).LaunchTemplateData
	if data.InstanceType != "t3.micro" || *data.UserData != user || *data.NetworkInterfaces[0].SubnetId != *sub.SubnetId || *data.BlockDeviceMappings[0].Ebs.VolumeSize != 30 || len(data.TagSpecifications) != 2 || len(data.TagSpecifications[0].Tags) != 2 {
		t.Errorf("likeness: %+v", data)
	}
}

// TestLaunchFromTemplateRefused: what is wrong with a template is said at the launch.
func TestLaunchFromTemplateRefused(t *testing.T) {
	w := newWorld(t)
	use := func(data api.RequestLaunchTemplateData) func(*api.RunInstancesInput) {
		name := "t" + strings.Repeat("x", 3+len(do[api.DescribeLaunchTemplatesOutput](w, "DescribeLaunchTemplates", &api.DescribeLaunchTemplatesInput{}).LaunchTemplates))
		id := w.template(name, data)
		return func(in *api.RunInstancesInput) {
			in.ImageId, in.LaunchTemplate = nil, &api.LaunchTemplateSpecification{LaunchTemplateId: &id}
		}
	}
	w.checkRefused(map[string]runRefusal{
		"no image": {use(api.RequestLaunchTemplateData{KeyName: aws.Ptr("k")}), "MissingParameter: The request must contain the parameter ImageId"},
		"spot":     {use(api.RequestLaunchTemplateData{InstanceMarketOptions: &api.LaunchTemplateInstanceMarketOptionsRequest{MarketType: "spot"}}), "UnsupportedOperation: The parameter InstanceMarketOptions is not supported by hardstand."},
		"by needs": {use(api.RequestLaunchTemplateData{InstanceRequirements: &api.InstanceRequirementsRequest{VCpuCount: &api.VCpuCountRangeRequest{Min: aws.Ptr[int32](1)}, MemoryMiB: &api.MemoryMiBRequest{Min: aws.Ptr[int32](1)}}, ImageId: aws.Ptr(testImage)}), "UnsupportedOperation: The parameter InstanceRequirements of a launch template is not supported by hardstand."},
		"no version": {func(in *api.RunInstancesInput) {
			use(api.RequestLaunchTemplateData{ImageId: aws.Ptr(testImage)})(in)
			in.LaunchTemplate.LaunchTemplateId, in.LaunchTemplate.LaunchTemplateName, in.LaunchTemplate.Version = nil, aws.Ptr("none"), aws.Ptr("2")
		}, "InvalidLaunchTemplateName.NotFoundException: The specified launch template, with template name none, does not exist."},
	})
}

// TestModifyLaunchTemplateToken: a repetition does not undo what came after the first
// call, and a token is for one request.
func TestModifyLaunchTemplateToken(t *testing.T) {
	w := newWorld(t)
	id := w.template("web", api.RequestLaunchTemplateData{ImageId: aws.Ptr(testImage)})
	for range 2 {
		do[api.CreateLaunchTemplateVersionOutput](w, "CreateLaunchTemplateVersion", &api.CreateLaunchTemplateVersionInput{LaunchTemplateId: &id, LaunchTemplateData: &api.RequestLaunchTemplateData{KeyName: aws.Ptr("k")}})
	}
	modify := func(version, token string) *api.ModifyLaunchTemplateInput {
		return &api.ModifyLaunchTemplateInput{LaunchTemplateId: &id, DefaultVersion: &version, ClientToken: &token}
	}
	for i, c := range []struct {
		version, token string
		want           int64
	}{{"2", "a", 2}, {"3", "b", 3}, {"2", "a", 3}, {"2", "c", 2}, {"3", "", 3}, {"2", "", 2}} {
		if got := *do[api.ModifyLaunchTemplateOutput](w, "ModifyLaunchTemplate", modify(c.version, c.token)).LaunchTemplate.DefaultVersionNumber; got != c.want {
			t.Errorf("call %d: the default is %d, not %d", i, got, c.want)
		}
	}
	if got := refused(w, "ModifyLaunchTemplate", modify("1", "a")); !strings.HasPrefix(got, "IdempotentParameterMismatch: ") {
		t.Error(got)
	}
	long := strings.Repeat("x", 129)
	if got := refused(w, "ModifyLaunchTemplate", modify("1", long)); got != "InvalidParameterValue: Invalid value '"+long+"' for clientToken. It must not be longer than 128 characters." {
		t.Error(got)
	}
	for i := range 2 * maxModifications {
		do[api.ModifyLaunchTemplateOutput](w, "ModifyLaunchTemplate", modify("1", fmt.Sprint(i)))
	}
	if row := w.templateRow(id); len(row.Modified) != maxModifications || row.Default != 1 {
		t.Errorf("the template remembers %d modifications", len(row.Modified))
	}
}

func (w *world) templateRow(id string) (row *launchTemplate) {
	w.t.Helper()
	err := w.svc.db.View(w.ctx, func(tx *store.Tx) (err error) {
		row, err = launchTemplates.Get(tx, key(aws.CallFrom(w.ctx), id))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}
