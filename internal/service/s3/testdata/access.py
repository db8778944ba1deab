"""Who may do what: other users, other accounts, nobody at all."""
import json
import urllib.error
import urllib.request

from botocore import UNSIGNED

from common import ENDPOINT, client, refused

root, nobody, foreign, anonymous = client(), client("AKIANONE"), client("AKIAELSE"), client(signature_version=UNSIGNED)
b = "access-bucket"
root.create_bucket(Bucket=b)
root.put_object(Bucket=b, Key="k", Body=b"x")

# without any permission: denied, HEAD as bare 403, and absent keys look like present ones
for c in [nobody, foreign, anonymous]:
    for key in ["k", "absent"]:
        with refused("AccessDenied", 403):
            c.get_object(Bucket=b, Key=key)
        with refused("403", 403):
            c.head_object(Bucket=b, Key=key)
    with refused("AccessDenied", 403):
        c.list_objects_v2(Bucket=b)
    with refused("403", 403):
        c.head_bucket(Bucket=b)
with refused("AccessDenied", 403, "User: arn:aws:iam::123456789012:user/nobody is not authorized to perform: s3:GetObject"
             ' on resource: arn:aws:s3:::access-bucket/k because no identity-based policy allows the s3:GetObject action'):
    nobody.get_object(Bucket=b, Key="k")
with refused("AccessDenied", 403):
    anonymous.list_buckets()
with refused("AccessDenied", 403):
    anonymous.create_bucket(Bucket="anonymous-bucket")
out = nobody.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "k"}]})
assert out["Errors"][0]["Code"] == "AccessDenied" and "s3:DeleteObject" in out["Errors"][0]["Message"], out
assert root.get_object(Bucket=b, Key="k")["Body"].read() == b"x"


def allow(principal, action, resource):
    root.put_bucket_policy(Bucket=b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}]}))


# the bucket's policy opens what it names, no more; an absent key stays hidden without s3:ListBucket
allow({"AWS": "arn:aws:iam::123456789012:user/nobody"}, "s3:GetObject", f"arn:aws:s3:::{b}/*")
assert nobody.get_object(Bucket=b, Key="k")["Body"].read() == b"x"
with refused("AccessDenied", 403, "s3:ListBucket"):
    nobody.get_object(Bucket=b, Key="absent")
with refused("AccessDenied", 403):
    nobody.put_object(Bucket=b, Key="k", Body=b"y")
allow({"AWS": "arn:aws:iam::123456789012:user/nobody"}, ["s3:GetObject", "s3:ListBucket"], [f"arn:aws:s3:::{b}/*", f"arn:aws:s3:::{b}"])
with refused("NoSuchKey", 404):
    nobody.get_object(Bucket=b, Key="absent")
with refused("404", 404):
    nobody.head_object(Bucket=b, Key="absent")
root.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/nobody"}, "Action": "s3:ListBucket",
     "Resource": f"arn:aws:s3:::{b}", "Condition": {"StringEquals": {"s3:prefix": "mine/"}}}]}))
nobody.list_objects_v2(Bucket=b, Prefix="mine/")
for prefix in ["", "other/"]:
    with refused("AccessDenied", 403):
        nobody.list_objects_v2(Bucket=b, Prefix=prefix)
root.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [
    {"Effect": "Deny", "Principal": {"AWS": "123456789012"}, "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{b}/*"}]}))
with refused("AccessDenied", 403, "with an explicit deny in a resource-based policy"):
    root.delete_object(Bucket=b, Key="k")
root.delete_bucket_policy(Bucket=b)

# another account
allow({"AWS": "210987654321"}, "s3:*", [f"arn:aws:s3:::{b}/*", f"arn:aws:s3:::{b}"])
foreign.put_object(Bucket=b, Key="theirs", Body=b"z")
assert root.get_object(Bucket=b, Key="theirs")["Body"].read() == b"z"
root.delete_bucket_policy(Bucket=b)
with refused("AccessDenied", 403):
    foreign.get_object(Bucket=b, Key="theirs")

# everybody, once public access is not blocked
root.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
allow("*", "s3:GetObject", f"arn:aws:s3:::{b}/*")
with refused("AccessDenied", 403):
    anonymous.get_object(Bucket=b, Key="k")
root.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={"RestrictPublicBuckets": False})
assert urllib.request.urlopen(f"{ENDPOINT}/{b}/k").read() == b"x"
with refused("InvalidRequest", 400):
    anonymous.get_object(Bucket=b, Key="k", ResponseContentType="text/html")
try:
    urllib.request.urlopen(f"{ENDPOINT}/{b}/absent")
    raise AssertionError("an absent key was found")
except urllib.error.HTTPError as e:
    assert e.code == 403 and b"<Code>AccessDenied</Code>" in e.read()

# the agent's bucket: everybody reads, nobody writes
agent = "aws-codedeploy-eu-west-1"
assert urllib.request.urlopen(f"{ENDPOINT}/{agent}/latest/install").read().startswith(b"#!/bin/sh")
for c in [root, anonymous]:
    assert c.get_object(Bucket=agent, Key="latest/install")["Body"].read().startswith(b"#!/bin/sh")
    assert [o["Key"] for o in c.list_objects_v2(Bucket=agent, Prefix="latest/")["Contents"]] == ["latest/LATEST_VERSION", "latest/install"]
    assert [p["Prefix"] for p in c.list_objects(Bucket=agent, Delimiter="/")["CommonPrefixes"]] == ["latest/"]
    with refused("NoSuchKey", 404):
        c.get_object(Bucket=agent, Key="latest/absent")
    with refused("AccessDenied", 403):
        c.put_object(Bucket=agent, Key="latest/install", Body=b"evil")
    with refused("AccessDenied", 403):
        c.delete_object(Bucket=agent, Key="latest/install")
    with refused("AccessDenied", 403):
        c.delete_bucket(Bucket=agent)
    assert c.get_bucket_location(Bucket=agent)["LocationConstraint"] == "eu-west-1"
with refused("AccessDenied", 403, "s3:GetObject"):
    nobody.get_object(Bucket=agent, Key="latest/install")
assert root.get_object(Bucket=agent, Key="latest/install", Range="bytes=2-4")["Body"].read() == b"/bi"
root.copy_object(Bucket=b, Key="install", CopySource={"Bucket": agent, "Key": "latest/install"})
assert root.get_object(Bucket=b, Key="install")["Body"].read() == b"#!/bin/sh\n"
assert agent not in [x["Name"] for x in root.list_buckets()["Buckets"]]
