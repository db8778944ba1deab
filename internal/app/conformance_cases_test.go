package app

// conformanceCase is a resource type as templates use it, in YAML's flow style.
// ${X} and ${X.Attribute} are of resources of prelude, a stack of its own.
type conformanceCase struct {
	prelude string
	// properties make it; changed is an update in place, replaced one that needs another
	// resource. Empty ones are left out.
	properties, changed, replaced string
	// unseen is a change that leaves alone what the template says.
	unseen bool
	// sameID types have a physical id that is not one of theirs alone: another resource
	// may have it again.
	sameID bool
}

const (
	trustEC2   = "AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}"
	trustBoth  = "AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: [ec2.amazonaws.com, codedeploy.amazonaws.com]}, Action: 'sts:AssumeRole'}]}"
	readsS3    = "PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: '*'}]}"
	readsEC2   = "PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: 'ec2:Describe*', Resource: '*'}]}"
	preludeIAM = "R: {Type: 'AWS::IAM::Role', Properties: {" + trustBoth + "}}, R2: {Type: 'AWS::IAM::Role', Properties: {" + trustEC2 + "}}, " +
		"U: {Type: 'AWS::IAM::User'}, U2: {Type: 'AWS::IAM::User'}, G: {Type: 'AWS::IAM::Group'}, G2: {Type: 'AWS::IAM::Group'}"
	preludeVPC = "V: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.9.0.0/16}}, V2: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.8.0.0/16}}, " +
		"S: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Ref V, CidrBlock: 10.9.1.0/24}}, T: {Type: 'AWS::EC2::RouteTable', Properties: {VpcId: !Ref V}}, " +
		"T2: {Type: 'AWS::EC2::RouteTable', Properties: {VpcId: !Ref V}}, I: {Type: 'AWS::EC2::InternetGateway'}, " +
		"A: {Type: 'AWS::EC2::VPCGatewayAttachment', Properties: {VpcId: !Ref V, InternetGatewayId: !Ref I}}, " +
		"SG: {Type: 'AWS::EC2::SecurityGroup', Properties: {VpcId: !Ref V, GroupDescription: one}}, SG2: {Type: 'AWS::EC2::SecurityGroup', Properties: {VpcId: !Ref V, GroupDescription: two}}"
	preludeLB = "V: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.9.0.0/16}}, SA: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Ref V, CidrBlock: 10.9.1.0/24, AvailabilityZone: us-east-1a}}, " +
		"SB: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Ref V, CidrBlock: 10.9.2.0/24, AvailabilityZone: us-east-1b}}, " +
		"SC: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Ref V, CidrBlock: 10.9.3.0/24, AvailabilityZone: us-east-1c}}, " +
		"SG: {Type: 'AWS::EC2::SecurityGroup', Properties: {VpcId: !Ref V, GroupDescription: one}}"
	preludeListener = preludeLB + ", L: {Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer', Properties: {Scheme: internal, Subnets: [!Ref SA, !Ref SB]}}, " +
		"G: {Type: 'AWS::ElasticLoadBalancingV2::TargetGroup', Properties: {VpcId: !Ref V, Protocol: HTTP, Port: 80}}"
	preludeRule = preludeListener + ", N: {Type: 'AWS::ElasticLoadBalancingV2::Listener', Properties: {LoadBalancerArn: !Ref L, Protocol: HTTP, Port: 80, " + fixedDefault + "}}, " +
		"N2: {Type: 'AWS::ElasticLoadBalancingV2::Listener', Properties: {LoadBalancerArn: !Ref L, Protocol: HTTP, Port: 81, " + fixedDefault + "}}"
	fixedDefault   = "DefaultActions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: '404', ContentType: text/plain, MessageBody: none}}]"
	fixedRule      = "Actions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: '200'}}]"
	preludeScaling = "C: {Type: 'AWS::AutoScaling::LaunchConfiguration', Properties: {ImageId: ami-08111162, InstanceType: t3.micro}}, " +
		"G: {Type: 'AWS::AutoScaling::AutoScalingGroup', Properties: {LaunchConfigurationName: !Ref C, MinSize: 0, MaxSize: 1, AvailabilityZones: [us-east-1a]}}, " +
		"G2: {Type: 'AWS::AutoScaling::AutoScalingGroup', Properties: {LaunchConfigurationName: !Ref C, MinSize: 0, MaxSize: 1, AvailabilityZones: [us-east-1a]}}"
	preludeLogs = "G: {Type: 'AWS::Logs::LogGroup'}, G2: {Type: 'AWS::Logs::LogGroup'}"
	preludeZone = "Z: {Type: 'AWS::Route53::HostedZone', Properties: {Name: prelude.example}}"
	preludeSNS  = "T: {Type: 'AWS::SNS::Topic'}, T2: {Type: 'AWS::SNS::Topic'}, Q: {Type: 'AWS::SQS::Queue'}, Q2: {Type: 'AWS::SQS::Queue'}"
	tagged      = "Tags: [{Key: a, Value: b}]"
	record      = "{Name: a.prelude.example, Type: A, TTL: '60', ResourceRecords: ['192.0.2.1']}"
	otherRecord = "{Name: a.prelude.example, Type: A, TTL: '90', ResourceRecords: ['192.0.2.2']}"
	publish     = "PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: '*', Action: 'sns:Publish', Resource: '*'}]}"
	publishOnly = "PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: '*', Action: 'sns:GetTopicAttributes', Resource: '*'}]}"
	send        = "PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: '*', Action: 'sqs:SendMessage', Resource: '*'}]}"
	sendOther   = "PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: '*', Action: 'sqs:ReceiveMessage', Resource: '*'}]}"
)

