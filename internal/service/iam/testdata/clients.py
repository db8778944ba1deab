"""Drives IAM and STS with boto3 against a running server: arguments endpoint, root key id, root secret.

Prints one line per fact; the Go test compares them with testdata/clients.golden.
"""
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, KEY, SECRET = sys.argv[1:4]


def clients(key, secret, token=None):
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, region_name="us-east-1")
    options = {"endpoint_url": ENDPOINT, "config": Config(retries={"max_attempts": 1})}
    return session.client("iam", **options), session.client("sts", **options)


def say(*words):
    print(*words)


def refused(call, **kwargs):
    try:
        call(**kwargs)
    except ClientError as e:
        say(e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"], e.response["Error"]["Message"])
    else:
        say("not refused")


def allow(action, resource="*"):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})


iam, sts = clients(KEY, SECRET)
me = sts.get_caller_identity()
say(me["Account"], me["Arn"], me["UserId"])

iam.create_user(UserName="ann", Path="/team/", Tags=[{"Key": "Team", "Value": "blue"}])
iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow(["iam:GetUser", "iam:ListUsers", "sts:AssumeRole"]))
say(iam.get_user_policy(UserName="ann", PolicyName="own")["PolicyDocument"]["Statement"][0]["Effect"])
say(iam.list_user_policies(UserName="ann")["PolicyNames"], iam.list_user_tags(UserName="ann")["Tags"])
key = iam.create_access_key(UserName="ann")["AccessKey"]
ann, ann_sts = clients(key["AccessKeyId"], key["SecretAccessKey"])
say(ann_sts.get_caller_identity()["Arn"], ann.get_user()["User"]["Path"])
say([u["UserName"] for u in ann.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1}).build_full_result()["Users"]])
refused(ann.create_user, UserName="bob")
refused(ann.delete_user, UserName="none")

trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": me["Account"]}, "Action": "sts:AssumeRole"},
                                                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
role = iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps(trust), Description="a b & <c>")["Role"]
say(role["Arn"], iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"] == trust, iam.get_role(RoleName="web")["Role"]["Description"])
iam.attach_role_policy(RoleName="web", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
say([p["PolicyName"] for p in iam.list_attached_role_policies(RoleName="web")["AttachedPolicies"]])
iam.create_instance_profile(InstanceProfileName="web")
iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
say(iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="web"))
say([r["RoleName"] for r in iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Roles"]])
say([p["InstanceProfileName"] for p in iam.list_instance_profiles_for_role(RoleName="web")["InstanceProfiles"]])
refused(iam.delete_role, RoleName="web")

policy = iam.create_policy(PolicyName="own", PolicyDocument=allow("iam:ListRoles"))["Policy"]
say(policy["Arn"], policy["DefaultVersionId"], policy["AttachmentCount"])
iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=allow("iam:ListGroups"), SetAsDefault=True)
say([(v["VersionId"], v["IsDefaultVersion"]) for v in iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]])
say(iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v2")["PolicyVersion"]["Document"]["Statement"][0]["Action"])
iam.create_group(GroupName="admins")
iam.attach_group_policy(GroupName="admins", PolicyArn=policy["Arn"])
iam.add_user_to_group(GroupName="admins", UserName="ann")
say(ann.list_groups()["Groups"][0]["GroupName"], [u["UserName"] for u in iam.get_group(GroupName="admins")["Users"]])
managed = [p["PolicyName"] for page in iam.get_paginator("list_policies").paginate(Scope="AWS") for p in page["Policies"]]
say("AmazonS3ReadOnlyAccess" in managed, len(managed) > 100, [p["PolicyName"] for p in iam.list_policies(Scope="Local", OnlyAttached=True)["Policies"]])
say(iam.list_entities_for_policy(PolicyArn=policy["Arn"])["PolicyGroups"][0]["GroupName"])
say({k: v for k, v in iam.get_account_summary()["SummaryMap"].items() if k in ("Users", "Roles", "Groups", "Policies", "InstanceProfiles")})

session = ann_sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Policy=allow("s3:GetObject"))
say(session["AssumedRoleUser"]["Arn"], session["PackedPolicySize"] > 0)
c = session["Credentials"]
as_role, as_role_sts = clients(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
say(as_role_sts.get_caller_identity()["Arn"])
refused(as_role.list_users)
_, forged = clients(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"][:-8] + "AAAAAAA=")
refused(forged.get_caller_identity)
_, missing = clients(c["AccessKeyId"], c["SecretAccessKey"])
refused(missing.get_caller_identity)
own = ann_sts.get_session_token()["Credentials"]
say(clients(own["AccessKeyId"], own["SecretAccessKey"], own["SessionToken"])[1].get_caller_identity()["Arn"])
say(sts.get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"])

iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
refused(ann_sts.get_caller_identity)
_, wrong = clients(KEY, SECRET + "x")
refused(wrong.get_caller_identity)
refused(iam.get_login_profile, UserName="ann")
refused(iam.create_role, RoleName="bad", AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}')

fed = sts.get_federation_token(Name="fred", Policy=allow("s3:GetObject"), DurationSeconds=900)
say(fed["FederatedUser"]["Arn"], fed["FederatedUser"]["FederatedUserId"], fed["PackedPolicySize"] > 0)
c = fed["Credentials"]
as_fred, as_fred_sts = clients(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
say(as_fred_sts.get_caller_identity()["Arn"], as_fred_sts.get_caller_identity()["UserId"])
refused(as_fred.list_users)
refused(sts.assume_role_with_web_identity, RoleArn=role["Arn"], RoleSessionName="s1", WebIdentityToken="nothing")
refused(sts.decode_authorization_message, EncodedMessage="nothing")

# What the account has, told in other ways.
issuer = iam.create_open_id_connect_provider(Url="https://issuer.example/ci", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["A" * 40])["OpenIDConnectProviderArn"]
provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=issuer)
say(issuer, provider["Url"], provider["ClientIDList"], provider["ThumbprintList"] == ["a" * 40])
refused(iam.create_open_id_connect_provider, Url="https://issuer.example/ci")
linked = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")["Role"]
say(linked["Arn"], linked["AssumeRolePolicyDocument"]["Statement"][0]["Principal"])
refused(iam.create_service_linked_role, AWSServiceName="autoscaling.amazonaws.com")
refused(iam.delete_role, RoleName=linked["RoleName"])
task = iam.delete_service_linked_role(RoleName=linked["RoleName"])["DeletionTaskId"]
say(task.rsplit("/", 1)[0], iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"])
used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
say(used["UserName"], used["AccessKeyLastUsed"]["ServiceName"], used["AccessKeyLastUsed"]["Region"])
say("LastUsedDate" in iam.get_role(RoleName="web")["Role"]["RoleLastUsed"])
refused(iam.get_credential_report)
say(iam.generate_credential_report()["State"], iam.generate_credential_report()["State"])
for line in iam.get_credential_report()["Content"].decode().splitlines():
    say(len(line.split(",")), line.split(",")[0], line.split(",")[8])
details = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2}).build_full_result()
say([u["UserName"] for u in details["UserDetailList"]], [r["RoleName"] for r in details["RoleDetailList"]], sorted(p["PolicyName"] for p in details["Policies"]))
say(details["RoleDetailList"][0]["InstanceProfileList"][0]["InstanceProfileName"], details["UserDetailList"][0]["UserPolicyList"][0]["PolicyDocument"]["Statement"][0]["Effect"])
say(iam.list_mfa_devices(UserName="ann")["MFADevices"], iam.list_ssh_public_keys(UserName="ann")["SSHPublicKeys"], iam.list_signing_certificates(UserName="ann")["Certificates"])
refused(iam.list_mfa_devices, UserName="none")
refused(iam.get_account_password_policy)
refused(iam.create_login_profile, UserName="ann", Password="x")
