package iam

import (
	"strings"
	"time"
)

// awsPolicy is a policy that AWS manages.
type awsPolicy struct {
	path, name, id, description string
	created                     time.Time
	document                    string
}

func (p *awsPolicy) arn() string { return "arn:aws:iam::aws:policy" + p.path + p.name }

// awsPolicies are the AWS managed policies that this server knows, by ARN. Any
// other is unknown here, so that nobody relies on permissions that do not exist.
var awsPolicies = func() map[string]*awsPolicy {
	byARN := map[string]*awsPolicy{}
	for _, p := range []*awsPolicy{
		{"/", "AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", "Provides full access to AWS services and resources.",
			time.Date(2015, 2, 6, 18, 39, 46, 0, time.UTC), allowDocument("*")},
		{"/", "AmazonS3FullAccess", "ANPAIFIR6V6BVTRAHWINE", "Provides full access to all buckets via the AWS Management Console.",
			time.Date(2015, 2, 6, 18, 40, 58, 0, time.UTC), allowDocument("s3:*", "s3-object-lambda:*")},
		{"/", "AmazonS3ReadOnlyAccess", "ANPAIZTJ4DXE7G6AGAE6M", "Provides read only access to all buckets via the AWS Management Console.",
			time.Date(2015, 2, 6, 18, 40, 59, 0, time.UTC),
			allowDocument("s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*")},
		{"/service-role/", "AmazonEC2RoleforAWSCodeDeploy", "ANPAIAZKXZ27TAJ4PVWGK", "Provides EC2 access to S3 bucket to download revision.",
			time.Date(2015, 5, 19, 18, 10, 14, 0, time.UTC), allowDocument("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket")},
		{"/service-role/", "AWSCodeDeployRole", "ANPAJ2NKMKD73QS5NBFLA", "Provides CodeDeploy service access to expand tags and interact with Auto Scaling on your behalf.",
			time.Date(2015, 5, 4, 18, 5, 37, 0, time.UTC), allowDocument(codeDeployActions...)},
		{"/", "AmazonSSMManagedInstanceCore", "ANPAIXSHM2BNB2D3AXXRU", "The policy for Amazon EC2 Role to enable AWS Systems Manager service core functionality.",
			time.Date(2019, 3, 15, 17, 22, 12, 0, time.UTC), allowDocument(managedInstanceActions...)},
	} {
		byARN[p.arn()] = p
	}
	return byARN
}()

var codeDeployActions = strings.Fields(`autoscaling:CompleteLifecycleAction autoscaling:DeleteLifecycleHook autoscaling:DescribeAutoScalingGroups
	autoscaling:DescribeLifecycleHooks autoscaling:PutLifecycleHook autoscaling:RecordLifecycleActionHeartbeat autoscaling:CreateAutoScalingGroup
	autoscaling:CreateOrUpdateTags autoscaling:UpdateAutoScalingGroup autoscaling:EnableMetricsCollection autoscaling:DescribePolicies
	autoscaling:DescribeScheduledActions autoscaling:DescribeNotificationConfigurations autoscaling:SuspendProcesses autoscaling:ResumeProcesses
	autoscaling:AttachLoadBalancers autoscaling:AttachLoadBalancerTargetGroups autoscaling:PutScalingPolicy autoscaling:PutScheduledUpdateGroupAction
	autoscaling:PutNotificationConfiguration autoscaling:PutWarmPool autoscaling:DescribeScalingActivities autoscaling:DeleteAutoScalingGroup
	ec2:DescribeInstances ec2:DescribeInstanceStatus ec2:TerminateInstances tag:GetResources sns:Publish cloudwatch:DescribeAlarms
	cloudwatch:PutMetricAlarm elasticloadbalancing:DescribeLoadBalancerAttributes elasticloadbalancing:DescribeTargetGroupAttributes
	elasticloadbalancing:DescribeLoadBalancers elasticloadbalancing:DescribeInstanceHealth elasticloadbalancing:RegisterInstancesWithLoadBalancer
	elasticloadbalancing:DeregisterInstancesFromLoadBalancer elasticloadbalancing:DescribeTargetGroups elasticloadbalancing:DescribeTargetHealth
	elasticloadbalancing:RegisterTargets elasticloadbalancing:DeregisterTargets`)

var managedInstanceActions = strings.Fields(`ssm:DescribeAssociation ssm:GetDeployablePatchSnapshotForInstance ssm:GetDocument ssm:DescribeDocument
	ssm:GetManifest ssm:GetParameter ssm:GetParameters ssm:ListAssociations ssm:ListInstanceAssociations ssm:PutInventory ssm:PutComplianceItems
	ssm:PutConfigurePackageResult ssm:UpdateAssociationStatus ssm:UpdateInstanceAssociationStatus ssm:UpdateInstanceInformation
	ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel ssmmessages:OpenControlChannel ssmmessages:OpenDataChannel
	ec2messages:AcknowledgeMessage ec2messages:DeleteMessage ec2messages:FailMessage ec2messages:GetEndpoint ec2messages:GetMessages ec2messages:SendReply`)

func allowDocument(actions ...string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"}]}`
}

// record gives an AWS managed policy the form of a customer's.
func (p *awsPolicy) record() *managed {
	description := p.description
	return &managed{Name: p.name, Path: p.path, ID: p.id, Description: &description, Created: p.created, Updated: p.created,
		Versions: []version{{ID: "v1", Document: p.document, Created: p.created}}, Default: "v1"}
}
