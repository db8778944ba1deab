"""ACLs, ownership and the public access block, and what they do to authorization."""
import json

from botocore import UNSIGNED

from common import client, refused

s3, other, anonymous = client(), client("AKIAELSE"), client(signature_version=UNSIGNED)
me, them = s3.list_buckets()["Owner"]["ID"], other.list_buckets()["Owner"]["ID"]
ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTH = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"


def grants(acl):
    return sorted((g["Grantee"].get("ID") or g["Grantee"]["URI"], g["Permission"]) for g in acl["Grants"])


def open_bucket(name, ownership="ObjectWriter"):
    s3.create_bucket(Bucket=name, ObjectOwnership=ownership)
    s3.delete_public_access_block(Bucket=name)


# as buckets are since 2023: no ACLs, and what equals none passes
b = "new-bucket"
s3.create_bucket(Bucket=b)
assert grants(s3.get_bucket_acl(Bucket=b)) == [(me, "FULL_CONTROL")]
for acl in ["private", "public-read"]:
    with refused("AccessControlListNotSupported", 400, "The bucket does not allow ACLs"):
        s3.put_bucket_acl(Bucket=b, ACL=acl)
with refused("AccessControlListNotSupported", 400):
    s3.put_object(Bucket=b, Key="k", Body=b"x", ACL="public-read")
with refused("AccessControlListNotSupported", 400):
    s3.put_object(Bucket=b, Key="k", Body=b"x", GrantRead=f"id={them}")
s3.put_object(Bucket=b, Key="k", Body=b"x", ACL="bucket-owner-full-control")
with refused("AccessControlListNotSupported", 400):
    s3.put_object_acl(Bucket=b, Key="k", ACL="public-read")
s3.put_object_acl(Bucket=b, Key="k", ACL="bucket-owner-full-control")
assert grants(s3.get_object_acl(Bucket=b, Key="k")) == [(me, "FULL_CONTROL")]
with refused("InvalidBucketAclWithObjectOwnership", 400):
    s3.create_bucket(Bucket="nope-bucket", ACL="public-read")
with refused("InvalidBucketAclWithBlockPublicAccessError", 400):
    s3.create_bucket(Bucket="nope-bucket", ACL="public-read", ObjectOwnership="ObjectWriter")

# as they were before: every form of an ACL
b = "old-bucket"
open_bucket(b)
for acl, want in [
        ("private", [(me, "FULL_CONTROL")]), ("public-read", [(ALL, "READ"), (me, "FULL_CONTROL")]),
        ("public-read-write", [(ALL, "READ"), (ALL, "WRITE"), (me, "FULL_CONTROL")]),
        ("authenticated-read", [(AUTH, "READ"), (me, "FULL_CONTROL")])]:
    s3.put_bucket_acl(Bucket=b, ACL=acl)
    assert grants(s3.get_bucket_acl(Bucket=b)) == sorted(want), acl
s3.put_bucket_acl(Bucket=b, GrantRead=f'id="{them}", uri="{ALL}"', GrantFullControl=f"id={me}")
assert grants(s3.get_bucket_acl(Bucket=b)) == sorted([(them, "READ"), (ALL, "READ"), (me, "FULL_CONTROL")])
body = {"Owner": {"ID": me}, "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": them}, "Permission": "WRITE"}]}
s3.put_bucket_acl(Bucket=b, AccessControlPolicy=body)
assert grants(s3.get_bucket_acl(Bucket=b)) == [(them, "WRITE")]
assert s3.get_bucket_acl(Bucket=b)["Owner"]["ID"] == me
for bad, code in [
        (dict(ACL="loud"), "InvalidArgument"), (dict(ACL="private", GrantRead=f"id={me}"), "InvalidRequest"), (dict(GrantRead="id=12"), "InvalidArgument"),
        (dict(GrantRead="uri=http://example.com"), "InvalidArgument"), (dict(GrantRead="emailAddress=a@b.c"), "UnresolvableGrantByEmailAddress"),
        (dict(GrantRead="all"), "InvalidArgument"), (dict(), "MissingSecurityHeader"), (dict(ACL="private", AccessControlPolicy=body), "UnexpectedContent"),
        (dict(AccessControlPolicy={"Grants": []}), "MalformedACLError"), (dict(AccessControlPolicy={**body, "Owner": {"ID": them}}), "AccessDenied"),
        (dict(AccessControlPolicy={"Owner": {"ID": me}, "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": them}, "Permission": "OWN"}]}), "MalformedACLError")]:
    with refused(code):
        s3.put_bucket_acl(Bucket=b, **bad)