// Two certificates with their keys, which are good for nothing else.
const (
	certificateOne = `CertificateBody: "-----BEGIN CERTIFICATE-----\nMIIBrDCCAVOgAwIBAgIUWDRxy4vlHaK7j3EWTOKxO6DLBqgwCgYIKoZIzj0EAwIw\nHDEaMBgGA1UEAwwRd3d3LnN0b3J5LmV4YW1wbGUwIBcNMjYxMTI1MDExNDMzWhgP\nMjEyNjExMDEwMTE0MzNaMBwxGjAYBgNVBAMMEXd3dy5zdG9yeS5leGFtcGxlMFkw\nEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEW90zEa+2TIVszx+MDRwcGhTKnkhkE5RS\nHxt0D+Xm8RDfi1BuiQrbGXVGRD9NI88VOZBK2HuW55ElzwszZH/WYaNxMG8wHQYD\nVR0OBBYEFG4c004D8JkDv885fP4PHD/szzkzMB8GA1UdIwQYMBaAFG4c004D8JkD\nv885fP4PHD/szzkzMA8GA1UdEwEB/wQFMAMBAf8wHAYDVR0RBBUwE4IRd3d3LnN0\nb3J5LmV4YW1wbGUwCgYIKoZIzj0EAwIDRwAwRAIgfGr5XbJY3uO+vHHmo7b/1eMN\ng2BSA3tEqHmqrKC4Cl8CIBLlw1qlSeZ2cfHyjj9zFl4caG18pNa9tcEtS02ACxHF\n-----END CERTIFICATE-----\n", PrivateKey: "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUb4KK3RmNqRQhR5R\ncuy1ReGBhxi4h068qRCPeGeL7GKhRANCAARb3TMRr7ZMhWzPH4wNHBwaFMqeSGQT\nlFIfG3QP5ebxEN+LUG6JCtsZdUZEP00jzxU5kErYe5bnkSXPCzNkf9Zh\n-----END PRIVATE KEY-----\n"`
	certificateTwo = `CertificateBody: "-----BEGIN CERTIFICATE-----\nMIIBhzCCAS2gAwIBAgIUCYqqpY/jc8xxZR6JpNaG4d+/QIAwCgYIKoZIzj0EAwIw\nGDEWMBQGA1UEAwwNb3RoZXIuZXhhbXBsZTAgFw0yNjExMjUwMjMyMzRaGA8yMTI2\nMTEwMTAyMzIzNFowGDEWMBQGA1UEAwwNb3RoZXIuZXhhbXBsZTBZMBMGByqGSM49\nAgEGCCqGSM49AwEHA0IABKC2rDTtqqATFm7XI1plR1fcsIvfSw4IjUMM3PV+xPx8\nwcZ/9p3MTjXHdNPm7rl9DAf2ayrN/38vdzeH7l8N3qyjUzBRMB0GA1UdDgQWBBQe\n+0voBfeBAxOUiMXMt/NFJBhq1zAfBgNVHSMEGDAWgBQe+0voBfeBAxOUiMXMt/NF\nJBhq1zAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCICFi5Tin5RGO\n5huT1tmFoRtUaF7YjaUpiVtYBvvYZyFdAiEA2KkAZSmOJx6CVKwz2stJutCnY4o/\n44aMsKhTF1Xuj+Q=\n-----END CERTIFICATE-----\n", PrivateKey: "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfXcjw+O2hiBERnwQ\n9EzKsiXk4Xxq0OO5dWWtJHnNOoihRANCAASgtqw07aqgExZu1yNaZUdX3LCL30sO\nCI1DDNz1fsT8fMHGf/adzE41x3TT5u65fQwH9msqzf9/L3c3h+5fDd6s\n-----END PRIVATE KEY-----\n"`
)

