package app

import (
	"os"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	elbv2api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/deploy"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// fleetTemplate has one of everything that a status looks at.
const fleetTemplate = `
Resources:
  Vpc: {Type: "AWS::EC2::VPC", Properties: {CidrBlock: 10.9.0.0/16}}
  Net: {Type: "AWS::EC2::Subnet", Properties: {VpcId: !Ref Vpc, CidrBlock: 10.9.1.0/24}}
  Web: {Type: "AWS::EC2::Instance", Properties: {ImageId: ami-08111162, SubnetId: !Ref Net}}
  Pool: {Type: "AWS::ElasticLoadBalancingV2::TargetGroup", Properties: {Name: pool, VpcId: !Ref Vpc, Port: 80, Protocol: HTTP, TargetType: instance, Targets: [{Id: !Ref Web}]}}
  Classic: {Type: "AWS::ElasticLoadBalancing::LoadBalancer", Properties: {LoadBalancerName: classic, Subnets: [!Ref Net], Scheme: internal, Listeners: [{LoadBalancerPort: "80", InstancePort: "80", Protocol: HTTP}]}}
  Form: {Type: "AWS::EC2::LaunchTemplate", Properties: {LaunchTemplateData: {ImageId: ami-08111162, InstanceType: t3.micro}}}
  Fleet: {Type: "AWS::AutoScaling::AutoScalingGroup", Properties: {AutoScalingGroupName: fleet, MinSize: "1", MaxSize: "2", VPCZoneIdentifier: [!Ref Net], LaunchTemplate: {LaunchTemplateId: !Ref Form, Version: !GetAtt Form.LatestVersionNumber}}}
Outputs:
  Site: {Value: "http://127.0.0.1:1/"}
`

// policyOf returns the policy of a section of docs/deploy.md.
func policyOf(t *testing.T, section string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## "+section+"\n")
	_, rest, _ = strings.Cut(rest, "```json\n")
	policy, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatalf("docs/deploy.md has no policy in %q", section)
	}
	return policy
}

// The policy that docs/deploy.md gives for status is enough for all that it shows.
func TestStatusAsLeastPrivileged(t *testing.T) {
	s := start(t, testConfig(t))
	dir := project(t, fleetTemplate)
	names := deploy.Options{Stack: "tutorial", Application: "myApp"}
	withIdentity := names
	withIdentity.WithIdentity = true
	f, _ := s.deployed(s.Access(), dir, withIdentity)
	wantNoInstances(t, f)
	s.behindBalancer("beside")
	reader := s.user("reader", policyOf(t, "hardstand status"))
	t.Setenv("AWS_ACCESS_KEY_ID", reader.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", reader.SecretAccessKey)
	names.Dir = dir
	report, err := deploy.Status(t.Context(), names, deploy.Settings{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	text := report.Text()
	for _, want := range []string{
		"tutorial CREATE_COMPLETE", "Site: http://127.0.0.1:1/", "(Web) running 10.9.1.", "NO_INSTANCES", "none has ever succeeded",
		"fleet: 1 wanted (1 to 2), 1 there", "pool: 1 targets", "classic: 0 targets", "beside: 0 targets", "http://127.0.0.1:1/ does not answer",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(text, "may not be read") || report.ExitCode != deploy.ExitDeployment {
		t.Errorf("exit code %d:\n%s", report.ExitCode, text)
	}
	if t.Failed() {
		t.Log(text)
	}
}

// behindBalancer makes a target group outside of the stack and has the deployment
// group take its instances out of it.
func (s *server) behindBalancer(name string) {
	s.t.Helper()
	ctx := s.t.Context()
	balancers := &client.Client{Model: elbv2api.Model(), Config: s.as(s.Access())}
	in := &elbv2api.CreateTargetGroupInput{Name: &name, Protocol: elbv2api.ProtocolEnumHttp, Port: awssdk.Int32(80), VpcId: awssdk.String(s.defaultVPC()), TargetType: elbv2api.TargetTypeEnumInstance}
	if err := balancers.Call(ctx, "CreateTargetGroup", in, &elbv2api.CreateTargetGroupOutput{}); err != nil {
		s.t.Fatal(err)
	}
	_, err := codedeploy.NewFromConfig(s.as(s.Access())).UpdateDeploymentGroup(ctx, &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: awssdk.String("myApp"), CurrentDeploymentGroupName: awssdk.String("myApp-group"),
		LoadBalancerInfo: &types.LoadBalancerInfo{TargetGroupInfoList: []types.TargetGroupInfo{{Name: &name}}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) defaultVPC() string {
	s.t.Helper()
	var out ec2api.DescribeVpcsOutput
	filter := ec2api.Filter{Name: awssdk.String("isDefault"), Values: []string{"true"}}
	if err := s.ec2().Call(s.t.Context(), "DescribeVpcs", &ec2api.DescribeVpcsInput{Filters: []ec2api.Filter{filter}}, &out); err != nil || len(out.Vpcs) != 1 {
		s.t.Fatalf("%v: %v", out, err)
	}
	return awssdk.ToString(out.Vpcs[0].VpcId)
}
