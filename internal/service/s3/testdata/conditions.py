"""The condition keys of S3, each allowing one form of a request and not another."""
import datetime
import json
import urllib.error
import urllib.request

from common import client, refused

root, nobody = client(), client("AKIANONE")
v4 = client("AKIANONE", signature_version="s3v4")
v2 = client("AKIANONE", signature_version="s3")
b = "conditions-bucket"
root.create_bucket(Bucket=b, ObjectLockEnabledForBucket=True, ObjectOwnership="ObjectWriter")
version = root.put_object(Bucket=b, Key="k", Body=b"x", Tagging="team=red")["VersionId"]
soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=5)


def allow(actions, operator, key, value):
    root.put_bucket_policy(Bucket=b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/nobody"}, "Action": actions,
         "Resource": [f"arn:aws:s3:::{b}", f"arn:aws:s3:::{b}/*"], "Condition": {operator: {key: value}}}]}))


def fetch(c, expires=60):
    url = c.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "k"}, ExpiresIn=expires)
    return urllib.request.urlopen(url).read()


def denied(call):
    try:
        with refused("AccessDenied", 403):
            call()
    except urllib.error.HTTPError as e:
        assert e.code == 403 and b"AccessDenied" in e.read(), e


def get(c=nobody, **more):
    return c.get_object(Bucket=b, Key="k", **more)


def put(**more):
    return nobody.put_object(Bucket=b, Key="new", Body=b"x", **more)


WRITE = ["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging", "s3:PutObjectRetention", "s3:PutObjectLegalHold"]
for actions, operator, key, value, good, bad in [
        ("s3:GetObject", "StringEquals", "s3:authType", "REST-QUERY-STRING", lambda: fetch(v4), get),
        ("s3:GetObject", "StringEquals", "s3:authType", "REST-HEADER", get, lambda: fetch(v4)),
        ("s3:GetObject", "StringEquals", "s3:signatureversion", "AWS4-HMAC-SHA256", lambda: fetch(v4), lambda: fetch(v2)),
        ("s3:GetObject", "NumericLessThan", "s3:signatureAge", "600000", lambda: fetch(v4), lambda: fetch(v2)),
        ("s3:GetObject", "StringEquals", "s3:ExistingObjectTag/team", "red", get, lambda: nobody.get_object(Bucket=b, Key="none")),
        ("s3:GetObjectVersion", "StringEquals", "s3:VersionId", version, lambda: get(VersionId=version), lambda: get(VersionId="null")),
        (WRITE, "StringEquals", "s3:x-amz-acl", "bucket-owner-full-control", lambda: put(ACL="bucket-owner-full-control"), put),
        (WRITE, "StringLike", "s3:x-amz-grant-read", "id=*", lambda: put(GrantRead="id=" + "a" * 64), put),
        (WRITE, "StringEquals", "s3:x-amz-server-side-encryption", "AES256", lambda: put(ServerSideEncryption="AES256"), put),
        (WRITE, "StringEquals", "s3:x-amz-server-side-encryption-customer-algorithm", "AES256",
         lambda: put(SSECustomerAlgorithm="AES256", SSECustomerKey=b"k" * 32), put),
        (WRITE, "StringEquals", "s3:x-amz-storage-class", "STANDARD_IA", lambda: put(StorageClass="STANDARD_IA"), put),
        (WRITE, "StringEquals", "s3:RequestObjectTag/team", "red", lambda: put(Tagging="team=red"), lambda: put(Tagging="team=blue")),
        (WRITE, "StringEquals", "s3:object-lock-mode", "GOVERNANCE", lambda: put(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=soon),
         lambda: put(ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=soon)),
        (WRITE, "NumericLessThan", "s3:object-lock-remaining-retention-days", "7", lambda: put(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=soon),
         lambda: put(ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=soon + datetime.timedelta(days=9))),
        (WRITE, "StringEquals", "s3:object-lock-legal-hold", "ON", lambda: put(ObjectLockLegalHoldStatus="ON"), put),
        (WRITE, "Null", "s3:if-none-match", "false", lambda: nobody.put_object(Bucket=b, Key="once", Body=b"x", IfNoneMatch="*"), put),
        ("s3:ListBucket", "StringEquals", "s3:prefix", "a/", lambda: nobody.list_objects_v2(Bucket=b, Prefix="a/"), lambda: nobody.list_objects_v2(Bucket=b)),
        ("s3:ListBucket", "NumericLessThanEquals", "s3:max-keys", "10", lambda: nobody.list_objects(Bucket=b, MaxKeys=10), lambda: nobody.list_objects(Bucket=b, MaxKeys=11)),
        ("s3:ListBucketVersions", "StringEquals", "s3:delimiter", "/", lambda: nobody.list_object_versions(Bucket=b, Delimiter="/"),
         lambda: nobody.list_object_versions(Bucket=b))]:
    allow(actions, operator, key, value)
    try:
        good()
        denied(bad)
    except BaseException:
        print(key)
        raise
