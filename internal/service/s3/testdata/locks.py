"""Object lock: retention in both modes, legal holds, defaults, and who may lift what."""
import datetime
import json

from common import client, refused

s3, nobody = client(), client("AKIANONE")
b, plain = "lock-bucket", "plain-bucket"
now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def days(n):
    return now + datetime.timedelta(days=n)


s3.create_bucket(Bucket=b, ObjectLockEnabledForBucket=True)
s3.create_bucket(Bucket=plain)
assert s3.get_bucket_versioning(Bucket=b)["Status"] == "Enabled"
assert s3.get_object_lock_configuration(Bucket=b)["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
with refused("InvalidBucketState", 409):
    s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Suspended"})

# a bucket without it
with refused("ObjectLockConfigurationNotFoundError", 404):
    s3.get_object_lock_configuration(Bucket=plain)
with refused("InvalidBucketState", 409):
    s3.put_object_lock_configuration(Bucket=plain, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
s3.put_object(Bucket=plain, Key="k", Body=b"x")
for call in [lambda: s3.get_object_retention(Bucket=plain, Key="k"), lambda: s3.get_object_legal_hold(Bucket=plain, Key="k"),
             lambda: s3.put_object_retention(Bucket=plain, Key="k", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": days(1)}),
             lambda: s3.put_object_legal_hold(Bucket=plain, Key="k", LegalHold={"Status": "ON"}),
             lambda: s3.put_object(Bucket=plain, Key="k", Body=b"x", ObjectLockLegalHoldStatus="ON")]:
    with refused("InvalidRequest", 400, "Bucket is missing Object Lock Configuration"):
        call()
with refused("InvalidArgument", 400, "only applicable to Object Lock enabled buckets"):
    s3.delete_object(Bucket=plain, Key="k", BypassGovernanceRetention=True)
s3.put_bucket_versioning(Bucket=plain, VersioningConfiguration={"Status": "Enabled"})
s3.put_object_lock_configuration(Bucket=plain, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})

# configurations
for bad, code in [
        ({}, "MalformedXML"), ({"ObjectLockEnabled": "Disabled"}, "MalformedXML"), ({"ObjectLockEnabled": "Enabled", "Rule": {}}, "MalformedXML"),
        ({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE"}}}, "MalformedXML"),
        ({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1, "Years": 1}}}, "MalformedXML"),
        ({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "governance", "Days": 1}}}, "MalformedXML"),
        ({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 0}}}, "InvalidArgument"),
        ({"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Years": 101}}}, "InvalidArgument")]:
    with refused(code, 400):
        s3.put_object_lock_configuration(Bucket=b, ObjectLockConfiguration=bad)

# retention
v = s3.put_object(Bucket=b, Key="k", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=days(10))["VersionId"]
h = s3.head_object(Bucket=b, Key="k")
assert (h["ObjectLockMode"], h["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", days(10)), h
assert s3.get_object_retention(Bucket=b, Key="k")["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": days(10)}
with refused("AccessDenied", 403, "object protected by object lock"):
    s3.delete_object(Bucket=b, Key="k", VersionId=v)
out = s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "k", "VersionId": v}]})
assert out["Errors"][0]["Code"] == "AccessDenied", out
assert s3.delete_object(Bucket=b, Key="k")["DeleteMarker"]  # a marker covers, it does not delete


def retain(version, mode=None, until=None, **more):
    r = {}
    if mode:
        r["Mode"] = mode
    if until:
        r["RetainUntilDate"] = until
    s3.put_object_retention(Bucket=b, Key="k", VersionId=version, Retention=r, **more)


retain(v, "GOVERNANCE", days(20))
for args in [("GOVERNANCE", days(5)), ("COMPLIANCE", days(30)), ()]:
    with refused("AccessDenied", 403):
        retain(v, *args)
retain(v, "GOVERNANCE", days(5), BypassGovernanceRetention=True)
for bad, code in [(("GOVERNANCE", days(-1)), "InvalidArgument"), (("GOVERNANCE",), "MalformedXML"), ((None, days(3)), "MalformedXML"), (("abc", days(3)), "MalformedXML")]:
    with refused(code, 400):
        retain(v, *bad)
