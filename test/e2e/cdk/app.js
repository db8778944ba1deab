// The app that scripts/cdk.sh deploys: in one stack what a first application of CDK
// has, and a file asset, in another a fleet behind load balancers. VALUE changes both
// between two deployments.
const cdk = require('aws-cdk-lib');
const { aws_autoscaling: autoscaling, aws_codedeploy: codedeploy, aws_ec2: ec2, aws_elasticloadbalancingv2: elbv2, aws_iam: iam, aws_s3: s3, aws_s3_assets: assets, aws_sns: sns, aws_sqs: sqs, aws_ssm: ssm } = cdk;

const app = new cdk.App();
const env = { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION };
const micro = ec2.InstanceType.of(ec2.InstanceClass.T3, ec2.InstanceSize.MICRO);
const stack = new cdk.Stack(app, 'HardstandCdk', { env });

const bucket = new s3.Bucket(stack, 'Bucket', { removalPolicy: cdk.RemovalPolicy.DESTROY });
const queue = new sqs.Queue(stack, 'Queue', { visibilityTimeout: cdk.Duration.seconds(60) });
const topic = new sns.Topic(stack, 'Topic');
const parameter = new ssm.StringParameter(stack, 'Parameter', { stringValue: process.env.VALUE || 'first' });
const page = new assets.Asset(stack, 'Page', { path: 'assets/page.txt' });

const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
bucket.grantReadWrite(role);
queue.grantSendMessages(role);
page.grantRead(role);
parameter.grantRead(role);

const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 1, natGateways: 0, restrictDefaultSecurityGroup: false,
  subnetConfiguration: [{ name: 'public', subnetType: ec2.SubnetType.PUBLIC }] });
const userData = ec2.UserData.forLinux();
userData.addCommands(
  `aws s3 cp ${page.s3ObjectUrl} /tmp/page.txt`,
  `aws s3 cp /tmp/page.txt s3://${bucket.bucketName}/page.txt`,
);
const instance = new ec2.Instance(stack, 'Instance', {
  vpc, role, userData,
  instanceType: micro,
  machineImage: ec2.MachineImage.latestAmazonLinux2023(),
});

new cdk.CfnOutput(stack, 'BucketName', { value: bucket.bucketName });
new cdk.CfnOutput(stack, 'QueueUrl', { value: queue.queueUrl });
new cdk.CfnOutput(stack, 'TopicArn', { value: topic.topicArn });
new cdk.CfnOutput(stack, 'ParameterName', { value: parameter.parameterName });
new cdk.CfnOutput(stack, 'InstanceId', { value: instance.instanceId });

fleet(new cdk.Stack(app, 'HardstandFleet', { env }));

function fleet(stack) {
  const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 2, natGateways: 2, restrictDefaultSecurityGroup: false });
  vpc.addGatewayEndpoint('S3', { service: ec2.GatewayVpcEndpointAwsService.S3 });
  const userData = ec2.UserData.forLinux();
  userData.addCommands('mkdir -p /srv/www; cd /srv/www', `echo ${process.env.VALUE || 'first'} >index.html`,
    'nohup python3 -m http.server 80 >/var/log/www 2>&1 &');
  const group = new autoscaling.AutoScalingGroup(stack, 'Group', {
    vpc, userData, minCapacity: 2, maxCapacity: 4, instanceType: micro, machineImage: ec2.MachineImage.latestAmazonLinux2023(),
    updatePolicy: autoscaling.UpdatePolicy.rollingUpdate(),
    signals: autoscaling.Signals.waitForMinCapacity({ timeout: cdk.Duration.minutes(3) }),
    healthChecks: autoscaling.HealthChecks.withAdditionalChecks({
      additionalTypes: [autoscaling.AdditionalHealthCheckType.ELB], gracePeriod: cdk.Duration.minutes(1),
    }),
  });
  userData.addSignalOnExitCommand(group);
  group.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60 });
  group.scaleOnSchedule('Night', { schedule: autoscaling.Schedule.cron({ hour: '3', minute: '0' }), minCapacity: 2 });

  const delay = { deregistrationDelay: cdk.Duration.seconds(2) };
  const balancer = new elbv2.ApplicationLoadBalancer(stack, 'Balancer', { vpc, internetFacing: true });
  const listener = balancer.addListener('Http', { port: 80 });
  const targets = listener.addTargets('Web', { port: 80, targets: [group], ...delay,
    healthCheck: { interval: cdk.Duration.seconds(5), timeout: cdk.Duration.seconds(2), healthyThresholdCount: 2 } });
  listener.addAction('Old', { priority: 5, conditions: [elbv2.ListenerCondition.pathPatterns(['/old'])], action: elbv2.ListenerAction.redirect({ path: '/' }) });
  new elbv2.NetworkLoadBalancer(stack, 'Inner', { vpc }).addListener('Tcp', { port: 81 }).addTargets('Web', { port: 80, targets: [group], ...delay });

  new codedeploy.ServerDeploymentGroup(stack, 'Rollout', {
    application: new codedeploy.ServerApplication(stack, 'Software'),
    autoScalingGroups: [group], loadBalancers: [codedeploy.LoadBalancer.application(targets)],
    deploymentConfig: new codedeploy.ServerDeploymentConfig(stack, 'Pace', { minimumHealthyHosts: codedeploy.MinimumHealthyHosts.count(1) }),
    autoRollback: { failedDeployment: true, stoppedDeployment: true },
    alarms: [targets.metrics.unhealthyHostCount().createAlarm(stack, 'Unhealthy', { threshold: 3, evaluationPeriods: 1 })],
  });
  new cdk.CfnOutput(stack, 'Url', { value: `http://${balancer.loadBalancerDnsName}` });
}