// conformanceCases has every type that is registered; those that make nothing of
// their own, or only with others' help, are in conformsElsewhere.
var conformanceCases = map[string]conformanceCase{
	"AWS::AutoScaling::AutoScalingGroup": {prelude: "C: {Type: 'AWS::AutoScaling::LaunchConfiguration', Properties: {ImageId: ami-08111162, InstanceType: t3.micro}}",
		properties: "LaunchConfigurationName: '${C}', MinSize: '1', MaxSize: '2', AvailabilityZones: [us-east-1a], Tags: [{Key: a, Value: z, PropagateAtLaunch: true}]",
		changed:    "LaunchConfigurationName: '${C}', MinSize: '1', MaxSize: '3', Cooldown: '60', AvailabilityZones: [us-east-1a], Tags: [{Key: a, Value: b, PropagateAtLaunch: true}]",
		replaced:   "AutoScalingGroupName: other, LaunchConfigurationName: '${C}', MinSize: '0', MaxSize: '1', AvailabilityZones: [us-east-1a]"},
	"AWS::AutoScaling::LaunchConfiguration": {properties: "ImageId: ami-08111162, InstanceType: t3.micro", replaced: "ImageId: ami-08111162, InstanceType: t3.small"},
	"AWS::AutoScaling::LifecycleHook": {prelude: preludeScaling, properties: "AutoScalingGroupName: '${G}', LifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING', HeartbeatTimeout: 60",
		changed:  "AutoScalingGroupName: '${G}', LifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING', HeartbeatTimeout: 90",
		replaced: "AutoScalingGroupName: '${G2}', LifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING'"},
	"AWS::AutoScaling::ScalingPolicy": {prelude: preludeScaling, properties: "AutoScalingGroupName: '${G}', AdjustmentType: ChangeInCapacity, ScalingAdjustment: 1, Cooldown: '60'",
		changed:  "AutoScalingGroupName: '${G}', AdjustmentType: ChangeInCapacity, ScalingAdjustment: 2, Cooldown: '60'",
		replaced: "AutoScalingGroupName: '${G2}', AdjustmentType: ChangeInCapacity, ScalingAdjustment: 1"},
	"AWS::AutoScaling::ScheduledAction": {prelude: preludeScaling, properties: "AutoScalingGroupName: '${G}', Recurrence: '0 6 * * *', DesiredCapacity: 1",
		changed:  "AutoScalingGroupName: '${G}', Recurrence: '0 7 * * *', DesiredCapacity: 1",
		replaced: "AutoScalingGroupName: '${G2}', Recurrence: '0 6 * * *', DesiredCapacity: 1"},

	"AWS::CloudWatch::Alarm": {properties: "ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, MetricName: m, Namespace: n, Period: 60, Statistic: Sum, Threshold: 1",
		changed:  "ComparisonOperator: LessThanThreshold, EvaluationPeriods: 2, MetricName: m, Namespace: n, Period: 60, Statistic: Sum, Threshold: 1, AlarmDescription: d",
		replaced: "AlarmName: other, ComparisonOperator: LessThanThreshold, EvaluationPeriods: 2, MetricName: m, Namespace: n, Period: 60, Statistic: Sum, Threshold: 1"},
	"AWS::CloudWatch::CompositeAlarm": {prelude: "X: {Type: 'AWS::CloudWatch::Alarm', Properties: {ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, MetricName: m, Namespace: n, Period: 60, Statistic: Sum, Threshold: 1}}",
		properties: "AlarmRule: 'ALARM(${X})'", changed: "AlarmRule: 'OK(${X})', AlarmDescription: d", replaced: "AlarmName: other, AlarmRule: 'OK(${X})'"},
	"AWS::CloudWatch::Dashboard": {properties: `DashboardBody: '{"widgets": []}'`, changed: `DashboardBody: '{"widgets": [], "start": "-PT6H"}'`, replaced: `DashboardName: other, DashboardBody: '{"widgets": []}'`},

	"AWS::CodeDeploy::Application":      {properties: "ComputePlatform: Server, Tags: [{Key: a, Value: z}]", changed: "ComputePlatform: Server, " + tagged, replaced: "ComputePlatform: Server, ApplicationName: other"},
	"AWS::CodeDeploy::DeploymentConfig": {properties: "MinimumHealthyHosts: {Type: HOST_COUNT, Value: 2}", replaced: "MinimumHealthyHosts: {Type: HOST_COUNT, Value: 3}"},
	"AWS::CodeDeploy::DeploymentGroup": {prelude: preludeIAM + ", A: {Type: 'AWS::CodeDeploy::Application'}", properties: "ApplicationName: '${A}', ServiceRoleArn: '${R.Arn}', DeploymentConfigName: CodeDeployDefault.OneAtATime",
		changed:  "ApplicationName: '${A}', ServiceRoleArn: '${R.Arn}', DeploymentConfigName: CodeDeployDefault.AllAtOnce",
		replaced: "ApplicationName: '${A}', ServiceRoleArn: '${R.Arn}', DeploymentGroupName: other"},

	"AWS::EC2::EIP": {properties: "Domain: vpc, Tags: [{Key: a, Value: z}]", changed: "Domain: vpc, " + tagged},
	"AWS::EC2::EIPAssociation": {prelude: preludeVPC + ", N: {Type: 'AWS::EC2::NetworkInterface', Properties: {SubnetId: !Ref S}}, II: {Type: 'AWS::EC2::Instance', Properties: {ImageId: ami-08111162}}, E: {Type: 'AWS::EC2::EIP'}, E2: {Type: 'AWS::EC2::EIP'}",
		properties: "AllocationId: '${E.AllocationId}', InstanceId: '${II}'", replaced: "AllocationId: '${E2.AllocationId}', NetworkInterfaceId: '${N}'"},
	"AWS::EC2::NatGateway": {prelude: preludeVPC + ", E: {Type: 'AWS::EC2::EIP'}", properties: "SubnetId: '${S}', AllocationId: '${E.AllocationId}', Tags: [{Key: a, Value: z}]",
		changed: "SubnetId: '${S}', AllocationId: '${E.AllocationId}', " + tagged, replaced: "SubnetId: '${S}', ConnectivityType: private"},
	"AWS::EC2::NetworkInterface": {prelude: preludeVPC, properties: "SubnetId: '${S}', Description: one, GroupSet: ['${SG}'], Tags: [{Key: a, Value: z}]",
		changed: "SubnetId: '${S}', Description: two, GroupSet: ['${SG2}'], SourceDestCheck: false, " + tagged, replaced: "SubnetId: '${S}', PrivateIpAddress: 10.9.1.77"},
	"AWS::EC2::NetworkInterfaceAttachment": {prelude: preludeVPC + ", N: {Type: 'AWS::EC2::NetworkInterface', Properties: {SubnetId: !Ref S}}, N2: {Type: 'AWS::EC2::NetworkInterface', Properties: {SubnetId: !Ref S}}, " +
		"II: {Type: 'AWS::EC2::Instance', Properties: {ImageId: ami-08111162, InstanceType: m5.xlarge, SubnetId: !Ref S}}",
		properties: "InstanceId: '${II}', NetworkInterfaceId: '${N}', DeviceIndex: '1', DeleteOnTermination: true", changed: "InstanceId: '${II}', NetworkInterfaceId: '${N}', DeviceIndex: '1', DeleteOnTermination: false",
		replaced: "InstanceId: '${II}', NetworkInterfaceId: '${N2}', DeviceIndex: '2'"},
	"AWS::EC2::Instance": {properties: "ImageId: ami-08111162, InstanceType: t3.micro, Tags: [{Key: a, Value: z}]", changed: "ImageId: ami-08111162, InstanceType: t3.micro, Monitoring: true, " + tagged,
		replaced: "ImageId: ami-08111162, InstanceType: t3.micro, AvailabilityZone: us-east-1b"},
	"AWS::EC2::InternetGateway": {properties: "Tags: []", changed: tagged},
	"AWS::EC2::KeyPair":         {properties: "KeyName: conform, KeyType: ed25519", replaced: "KeyName: conform2, KeyType: ed25519"},
	"AWS::EC2::LaunchTemplate": {properties: "LaunchTemplateData: {ImageId: ami-08111162, InstanceType: t3.micro}", changed: "LaunchTemplateData: {ImageId: ami-08111162, InstanceType: t3.small}, VersionDescription: d, TagSpecifications: [{ResourceType: launch-template, " + tagged + "}]",
		replaced: "LaunchTemplateName: other, LaunchTemplateData: {ImageId: ami-08111162, InstanceType: t3.micro}"},
	"AWS::EC2::NetworkAcl": {prelude: preludeVPC, properties: "VpcId: '${V}', Tags: [{Key: a, Value: z}]", changed: "VpcId: '${V}', " + tagged, replaced: "VpcId: '${V2}'"},
	"AWS::EC2::NetworkAclEntry": {prelude: preludeVPC + ", N: {Type: 'AWS::EC2::NetworkAcl', Properties: {VpcId: !Ref V}}",
		properties: "NetworkAclId: '${N}', RuleNumber: 100, Protocol: 6, RuleAction: allow, Egress: true, CidrBlock: 0.0.0.0/0, PortRange: {From: 80, To: 80}",
		changed:    "NetworkAclId: '${N}', RuleNumber: 100, Protocol: 6, RuleAction: deny, Egress: true, CidrBlock: 10.0.0.0/8, PortRange: {From: 80, To: 90}",
		replaced:   "NetworkAclId: '${N}', RuleNumber: 110, Protocol: -1, RuleAction: allow, CidrBlock: 0.0.0.0/0"},
	"AWS::EC2::SubnetNetworkAclAssociation": {prelude: preludeVPC + ", N: {Type: 'AWS::EC2::NetworkAcl', Properties: {VpcId: !Ref V}}, N2: {Type: 'AWS::EC2::NetworkAcl', Properties: {VpcId: !Ref V}}",
		properties: "SubnetId: '${S}', NetworkAclId: '${N}'", replaced: "SubnetId: '${S}', NetworkAclId: '${N2}'"},
	"AWS::EC2::Route": {prelude: preludeVPC + ", N: {Type: 'AWS::EC2::NatGateway', Properties: {SubnetId: !Ref S, ConnectivityType: private}}",
		properties: "RouteTableId: '${T}', DestinationCidrBlock: 0.0.0.0/0, GatewayId: '${I}'", changed: "RouteTableId: '${T}', DestinationCidrBlock: 0.0.0.0/0, NatGatewayId: '${N}'", replaced: "RouteTableId: '${T2}', DestinationCidrBlock: 0.0.0.0/0, GatewayId: '${I}'"},
	"AWS::EC2::RouteTable": {prelude: preludeVPC, properties: "VpcId: '${V}', Tags: [{Key: a, Value: z}]", changed: "VpcId: '${V}', " + tagged, replaced: "VpcId: '${V2}'"},
	"AWS::EC2::SecurityGroup": {prelude: preludeVPC, properties: "VpcId: '${V}', GroupDescription: d, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}]",
		changed: "VpcId: '${V}', GroupDescription: d, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 90, ToPort: 90, CidrIp: 0.0.0.0/0}], " + tagged, replaced: "VpcId: '${V}', GroupDescription: e"},
	"AWS::EC2::SecurityGroupEgress": {prelude: preludeVPC, properties: "GroupId: '${SG}', IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8, Description: c", changed: "GroupId: '${SG}', IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8, Description: d",
		replaced: "GroupId: '${SG2}', IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8"},
	"AWS::EC2::SecurityGroupIngress": {prelude: preludeVPC, properties: "GroupId: '${SG}', IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8, Description: c", changed: "GroupId: '${SG}', IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8, Description: d",
		replaced: "GroupId: '${SG2}', IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.0/8"},
	"AWS::EC2::Subnet":                      {prelude: preludeVPC, properties: "VpcId: '${V}', CidrBlock: 10.9.7.0/24, MapPublicIpOnLaunch: false", changed: "VpcId: '${V}', CidrBlock: 10.9.7.0/24, MapPublicIpOnLaunch: true, " + tagged, replaced: "VpcId: '${V}', CidrBlock: 10.9.8.0/24"},
	"AWS::EC2::SubnetRouteTableAssociation": {prelude: preludeVPC, properties: "SubnetId: '${S}', RouteTableId: '${T}'"},
	"AWS::EC2::VPC":                         {properties: "CidrBlock: 10.7.0.0/16, EnableDnsHostnames: false", changed: "CidrBlock: 10.7.0.0/16, EnableDnsHostnames: true, " + tagged, replaced: "CidrBlock: 10.6.0.0/16"},
	"AWS::EC2::VPCCidrBlock":                {prelude: preludeVPC, properties: "VpcId: '${V}', CidrBlock: 10.50.0.0/16", replaced: "VpcId: '${V}', CidrBlock: 10.51.0.0/16"},
	"AWS::EC2::VPCEndpoint": {prelude: preludeVPC, properties: "VpcId: '${V}', ServiceName: com.amazonaws.us-east-1.s3, RouteTableIds: ['${T}']",
		changed:  "VpcId: '${V}', ServiceName: com.amazonaws.us-east-1.s3, RouteTableIds: ['${T2}'], PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: '*', Action: 's3:GetObject', Resource: '*'}]}, " + tagged,
		replaced: "VpcId: '${V2}', ServiceName: com.amazonaws.us-east-1.s3"},
	"AWS::EC2::VPCGatewayAttachment": {prelude: "V: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.5.0.0/16}}, V2: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.4.0.0/16}}, I: {Type: 'AWS::EC2::InternetGateway'}, I2: {Type: 'AWS::EC2::InternetGateway'}",
		properties: "VpcId: '${V}', InternetGatewayId: '${I}'", replaced: "VpcId: '${V2}', InternetGatewayId: '${I2}'"},

	"AWS::ECR::Repository": {properties: "ImageTagMutability: MUTABLE", changed: "ImageTagMutability: IMMUTABLE, " + tagged, replaced: "RepositoryName: other"},

	"AWS::ElasticLoadBalancing::LoadBalancer": {properties: "AvailabilityZones: [us-east-1a], Listeners: [{LoadBalancerPort: '80', InstancePort: '80', Protocol: HTTP}], HealthCheck: {Target: 'HTTP:80/', Interval: '30', Timeout: '5', HealthyThreshold: '2', UnhealthyThreshold: '2'}",
		changed: "AvailabilityZones: [us-east-1a, us-east-1b], Listeners: [{LoadBalancerPort: '81', InstancePort: '81', Protocol: HTTP, PolicyNames: [sticky]}], LBCookieStickinessPolicy: [{PolicyName: sticky, CookieExpirationPeriod: '60'}], CrossZone: true, " +
			"HealthCheck: {Target: 'TCP:81', Interval: '30', Timeout: '5', HealthyThreshold: '2', UnhealthyThreshold: '2'}, " + tagged,
		replaced: "Scheme: internal, AvailabilityZones: [us-east-1a], Listeners: [{LoadBalancerPort: '80', InstancePort: '80', Protocol: HTTP}]"},

	"AWS::IAM::AccessKey":           {prelude: preludeIAM, properties: "UserName: '${U}', Status: Active", changed: "UserName: '${U}', Status: Inactive", replaced: "UserName: '${U2}'"},
	"AWS::IAM::Group":               {properties: "Policies: [{PolicyName: p, " + readsS3 + "}]", changed: "Path: /x/, Policies: [{PolicyName: q, " + readsEC2 + "}]", replaced: "GroupName: other"},
	"AWS::IAM::GroupPolicy":         {prelude: preludeIAM, properties: "GroupName: '${G}', PolicyName: p, " + readsS3, changed: "GroupName: '${G}', PolicyName: p, " + readsEC2, replaced: "GroupName: '${G2}', PolicyName: p, " + readsS3, sameID: true},
	"AWS::IAM::InstanceProfile":     {prelude: preludeIAM, properties: "Roles: ['${R}']", changed: "Roles: ['${R2}']", replaced: "Roles: ['${R2}'], Path: /x/"},
	"AWS::IAM::ManagedPolicy":       {prelude: preludeIAM, properties: readsS3 + ", Roles: ['${R}']", changed: readsEC2 + ", Users: ['${U}']", replaced: readsS3 + ", Path: /x/"},
	"AWS::IAM::OIDCProvider":        {properties: "Url: 'https://issuer.example', ClientIdList: [a]", changed: "Url: 'https://issuer.example', ClientIdList: [b]", replaced: "Url: 'https://other.example', ClientIdList: [a]"},
	"AWS::IAM::Policy":              {prelude: preludeIAM, properties: "PolicyName: p, Roles: ['${R}'], " + readsS3, changed: "PolicyName: p, Roles: ['${R}'], Users: ['${U}'], " + readsEC2},
	"AWS::IAM::Role":                {properties: trustEC2, changed: trustBoth + ", Description: d, " + tagged, replaced: trustEC2 + ", Path: /x/"},
	"AWS::IAM::RolePolicy":          {prelude: preludeIAM, properties: "RoleName: '${R}', PolicyName: p, " + readsS3, changed: "RoleName: '${R}', PolicyName: p, " + readsEC2, replaced: "RoleName: '${R2}', PolicyName: p, " + readsS3, sameID: true},
	"AWS::IAM::ServerCertificate":   {properties: "Path: /y/, " + certificateOne, changed: "Path: /x/, " + certificateOne + ", " + tagged, replaced: certificateTwo},
	"AWS::IAM::ServiceLinkedRole":   {properties: "AWSServiceName: autoscaling.amazonaws.com, CustomSuffix: conform, Description: c", changed: "AWSServiceName: autoscaling.amazonaws.com, CustomSuffix: conform, Description: d"},
	"AWS::IAM::User":                {properties: "Policies: [{PolicyName: p, " + readsS3 + "}]", changed: "Path: /x/, " + tagged, replaced: "UserName: other"},
	"AWS::IAM::UserPolicy":          {prelude: preludeIAM, properties: "UserName: '${U}', PolicyName: p, " + readsS3, changed: "UserName: '${U}', PolicyName: p, " + readsEC2, replaced: "UserName: '${U2}', PolicyName: p, " + readsS3, sameID: true},
	"AWS::IAM::UserToGroupAddition": {prelude: preludeIAM, properties: "GroupName: '${G}', Users: ['${U}']", changed: "GroupName: '${G}', Users: ['${U2}', '${U}']", replaced: "GroupName: '${G2}', Users: ['${U}']", unseen: true},

	"AWS::ElasticLoadBalancingV2::LoadBalancer": {prelude: preludeLB, properties: "Scheme: internal, Subnets: ['${SA}', '${SB}'], Tags: [{Key: a, Value: z}]",
		changed:  "Scheme: internal, Subnets: ['${SA}', '${SC}'], SecurityGroups: ['${SG}'], LoadBalancerAttributes: [{Key: idle_timeout.timeout_seconds, Value: '30'}], " + tagged,
		replaced: "Name: other, Scheme: internal, Type: network, Subnets: ['${SA}']"},
	"AWS::ElasticLoadBalancingV2::TargetGroup": {prelude: preludeLB, properties: "VpcId: '${V}', Protocol: HTTP, Port: 80, TargetType: ip, Tags: [{Key: a, Value: z}]",
		changed: "VpcId: '${V}', Protocol: HTTP, Port: 80, TargetType: ip, HealthCheckPath: /up, Matcher: {HttpCode: '200-299'}, Targets: [{Id: 10.9.1.9, Port: 81}], " +
			"TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: '5'}], " + tagged,
		replaced: "VpcId: '${V}', Protocol: TCP, Port: 80, TargetType: ip"},
	"AWS::ElasticLoadBalancingV2::Listener": {prelude: preludeListener, properties: "LoadBalancerArn: '${L}', Protocol: HTTP, Port: 80, DefaultActions: [{Type: forward, TargetGroupArn: '${G}'}]",
		changed: "LoadBalancerArn: '${L}', Protocol: HTTP, Port: 8080, ListenerAttributes: [{Key: routing.http.response.server.enabled, Value: 'false'}], " + fixedDefault},
	"AWS::ElasticLoadBalancingV2::ListenerRule": {prelude: preludeRule, properties: "ListenerArn: '${N}', Priority: 5, Conditions: [{Field: path-pattern, Values: [/a]}], " + fixedRule,
		changed:  "ListenerArn: '${N}', Priority: 6, Conditions: [{Field: host-header, HostHeaderConfig: {Values: [a.example, b.example]}}], Actions: [{Type: forward, TargetGroupArn: '${G}'}]",
		replaced: "ListenerArn: '${N2}', Priority: 5, Conditions: [{Field: path-pattern, Values: [/a]}], " + fixedRule},

	"AWS::Logs::LogGroup":       {properties: "RetentionInDays: 7", changed: "RetentionInDays: 14, " + tagged, replaced: "LogGroupName: other"},
	"AWS::Logs::LogStream":      {prelude: preludeLogs, properties: "LogGroupName: '${G}'", replaced: "LogGroupName: '${G2}'"},
	"AWS::Logs::MetricFilter":   {prelude: preludeLogs, properties: "LogGroupName: '${G}', FilterPattern: E, MetricTransformations: [{MetricName: m, MetricNamespace: n, MetricValue: '1'}]", changed: "LogGroupName: '${G}', FilterPattern: F, MetricTransformations: [{MetricName: m, MetricNamespace: n, MetricValue: '2'}]", replaced: "LogGroupName: '${G2}', FilterPattern: E, MetricTransformations: [{MetricName: m, MetricNamespace: n, MetricValue: '1'}]"},
	"AWS::Logs::ResourcePolicy": {properties: `PolicyName: one, PolicyDocument: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"route53.amazonaws.com"},"Action":"logs:PutLogEvents","Resource":"*"}]}'`, changed: `PolicyName: one, PolicyDocument: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"es.amazonaws.com"},"Action":"logs:PutLogEvents","Resource":"*"}]}'`},

	"AWS::Route53::HostedZone":     {properties: "Name: conform.example, HostedZoneConfig: {Comment: b}", changed: "Name: conform.example, HostedZoneConfig: {Comment: c}", replaced: "Name: other.example"},
	"AWS::Route53::RecordSet":      {prelude: preludeZone, properties: "HostedZoneId: '${Z}', Name: a.prelude.example, Type: A, TTL: '60', ResourceRecords: ['192.0.2.1']", changed: "HostedZoneId: '${Z}', Name: a.prelude.example, Type: A, TTL: '90', ResourceRecords: ['192.0.2.2']", replaced: "HostedZoneId: '${Z}', Name: b.prelude.example, Type: A, TTL: '60', ResourceRecords: ['192.0.2.1']"},
	"AWS::Route53::RecordSetGroup": {prelude: preludeZone, properties: "HostedZoneId: '${Z}', RecordSets: [" + record + "]", changed: "HostedZoneId: '${Z}', RecordSets: [" + otherRecord + "]"},

	"AWS::S3::Bucket":       {properties: "VersioningConfiguration: {Status: Enabled}", changed: "VersioningConfiguration: {Status: Suspended}, " + tagged, replaced: "BucketName: conform-other"},
	"AWS::S3::BucketPolicy": {prelude: "B: {Type: 'AWS::S3::Bucket'}, B2: {Type: 'AWS::S3::Bucket'}", properties: "Bucket: '${B}', PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Deny, Principal: '*', Action: 's3:GetObject', Resource: '${B.Arn}/a'}]}", changed: "Bucket: '${B}', PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Deny, Principal: '*', Action: 's3:GetObject', Resource: '${B.Arn}/b'}]}", replaced: "Bucket: '${B2}', PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Deny, Principal: '*', Action: 's3:GetObject', Resource: '${B2.Arn}/a'}]}"},

	"AWS::SNS::Subscription":      {prelude: preludeSNS, properties: "TopicArn: '${T}', Protocol: sqs, Endpoint: '${Q.Arn}', RawMessageDelivery: false", changed: "TopicArn: '${T}', Protocol: sqs, Endpoint: '${Q.Arn}', RawMessageDelivery: true", replaced: "TopicArn: '${T2}', Protocol: sqs, Endpoint: '${Q.Arn}'"},
	"AWS::SNS::Topic":             {properties: "DisplayName: a", changed: "DisplayName: b, " + tagged, replaced: "TopicName: other"},
	"AWS::SNS::TopicInlinePolicy": {prelude: preludeSNS, properties: "TopicArn: '${T}', " + publish, changed: "TopicArn: '${T}', " + publishOnly, replaced: "TopicArn: '${T2}', " + publish},
	"AWS::SNS::TopicPolicy":       {prelude: preludeSNS, properties: "Topics: ['${T}'], " + publish, changed: "Topics: ['${T}', '${T2}'], " + publishOnly},
	"AWS::SQS::Queue":             {properties: "DelaySeconds: 5", changed: "DelaySeconds: 6, " + tagged, replaced: "QueueName: other"},
	"AWS::SQS::QueueInlinePolicy": {prelude: preludeSNS, properties: "Queue: '${Q}', " + send, changed: "Queue: '${Q}', " + sendOther, replaced: "Queue: '${Q2}', " + send},
	"AWS::SQS::QueuePolicy":       {prelude: preludeSNS, properties: "Queues: ['${Q}'], " + send, changed: "Queues: ['${Q}', '${Q2}'], " + sendOther},

	"AWS::SSM::Parameter": {properties: "Type: String, Value: a", changed: "Type: String, Value: b, Description: d", replaced: "Name: other, Type: String, Value: b"},

	"AWS::SecretsManager::ResourcePolicy": {prelude: "S: {Type: 'AWS::SecretsManager::Secret'}, S2: {Type: 'AWS::SecretsManager::Secret'}",
		properties: "SecretId: '${S}', ResourcePolicy: {Version: '2012-10-17', Statement: [{Effect: Deny, Principal: '*', Action: 'secretsmanager:PutSecretValue', Resource: '*'}]}",
		changed:    "SecretId: '${S}', ResourcePolicy: {Version: '2012-10-17', Statement: [{Effect: Deny, Principal: '*', Action: 'secretsmanager:DeleteSecret', Resource: '*'}]}",
		replaced:   "SecretId: '${S2}', ResourcePolicy: {Version: '2012-10-17', Statement: [{Effect: Deny, Principal: '*', Action: 'secretsmanager:PutSecretValue', Resource: '*'}]}"},
	"AWS::SecretsManager::Secret": {properties: "Description: a", changed: "Description: b, " + tagged, replaced: "Name: other"},
}

// conformsElsewhere are types whose conformance is told by other tests, and which.
var conformsElsewhere = map[string]string{
	"AWS::CDK::Metadata":                               "makes nothing",
	"AWS::CloudFormation::CustomResource":              "TestCustomResource of package cloudformation: it needs somebody who answers",
	"AWS::CloudFormation::Stack":                       "TestNestedStack of package cloudformation",
	"AWS::CloudFormation::WaitCondition":               "the tests of package stack: it has no updates and nothing that lives",
	"AWS::ElasticLoadBalancingV2::ListenerCertificate": "TestListenerCertificates of package elbv2: it needs server certificates, which no type makes",
	"AWS::CloudFormation::WaitConditionHandle":         "the tests of package stack: it has no updates and nothing that lives",
	"AWS::KMS::Alias":                                  "its creation fails: keys are not made here",
	"AWS::KMS::Key":                                    "its creation fails: keys are not made here",
}
