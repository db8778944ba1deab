"""What boto3 makes of the tiny services: every check prints one line of JSON."""
import io, json, sys, urllib.request
import boto3, botocore
from botocore.config import Config

endpoint = sys.argv[1]


def client(name, **config):
    return boto3.client(
        name, endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        config=Config(retries={"max_attempts": 0}, **config))


def attempt(name, call, pick=lambda r: r):
    try:
        result = pick(call())
        if isinstance(result, dict):
            result.pop("ResponseMetadata", None)
    except botocore.exceptions.ClientError as e:
        meta = e.response["ResponseMetadata"]
        result = {"error": e.response["Error"]["Code"], "message": e.response["Error"]["Message"],
                  "status": meta["HTTPStatusCode"], "id": bool(meta.get("RequestId"))}
    print(json.dumps({"name": name, "result": result}, default=str, sort_keys=True))


ec2, cfn, sts, iam = client("ec2"), client("cloudformation"), client("sts"), client("iam")
ssm, deploy = client("ssm"), client("codedeploy")
s3 = client("s3", s3={"addressing_style": "path"})

run = dict(ImageId="ami-1", MinCount=1, MaxCount=2, InstanceType="t2.micro", SecurityGroupIds=["sg-1", "sg-2"],
           UserData="#!/bin/sh\necho é & <ok>\n", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}],
           TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}])
attempt("ec2 run", lambda: ec2.run_instances(**run), lambda r: [i["InstanceId"] for i in r["Instances"]])
attempt("ec2 dry run", lambda: ec2.run_instances(DryRun=True, **run))
attempt("ec2 error", lambda: ec2.run_instances(KeyName="absent", **run))
attempt("ec2 describe", lambda: ec2.describe_instances(InstanceIds=["i-9"]), lambda r: r["Reservations"][0]["Instances"][0])
attempt("ec2 empty", lambda: ec2.describe_instances(), lambda r: r["Reservations"])
attempt("ec2 no output", lambda: ec2.create_tags(Resources=["i-1"], Tags=[{"Key": "a", "Value": ""}]))
attempt("ec2 not here", lambda: ec2.create_vpc(CidrBlock="10.0.0.0/16"))
attempt("ec2 bad enum", lambda: ec2.run_instances(**{**run, "InstanceType": "x9.huge"}))
attempt("ec2 denied", lambda: ec2.delete_tags(Resources=["i-1"]))
attempt("cfn create", lambda: cfn.create_stack(StackName="web", TemplateBody="{}", Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": "A", "ParameterValue": "1, 2"}], Tags=[]))
attempt("cfn modelled error", lambda: cfn.create_stack(StackName="taken", TemplateBody="{}"))
attempt("cfn pattern", lambda: cfn.create_stack(StackName="*@da591fa3_$", TemplateBody="{}"))
attempt("cfn two faults", lambda: cfn.create_stack(StackName="a_b", TemplateBody="{}", OnFailure="PANIC"))
attempt("cfn internal", lambda: cfn.create_stack(StackName="broken", TemplateBody="{}"))
attempt("cfn panic", lambda: cfn.create_stack(StackName="panicking", TemplateBody="{}"))
attempt("cfn nested", lambda: cfn.create_stack(StackName="nested", TemplateBody="{}"))
attempt("cfn empty", lambda: cfn.describe_stacks(), lambda r: r["Stacks"])
attempt("cfn absent", lambda: cfn.describe_stacks(StackName="nope"))
attempt("cfn not here", lambda: cfn.list_stack_sets())
attempt("cfn denied", lambda: cfn.delete_stack(StackName="web"))
attempt("sts", lambda: sts.get_caller_identity())
attempt("iam status", lambda: iam.get_user(UserName="bob"))
attempt("ssm put", lambda: ssm.put_parameter(Name="/a", Value="line\n\"é\"", Type="String"))
attempt("ssm get", lambda: ssm.get_parameter(Name="/a"), lambda r: {**r["Parameter"], "LastModifiedDate": r["Parameter"]["LastModifiedDate"].timestamp()})
attempt("ssm absent", lambda: ssm.get_parameter(Name="/b"))
attempt("ssm not here", lambda: ssm.describe_instance_information())
attempt("ssm bad enum", lambda: ssm.put_parameter(Name="/a", Value="x", Type="Wrong"))
attempt("ssm denied", lambda: ssm.delete_parameter(Name="/a"))
attempt("codedeploy create", lambda: deploy.create_application(applicationName="web"))
attempt("codedeploy empty", lambda: deploy.list_applications())
attempt("codedeploy own error", lambda: deploy.create_application(applicationName="web", computePlatform="Moon"))
attempt("s3 buckets", lambda: s3.list_buckets(), lambda r: [b["Name"] for b in r["Buckets"]])
attempt("s3 location", lambda: s3.get_bucket_location(Bucket="eu"))
attempt("s3 no location", lambda: s3.get_bucket_location(Bucket="us"))
key = "dir//a b+c/é.txt"
attempt("s3 put", lambda: s3.put_object(Bucket="b", Key=key, Body=b"some text", Metadata={"Colour": "Red"}))
attempt("s3 get", lambda: s3.get_object(Bucket="b", Key=key), lambda r: [r["Body"].read().decode(), r["Metadata"], r["ContentLength"], r["ResponseMetadata"]["HTTPStatusCode"]])
attempt("s3 range", lambda: s3.get_object(Bucket="b", Key=key, Range="bytes=0-0"), lambda r: r["ResponseMetadata"]["HTTPStatusCode"])
attempt("s3 head", lambda: s3.head_object(Bucket="b", Key=key), lambda r: r["ContentLength"])
attempt("s3 head absent", lambda: s3.head_object(Bucket="b", Key="absent"))
attempt("s3 get absent", lambda: s3.get_object(Bucket="b", Key="absent"))
attempt("s3 list", lambda: s3.list_objects_v2(Bucket="b", Prefix="dir"), lambda r: [o["Key"] for o in r["Contents"]])
attempt("s3 upload", lambda: s3.upload_fileobj(io.BytesIO(b"x" * 100000), "b", "big"))
attempt("s3 delete", lambda: s3.delete_objects(Bucket="b", Delete={"Objects": [{"Key": "big"}]}), lambda r: r["Deleted"])
attempt("s3 not here", lambda: s3.put_bucket_cors(Bucket="b", CORSConfiguration={"CORSRules": []}))
attempt("s3 denied", lambda: s3.delete_object(Bucket="b", Key="a"))
url = s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": key}, ExpiresIn=60)
attempt("s3 presigned", lambda: urllib.request.urlopen(url).read().decode())