with refused("InvalidBucketAclWithObjectOwnership", 400):
    s3.put_bucket_ownership_controls(Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})

# what the bucket's ACL does
s3.put_object(Bucket=b, Key="mine", Body=b"mine")
other.put_object(Bucket=b, Key="theirs", Body=b"theirs")  # WRITE
with refused("AccessDenied", 403):
    other.list_objects_v2(Bucket=b)
with refused("AccessDenied", 403):
    anonymous.put_object(Bucket=b, Key="x", Body=b"x")
s3.put_bucket_acl(Bucket=b, ACL="public-read")
assert [o["Key"] for o in anonymous.list_objects_v2(Bucket=b)["Contents"]] == ["mine", "theirs"]
other.list_object_versions(Bucket=b)
with refused("AccessDenied", 403):
    anonymous.get_object(Bucket=b, Key="mine")
s3.put_bucket_acl(Bucket=b, ACL="authenticated-read")
other.list_objects_v2(Bucket=b)
with refused("AccessDenied", 403):
    anonymous.list_objects_v2(Bucket=b)
s3.put_bucket_acl(Bucket=b, GrantReadACP=f"id={them}", GrantWriteACP=f"id={them}")
other.get_bucket_acl(Bucket=b)
other.put_bucket_acl(Bucket=b, ACL="private")
with refused("AccessDenied", 403):
    other.get_bucket_acl(Bucket=b)

# who wrote an object owns it, and lets in whom he wants
assert grants(other.get_object_acl(Bucket=b, Key="theirs")) == [(them, "FULL_CONTROL")]
assert other.get_object(Bucket=b, Key="theirs")["Body"].read() == b"theirs"
for call in [lambda: s3.get_object(Bucket=b, Key="theirs"), lambda: s3.get_object_acl(Bucket=b, Key="theirs"), lambda: s3.get_object_tagging(Bucket=b, Key="theirs")]:
    with refused("AccessDenied", 403):
        call()
