package cloudformation

import (
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/template"
)

// identifiers are the properties by which an import names a resource that exists:
// the primary identifiers of AWS's schemas, of the types whose physical id is that
// one property. Types that have several are not importable here.
var identifiers = map[string]string{
	"AWS::AutoScaling::AutoScalingGroup":        "AutoScalingGroupName",
	"AWS::AutoScaling::LaunchConfiguration":     "LaunchConfigurationName",
	"AWS::AutoScaling::ScalingPolicy":           "Arn",
	"AWS::CloudFormation::Stack":                "StackId",
	"AWS::CloudWatch::Alarm":                    "AlarmName",
	"AWS::CodeDeploy::Application":              "ApplicationName",
	"AWS::CodeDeploy::DeploymentConfig":         "DeploymentConfigName",
	"AWS::EC2::Instance":                        "InstanceId",
	"AWS::EC2::InternetGateway":                 "InternetGatewayId",
	"AWS::EC2::KeyPair":                         "KeyName",
	"AWS::EC2::LaunchTemplate":                  "LaunchTemplateId",
	"AWS::EC2::NatGateway":                      "NatGatewayId",
	"AWS::EC2::NetworkInterface":                "Id",
	"AWS::EC2::RouteTable":                      "RouteTableId",
	"AWS::EC2::SecurityGroup":                   "Id",
	"AWS::EC2::Subnet":                          "SubnetId",
	"AWS::EC2::VPC":                             "VpcId",
	"AWS::EC2::Volume":                          "VolumeId",
	"AWS::ECR::Repository":                      "RepositoryName",
	"AWS::ElasticLoadBalancingV2::Listener":     "ListenerArn",
	"AWS::ElasticLoadBalancingV2::ListenerRule": "RuleArn",
	"AWS::ElasticLoadBalancingV2::LoadBalancer": "LoadBalancerArn",
	"AWS::ElasticLoadBalancingV2::TargetGroup":  "TargetGroupArn",
	"AWS::IAM::Group":                           "GroupName",
	"AWS::IAM::InstanceProfile":                 "InstanceProfileName",
	"AWS::IAM::ManagedPolicy":                   "PolicyArn",
	"AWS::IAM::Role":                            "RoleName",
	"AWS::IAM::User":                            "UserName",
	"AWS::KMS::Key":                             "KeyId",
	"AWS::Lambda::Function":                     "FunctionName",
	"AWS::Logs::LogGroup":                       "LogGroupName",
	"AWS::Route53::HostedZone":                  "Id",
	"AWS::S3::Bucket":                           "BucketName",
	"AWS::S3::BucketPolicy":                     "Bucket",
	"AWS::SNS::Topic":                           "TopicArn",
	"AWS::SQS::Queue":                           "QueueUrl",
	"AWS::SSM::Parameter":                       "Name",
	"AWS::SecretsManager::Secret":               "Id",
}

// identifierOf is the property that names resources of a type, "" for one that
// cannot be imported. A type outside of AWS:: goes by its name.
func (s *Service) identifierOf(resourceType string) string {
	if name, ok := identifiers[resourceType]; ok {
		return name
	}
	res, ok := s.engine.Types().Of(resourceType)
	if !ok || len(resourceType) > 5 && resourceType[:5] == "AWS::" {
		return ""
	}
	return res.Schema().NameProperty
}

func (s *Service) identifierSummaries(t *template.Template) []api.ResourceIdentifierSummary {
	byType := map[string][]string{}
	for _, id := range t.ResourceIDs() {
		byType[t.Resources[id].Type] = append(byType[t.Resources[id].Type], id)
	}
	out := []api.ResourceIdentifierSummary{}
	for _, typ := range slices.Sorted(maps.Keys(byType)) {
		if name := s.identifierOf(typ); name != "" {
			out = append(out, api.ResourceIdentifierSummary{ResourceType: aws.Ptr(typ), LogicalResourceIds: byType[typ], ResourceIdentifiers: []string{name}})
		}
	}
	return out
}

// nameOf is the name that a template gives a resource, where that is known before
// the resource is made.
func (s *Service) nameOf(scope *template.Scope, id string) string {
	def := scope.Template.Resources[id]
	res, ok := s.engine.Types().Of(def.Type)
	if !ok || s.identifierOf(def.Type) == "" || s.identifierOf(def.Type) != namedBy(def.Type, res) {
		return ""
	}
	v, err := scope.Eval(def.Properties[s.identifierOf(def.Type)], "")
	name, isText := v.(string)
	if err != nil || !isText {
		return ""
	}
	return name
}

func namedBy(resourceType string, res stack.Resource) string {
	if resourceType == "AWS::S3::BucketPolicy" {
		return "" // named by what it belongs to
	}
	return res.Schema().NameProperty
}
