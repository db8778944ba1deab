// The app that scripts/cdk.sh deploys: what a first application of CDK has, and a
// file asset, in one stack. VALUE changes it between two deployments.
const cdk = require('aws-cdk-lib');
const { aws_ec2: ec2, aws_iam: iam, aws_s3: s3, aws_s3_assets: assets, aws_sns: sns, aws_sqs: sqs, aws_ssm: ssm } = cdk;

const app = new cdk.App();
const stack = new cdk.Stack(app, 'HardstandCdk', {
  env: { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION },
});

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
  instanceType: ec2.InstanceType.of(ec2.InstanceClass.T3, ec2.InstanceSize.MICRO),
  machineImage: ec2.MachineImage.latestAmazonLinux2023(),
});

new cdk.CfnOutput(stack, 'BucketName', { value: bucket.bucketName });
new cdk.CfnOutput(stack, 'QueueUrl', { value: queue.queueUrl });
new cdk.CfnOutput(stack, 'TopicArn', { value: topic.topicArn });
new cdk.CfnOutput(stack, 'ParameterName', { value: parameter.parameterName });
new cdk.CfnOutput(stack, 'InstanceId', { value: instance.instanceId });
