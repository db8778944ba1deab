package awscli

import (
	"net/http"
	"strings"
	"testing"
)

// Commands of the table: what is sent, and what is printed.
func TestPlainCommands(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.answers = map[string]string{
		"AmazonSSM.PutParameter": `{"Version":1,"Tier":"Standard"}`, "AmazonSSM.GetParameters": `{"Parameters":[]}`,
		"secretsmanager.GetSecretValue":        `{"Name":"s","SecretString":"{\"a\":1}","CreatedDate":1.6e9}`,
		"CodeDeploy_20141006.CreateDeployment": `{"deploymentId":"d-1"}`, "Logs_20140328.PutRetentionPolicy": ``,
		"AmazonSQS.GetQueueUrl": `{"QueueUrl":"http://q"}`, "AmazonSQS.CreateQueue": `{"QueueUrl":"http://q"}`,
		"Logs_20140328.DescribeLogGroups": `{"logGroups":[{"creationTime":1600000000000}]}`,
		"AssumeRole":                      `{"AssumeRoleResponse":{"AssumeRoleResult":{"AssumedRoleUser":{"Arn":"arn:r"},"Credentials":{"AccessKeyId":"ASIA","Expiration":1893456000}}}}`,
		"CreateTags":                      `<CreateTagsResponse><return>true</return></CreateTagsResponse>`, "CreateRoute": `<CreateRouteResponse><return>true</return></CreateRouteResponse>`,
		"AssociateAddress":        `<AssociateAddressResponse><return>true</return><associationId>eipassoc-1</associationId></AssociateAddressResponse>`,
		"ModifyInstanceAttribute": `<ModifyInstanceAttributeResponse><return>true</return></ModifyInstanceAttributeResponse>`,
		"DescribeVolumes": `<DescribeVolumesResponse><volumeSet><item><volumeId>vol-1</volumeId><size>8</size><status>in-use</status>
			<attachmentSet><item><device>/dev/sda1</device><status>attached</status></item></attachmentSet></item></volumeSet></DescribeVolumesResponse>`,
		"DescribeAddresses":      `<DescribeAddressesResponse><addressesSet><item><publicIp>198.18.0.9</publicIp></item></addressesSet></DescribeAddressesResponse>`,
		"StopInstances":          `<StopInstancesResponse><instancesSet><item><currentState><code>64</code></currentState></item></instancesSet></StopInstancesResponse>`,
		"DescribeStackResources": `{"DescribeStackResourcesResponse":{"DescribeStackResourcesResult":{"StackResources":[{"LogicalResourceId":"R","Timestamp":1.6e9}]}}}`,
		"DescribeInstanceHealth": `{"DescribeInstanceHealthResponse":{"DescribeInstanceHealthResult":{"InstanceStates":[{"InstanceId":"i-1","State":"InService"}]}}}`,
		"DescribeTargetHealth":   `{"DescribeTargetHealthResponse":{"DescribeTargetHealthResult":{"TargetHealthDescriptions":[{"Target":{"Id":"i-1","Port":80},"TargetHealth":{"State":"healthy"}}]}}}`,
		"RegisterTargets":        `{"RegisterTargetsResponse":{"RegisterTargetsResult":{}}}`, "CompleteLifecycleAction": `{"CompleteLifecycleActionResponse":{"CompleteLifecycleActionResult":{}}}`,
		"DescribeAutoScalingGroups": `{"DescribeAutoScalingGroupsResponse":{"DescribeAutoScalingGroupsResult":{"AutoScalingGroups":[{"MinSize":1,"Instances":[]}],"NextToken":null}}}`,
		"ListTopics":                `{"ListTopicsResponse":{"ListTopicsResult":{"Topics":[{"TopicArn":"arn:t"}]}}}`,
	}
	for _, s := range []struct{ line, out, sent string }{
		{"ssm put-parameter --name /a --value v --type SecureString --overwrite", `"Version": 1`, `{"Name":"/a","Overwrite":true,"Type":"SecureString","Value":"v"}`},
		{"ssm get-parameters --names a b --with-decryption", `"Parameters": []`, `{"Names":["a","b"],"WithDecryption":true}`},
		{"secretsmanager get-secret-value --secret-id s --query SecretString --output text", `{"a":1}`, `{"SecretId":"s"}`},
		{"secretsmanager get-secret-value --secret-id s", `"CreatedDate": "2020-09-13T12:26:40.000000+00:00"`, ``},
		{"deploy create-deployment --application-name a --deployment-group-name g --s3-location bucket=b,key=k,bundleType=zip --ignore-application-stop-failures",
			"d-1", `{"applicationName":"a","deploymentGroupName":"g","ignoreApplicationStopFailures":true,"revision":{"revisionType":"S3","s3Location":{"bucket":"b","bundleType":"zip","key":"k"}}}`},
		{"deploy create-deployment --application-name a --github-location repository=r/r,commitId=c", "d-1", `"revision":{"gitHubLocation":{"commitId":"c","repository":"r/r"},"revisionType":"GitHub"}`},
		{"logs put-retention-policy --log-group-name g --retention-in-days 7", "", `{"logGroupName":"g","retentionInDays":7}`},
		{"logs describe-log-groups", `"creationTime": 1600000000000`, `{}`},
		{"sqs get-queue-url --queue-name q --output text", "http://q", `{"QueueName":"q"}`},
		{"sqs create-queue --queue-name q --attributes DelaySeconds=5,FifoQueue=true", "http://q", `{"Attributes":{"DelaySeconds":"5","FifoQueue":"true"},"QueueName":"q"}`},
		{"sts assume-role --role-arn arn:r --role-session-name s --duration-seconds 900 --query Credentials.[AccessKeyId,Expiration] --output text", "ASIA\t2030-01-01T00:00:00+00:00", "DurationSeconds=900"},
		{"sns list-topics --query Topics[].TopicArn --output text", "arn:t", "Action=ListTopics"},
		{"elb describe-instance-health --load-balancer-name l --instances i-1 --query InstanceStates[0].State", `"InService"`, "Instances.member.1.InstanceId=i-1&LoadBalancerName=l"},
		{"elb describe-instance-health --load-balancer-name l --instances InstanceId=i-2 --output text", "i-1\tInService", "InstanceId=i-2"},
		{"elbv2 describe-target-health --target-group-arn arn:g --targets Id=i-1,Port=80 --query TargetHealthDescriptions[?Target.Port==`80`].TargetHealth.State --output text", "healthy", "Targets.member.1.Id=i-1&Targets.member.1.Port=80"},
		{"elbv2 register-targets --target-group-arn arn:g --targets Id=i-1 Id=i-2", "", "Targets.member.2.Id=i-2"},
		{"autoscaling complete-lifecycle-action --lifecycle-hook-name h --auto-scaling-group-name g --lifecycle-action-result CONTINUE --instance-id i-1", "", "LifecycleActionResult=CONTINUE"},
		{"autoscaling describe-auto-scaling-groups --auto-scaling-group-names g --query AutoScalingGroups[0].[MinSize,Instances]", "1", "AutoScalingGroupNames.member.1=g"},
		{"ec2 create-tags --resources i-1 vol-1 --tags Key=Name,Value=web Key=b,Value=", "", "ResourceId.1=i-1&ResourceId.2=vol-1&Tag.1.Key=Name&Tag.1.Value=web&Tag.2.Key=b&Tag.2.Value="},
		{"ec2 create-route --route-table-id rtb-1 --destination-cidr-block 0.0.0.0/0 --instance-id i-1", `"Return": true`, "DestinationCidrBlock=0.0.0.0%2F0"},
		{"ec2 associate-address --instance-id i-1 --allocation-id eipalloc-1 --allow-reassociation --output text", "eipassoc-1\n", "AllowReassociation=true"},
		{"ec2 modify-instance-attribute --instance-id i-1 --no-source-dest-check", "", "SourceDestCheck.Value=false"},
		{"ec2 describe-volumes --filters Name=status,Values=in-use,available --query Volumes[0].[State,Size] --output text", "in-use\t8", "Filter.1.Value.2=available"},
		{"ec2 describe-volumes --query Volumes[].Attachments[].State --output text", "attached", ""},
		{`ec2 describe-addresses --filters [{"Name":"domain","Values":["vpc"]}] --query Addresses[0].PublicIp --output text`, "198.18.0.9", "Filter.1.Value.1=vpc"},
		{"ec2 stop-instances --instance-ids i-1 --query StoppingInstances[0].CurrentState.Code", "64", "InstanceId.1=i-1"},
		{"cloudformation describe-stack-resources --stack-name s", `"Timestamp": "2020-09-13T12:26:40.000000+00:00"`, "StackName=s"},
	} {
		a.run(t, s.line, 0, s.out)
		if last := c.seen[len(c.seen)-1]; !strings.Contains(last, s.sent) {
			t.Errorf("%s sent %s", s.line, last)
		}
	}
	a.run(t, "ec2 create-tags --resources i-1", 252, "the following arguments are required: --tags")
	a.run(t, "ssm put-parameter --value x", 252, "the following arguments are required: --name")
	a.run(t, "logs put-retention-policy --log-group-name g --retention-in-days week", 252, "invalid literal for int(): 'week'")
	a.run(t, "ec2 create-tags --resources i-1 --tags Key={a", 252, "does not know")
}