# bypass needs its permission
s3.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/nobody"}, "Resource": f"arn:aws:s3:::{b}/*",
     "Action": ["s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObjectRetention"]}]}))
with refused("AccessDenied", 403, "s3:BypassGovernanceRetention"):
    nobody.delete_object(Bucket=b, Key="k", VersionId=v, BypassGovernanceRetention=True)
assert "ObjectLockMode" not in nobody.head_object(Bucket=b, Key="k", VersionId=v)
s3.delete_object(Bucket=b, Key="k", VersionId=v, BypassGovernanceRetention=True)

v = s3.put_object(Bucket=b, Key="k", Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=days(1))["VersionId"]
for more in [{}, {"BypassGovernanceRetention": True}]:
    with refused("AccessDenied", 403):
        s3.delete_object(Bucket=b, Key="k", VersionId=v, **more)
    with refused("AccessDenied", 403):
        retain(v, "GOVERNANCE", days(9), **more)
retain(v, "COMPLIANCE", days(2))

# writes that ask wrongly
for bad, code in [
        (dict(ObjectLockMode="GOVERNANCE"), "InvalidArgument"), (dict(ObjectLockRetainUntilDate=days(1)), "InvalidArgument"),
        (dict(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=days(-1)), "InvalidArgument"), (dict(ObjectLockLegalHoldStatus="on"), "InvalidArgument"),
        (dict(ObjectLockMode="abc", ObjectLockRetainUntilDate=days(1)), "InvalidArgument")]:
    with refused(code, 400):
        s3.put_object(Bucket=b, Key="bad", Body=b"x", **bad)
with refused("InvalidRequest", 400, "Content-MD5 OR x-amz-checksum-"):
    client(request_checksum_calculation="when_required").put_object(Bucket=b, Key="bad", Body=b"x", ObjectLockLegalHoldStatus="ON")

# legal hold
v = s3.put_object(Bucket=b, Key="held", Body=b"x")["VersionId"]
for call in [s3.get_object_legal_hold, s3.get_object_retention]:
    with refused("NoSuchObjectLockConfiguration", 404):
        call(Bucket=b, Key="held")
s3.put_object_legal_hold(Bucket=b, Key="held", LegalHold={"Status": "ON"})
assert s3.head_object(Bucket=b, Key="held")["ObjectLockLegalHoldStatus"] == "ON"
with refused("AccessDenied", 403):
    s3.delete_object(Bucket=b, Key="held", VersionId=v, BypassGovernanceRetention=True)
with refused("MalformedXML", 400):
    s3.put_object_legal_hold(Bucket=b, Key="held", LegalHold={"Status": "abc"})
s3.put_object_legal_hold(Bucket=b, Key="held", LegalHold={"Status": "OFF"})
assert s3.get_object_legal_hold(Bucket=b, Key="held")["LegalHold"]["Status"] == "OFF"
s3.delete_object(Bucket=b, Key="held", VersionId=v)
marker = s3.delete_object(Bucket=b, Key="held")["VersionId"]
with refused("MethodNotAllowed", 405):
    s3.get_object_retention(Bucket=b, Key="held", VersionId=marker)

# the default is that of what brings none: puts, multipart uploads and copies
s3.put_object_lock_configuration(Bucket=b, ObjectLockConfiguration={
    "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}})
s3.put_object(Bucket=b, Key="default", Body=b"x")
s3.copy_object(Bucket=b, Key="copied", CopySource=f"{b}/default")
u = s3.create_multipart_upload(Bucket=b, Key="parts", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=days(1))["UploadId"]
p = s3.upload_part(Bucket=b, Key="parts", UploadId=u, PartNumber=1, Body=b"part")
s3.complete_multipart_upload(Bucket=b, Key="parts", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": p["ETag"]}]})
assert s3.head_object(Bucket=b, Key="parts")["ObjectLockMode"] == "COMPLIANCE"
for key in ["default", "copied"]:
    h = s3.head_object(Bucket=b, Key=key)
    assert h["ObjectLockMode"] == "GOVERNANCE" and abs(h["ObjectLockRetainUntilDate"] - days(3)) < datetime.timedelta(minutes=2), h