s3.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{b}/*"}]}))
assert anonymous.get_object(Bucket=b, Key="mine")["Body"].read() == b"mine"
with refused("AccessDenied", 403):
    anonymous.get_object(Bucket=b, Key="theirs")
s3.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{b}/*"}]}))
with refused("AccessDenied", 403, "with an explicit deny in a resource-based policy"):
    other.get_object(Bucket=b, Key="theirs")
s3.delete_bucket_policy(Bucket=b)
other.put_object_acl(Bucket=b, Key="theirs", ACL="bucket-owner-read")
assert s3.get_object(Bucket=b, Key="theirs")["Body"].read() == b"theirs"
other.put_object_acl(Bucket=b, Key="theirs", ACL="public-read")
assert anonymous.get_object(Bucket=b, Key="theirs")["Body"].read() == b"theirs"
s3.put_object_acl(Bucket=b, Key="mine", GrantFullControl=f"id={them}")
assert other.get_object(Bucket=b, Key="mine")["Body"].read() == b"mine"
with refused("AccessDenied", 403):
    anonymous.get_object(Bucket=b, Key="mine")
s3.put_object_acl(Bucket=b, Key="mine", ACL="authenticated-read")
other.get_object(Bucket=b, Key="mine")
with refused("AccessDenied", 403):
    anonymous.get_object(Bucket=b, Key="mine")
with refused("AccessDenied", 403):
    other.delete_object(Bucket=b, Key="mine")
with refused("NoSuchKey", 404):
    s3.put_object_acl(Bucket=b, Key="absent", ACL="private")

# a grant of writing reaches multipart uploads and copies
s3.put_object(Bucket=b, Key="shown", Body=b"x", GrantRead=f"uri={ALL}", GrantFullControl=f"id={me}")
assert grants(s3.get_object_acl(Bucket=b, Key="shown")) == sorted([(ALL, "READ"), (me, "FULL_CONTROL")])
s3.copy_object(Bucket=b, Key="copy", CopySource=f"{b}/shown")
assert grants(s3.get_object_acl(Bucket=b, Key="copy")) == [(me, "FULL_CONTROL")]
u = s3.create_multipart_upload(Bucket=b, Key="parts", ACL="public-read")["UploadId"]
p = s3.upload_part(Bucket=b, Key="parts", UploadId=u, PartNumber=1, Body=b"part")
s3.complete_multipart_upload(Bucket=b, Key="parts", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": p["ETag"]}]})
assert anonymous.get_object(Bucket=b, Key="parts")["Body"].read() == b"part"

# a deleted marker of ownership: enforcing the owner silences all of that
s3.put_bucket_acl(Bucket=b, ACL="private")
s3.put_bucket_ownership_controls(Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
assert s3.get_object(Bucket=b, Key="theirs")["Body"].read() == b"theirs"
with refused("AccessDenied", 403):
    anonymous.get_object(Bucket=b, Key="parts")
with refused("AccessDenied", 403):
    other.get_object(Bucket=b, Key="theirs")

# the owner preferred: who grants him all gives the object away
b = "preferred-bucket"
open_bucket(b, "BucketOwnerPreferred")
s3.put_bucket_acl(Bucket=b, GrantWrite=f"id={them}", GrantRead=f"id={them}")
other.put_object(Bucket=b, Key="given", Body=b"x", ACL="bucket-owner-full-control")
other.put_object(Bucket=b, Key="kept", Body=b"x")
assert s3.get_object_acl(Bucket=b, Key="given")["Owner"]["ID"] == me
owners = {o["Key"]: o["Owner"]["ID"] for o in s3.list_objects_v2(Bucket=b, FetchOwner=True)["Contents"]}
assert owners == {"given": me, "kept": them}, owners

# the public access block
b = "blocked-bucket"
open_bucket(b)
s3.put_object(Bucket=b, Key="k", Body=b"x", ACL="public-read")


def block(**what):
    s3.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration=what)


block(BlockPublicAcls=True)
for call in [lambda: s3.put_object(Bucket=b, Key="z", Body=b"x", ACL="public-read"), lambda: s3.put_bucket_acl(Bucket=b, ACL="public-read"),
             lambda: s3.put_object_acl(Bucket=b, Key="k", ACL="authenticated-read"), lambda: s3.put_object(Bucket=b, Key="z", Body=b"x", GrantRead=f"uri={ALL}"),
             lambda: s3.create_multipart_upload(Bucket=b, Key="z", ACL="public-read"), lambda: s3.copy_object(Bucket=b, Key="z", CopySource=f"{b}/k", ACL="public-read")]:
    with refused("AccessDenied", 403):
        call()
s3.put_object_acl(Bucket=b, Key="k", GrantRead=f"id={them}", GrantFullControl=f"id={me}")
block()
s3.put_object_acl(Bucket=b, Key="k", ACL="public-read")
assert anonymous.get_object(Bucket=b, Key="k")["Body"].read() == b"x"
block(IgnorePublicAcls=True)
with refused("AccessDenied", 403):
    anonymous.get_object(Bucket=b, Key="k")
assert (ALL, "READ") in grants(s3.get_object_acl(Bucket=b, Key="k"))
block(BlockPublicPolicy=True)
public = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{b}/*"}]})
with refused("AccessDenied", 403):
    s3.put_bucket_policy(Bucket=b, Policy=public)
block()
s3.put_object_acl(Bucket=b, Key="k", ACL="private")
s3.put_bucket_policy(Bucket=b, Policy=public)
assert s3.get_bucket_policy_status(Bucket=b)["PolicyStatus"]["IsPublic"] is True
assert anonymous.get_object(Bucket=b, Key="k")["Body"].read() == b"x"
block(RestrictPublicBuckets=True)
for who in [anonymous, other]:
    with refused("AccessDenied", 403):
        who.get_object(Bucket=b, Key="k")
s3.get_object(Bucket=b, Key="k")