// pages answers with a token until the last page.
func TestPlainPages(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.answers["AmazonSSM.GetParametersByPath"] = `{"Parameters":[{"Name":"a"}],"NextToken":"t"}`
	turns := 0
	c.Config.Handler = counted{c, func() {
		if turns++; turns == 3 {
			c.answers["AmazonSSM.GetParametersByPath"] = `{"Parameters":[{"Name":"z"}]}`
		}
	}}
	a.run(t, "ssm get-parameters-by-path --path / --recursive --query Parameters[].Name --output text", 0, "a\ta\tz\n")
	if last := c.seen[len(c.seen)-1]; !strings.Contains(last, `"NextToken":"t"`) {
		t.Errorf("sent %s", last)
	}
}

// Load balancers are listed in pages of another kind.
func TestPlainMarkers(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	page := func(name, next string) {
		c.answers["DescribeLoadBalancers"] = `{"DescribeLoadBalancersResponse":{"DescribeLoadBalancersResult":{"LoadBalancers":[{"LoadBalancerName":"` + name + `"}],"NextMarker":` + next + `}}}`
	}
	page("a", `"m"`)
	turns := 0
	c.Config.Handler = counted{c, func() {
		if turns++; turns == 2 {
			page("z", "null")
		}
	}}
	a.run(t, "elbv2 describe-load-balancers --query [LoadBalancers[].LoadBalancerName,NextMarker] --output text", 0, "None\na\tz\n")
	if last := c.seen[len(c.seen)-1]; turns != 2 || !strings.Contains(last, "&Marker=m") {
		t.Errorf("%d requests, sent %s", turns, last)
	}
}

