"""What boto3 does with EC2, from a launch to a clean account. Prints one line of JSON per step."""
import json, sys
import boto3, botocore
from botocore.config import Config

ec2 = boto3.client(
    "ec2", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", config=Config(retries={"max_attempts": 0}))


def show(name, value):
    print(json.dumps({name: value}, default=str, sort_keys=True))


def refused(name, call):
    try:
        call()
    except botocore.exceptions.ClientError as e:
        show(name, e.response["Error"])
    else:
        raise SystemExit(name + " was not refused")


def wait(waiter, **args):
    ec2.get_waiter(waiter).wait(WaiterConfig={"Delay": 1, "MaxAttempts": 20}, **args)


key = ec2.create_key_pair(KeyName="deploy", KeyType="ed25519", TagSpecifications=[{"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "b"}]}])
show("key", [key["KeyMaterial"][:35], key["Tags"]])
group = ec2.create_security_group(GroupName="web", Description="web servers")["GroupId"]
rules = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
    {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}]},
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": group}]}])["SecurityGroupRules"]
show("rules", [[r["IpProtocol"], r["FromPort"], r.get("CidrIpv4"), "ReferencedGroupInfo" in r, r["IsEgress"]] for r in rules])

run = dict(ImageId="ami-0123456789abcdef0", InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName="deploy", SecurityGroupIds=[group],
           UserData="#!/bin/sh\necho é\n", IamInstanceProfile={"Name": "web"}, ClientToken="once",
           TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}])
refused("dry run", lambda: ec2.run_instances(DryRun=True, **run))
launched = ec2.run_instances(**run)["Instances"][0]
i = launched["InstanceId"]
show("launched", [launched["State"], launched["StateReason"], launched["ClientToken"]])
show("again", ec2.run_instances(**run)["Instances"][0]["InstanceId"] == i)
wait("instance_exists", InstanceIds=[i])
wait("instance_running", InstanceIds=[i])
wait("instance_status_ok", InstanceIds=[i])

one = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["w*"]}, {"Name": "instance-state-name", "Values": ["running"]}])["Reservations"][0]["Instances"][0]
show("running", [one["State"], one["PublicIpAddress"], one["PublicDnsName"], one["PrivateIpAddress"], one["Placement"]["AvailabilityZone"],
                 one["SecurityGroups"][0]["GroupName"], one["IamInstanceProfile"]["Arn"], one["LaunchTime"], one["Tags"], one["MetadataOptions"]])
show("user data", ec2.describe_instance_attribute(InstanceId=i, Attribute="userData")["UserData"])
show("console", ec2.get_console_output(InstanceId=i)["Output"].replace(i, "I"))
ec2.create_tags(Resources=[i, group], Tags=[{"Key": "Stage", "Value": ""}])
show("tags", sorted([t["ResourceType"], t["Key"], t["Value"]] for p in ec2.get_paginator("describe_tags").paginate(Filters=[{"Name": "key", "Values": ["Stage"]}]) for t in p["Tags"]))
show("volume", [[v["Size"], v["VolumeType"], v["State"]] for v in ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [i]}])["Volumes"]])
show("zones", len(ec2.describe_availability_zones()["AvailabilityZones"]))
show("vpc", [[v["CidrBlock"], v["IsDefault"]] for v in ec2.describe_vpcs()["Vpcs"]])
show("type", [t["MemoryInfo"] for t in ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"]])

eip = ec2.allocate_address(Domain="vpc")
link = ec2.associate_address(AllocationId=eip["AllocationId"], InstanceId=i)["AssociationId"]
show("address", ec2.describe_instances(InstanceIds=[i])["Reservations"][0]["Instances"][0]["PublicIpAddress"] == eip["PublicIp"])
ec2.modify_instance_attribute(InstanceId=i, DisableApiTermination={"Value": True})
refused("protected", lambda: ec2.terminate_instances(InstanceIds=[i]))
ec2.modify_instance_attribute(InstanceId=i, DisableApiTermination={"Value": False})

ec2.reboot_instances(InstanceIds=[i])
ec2.stop_instances(InstanceIds=[i])
wait("instance_stopped", InstanceIds=[i])
ec2.modify_instance_attribute(InstanceId=i, UserData={"Value": b"#!/bin/sh\n"})
ec2.modify_instance_attribute(InstanceId=i, InstanceType={"Value": "t3.small"})
ec2.start_instances(InstanceIds=[i])
wait("instance_running", InstanceIds=[i])
ec2.disassociate_address(AssociationId=link)
ec2.release_address(AllocationId=eip["AllocationId"])
refused("in use", lambda: ec2.delete_security_group(GroupId=group))
show("terminating", ec2.terminate_instances(InstanceIds=[i])["TerminatingInstances"][0]["PreviousState"])
wait("instance_terminated", InstanceIds=[i])
show("reason", ec2.describe_instances(InstanceIds=[i])["Reservations"][0]["Instances"][0]["StateReason"])
ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[r["SecurityGroupRuleId"] for r in rules])
ec2.delete_security_group(GroupId=group)
ec2.delete_key_pair(KeyName="deploy")
refused("gone", lambda: ec2.describe_key_pairs(KeyNames=["deploy"]))
refused("malformed", lambda: ec2.describe_instances(InstanceIds=["nonsense"]))
refused("not built", lambda: ec2.describe_spot_price_history())