// Who bounds an answer gets that one page.
func TestPlainLimit(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.answers["Logs_20140328.DescribeLogGroups"] = `{"logGroups":[{"logGroupName":"a"}],"nextToken":"t"}`
	c.answers["AmazonSSM.GetParametersByPath"] = `{"Parameters":[{"Name":"a"}],"NextToken":"t"}`
	a.run(t, "logs describe-log-groups --limit 1", 0, `"nextToken": "t"`)
	a.run(t, "ssm get-parameters-by-path --path / --max-results 1", 0, `"NextToken": "t"`)
	if len(c.seen) != 2 {
		t.Errorf("%d requests", len(c.seen))
	}
}

// A value behind = is the option's, and a switch has none.
func TestInlineValues(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	c.answers["DescribeInstances"] = `<DescribeInstancesResponse/>`
	a.run(t, "ec2 describe-instances --instance-ids=i-1", 0, "")
	if last := c.seen[len(c.seen)-1]; !strings.Contains(last, "InstanceId.1=i-1") {
		t.Errorf("sent %s", last)
	}
	a.run(t, "s3 rb s3://b --force=1", 252, "aws: error: argument --force: ignored explicit argument '1'")
}

// counted calls back before each request.
type counted struct {
	*cloud
	before func()
}

func (c counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.before()
	c.cloud.ServeHTTP(w, r)
}

func TestBuckets(t *testing.T) {
	c := newCloud(t)
	a := newAWS(t, c)
	a.run(t, "s3 mb s3://new", 0, "make_bucket: new")
	if got := c.objects["new/"]; !strings.Contains(got, "<LocationConstraint>eu-west-1</LocationConstraint>") {
		t.Errorf("sent %q", got)
	}
	delete(c.objects, "new/")
	write(t, "f", "content")
	a.run(t, "s3api put-object --bucket new --key k --body f --content-type text/plain", 0, "{}")
	a.run(t, "s3api put-object --bucket new --key k --body absent", 252, "Blob values must be a path to a file")
	a.run(t, "s3api list-objects-v2 --bucket new --query Contents[].Key --output text", 0, "k\n")
	a.run(t, "s3 presign s3://new/k --expires-in 60", 0, "/new/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA0123456789ABCDEF%2F")
	a.run(t, "s3 presign s3://new/k --expires-in x", 252, "invalid literal for int()")
	a.run(t, "s3api delete-object --bucket new --key k", 0, "")
	a.run(t, "s3 rb s3://new --force", 0, "remove_bucket: new")
	a.run(t, "s3 mb new", 252, "Invalid argument type")
	c.broken = 9
	a.run(t, "s3 rb s3://new", 1, "remove_bucket failed: s3://new An error occurred (503)")
}

func FuzzStructure(f *testing.F) {
	for _, s := range []string{"a=b,c=d", `Name=x,Values=a,"b,c",d`, "a=[b,c],d=e", "=", "a=[", `a="`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, ok := structure(text); ok && len(m) == 0 {
			t.Errorf("%q is a structure of nothing", text)
		}
	})
}
