"""Buckets and their settings."""
import json

from common import client, refused

s3 = client()
s3.create_bucket(Bucket="first-bucket")
s3.create_bucket(Bucket="first-bucket")  # us-east-1: one's own again is no error
assert s3.get_bucket_location(Bucket="first-bucket")["LocationConstraint"] is None
s3.create_bucket(Bucket="in.europe", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
assert s3.get_bucket_location(Bucket="in.europe")["LocationConstraint"] == "eu-west-1"
assert s3.head_bucket(Bucket="in.europe")["BucketRegion"] == "eu-west-1"

west = client(region="us-west-2")
with refused("IllegalLocationConstraintException", 400):
    west.create_bucket(Bucket="nowhere-bucket")
with refused("IllegalLocationConstraintException", 400):
    west.create_bucket(Bucket="nowhere-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
west.create_bucket(Bucket="western-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
with refused("BucketAlreadyOwnedByYou", 409):
    west.create_bucket(Bucket="western-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
with refused("BucketAlreadyExists", 409):
    client("AKIAELSE").create_bucket(Bucket="first-bucket")
with refused("BucketAlreadyExists", 409):
    s3.create_bucket(Bucket="aws-codedeploy-eu-west-1")
for bad in ["Upper", "under_score", "192.168.1.1", "two..dots", "-first", "last-", "xn--bucket", "name-s3alias", "ab"]:
    with refused("InvalidBucketName", 400):
        client(parameter_validation=False).create_bucket(Bucket=bad)
with refused("InvalidBucketAclWithObjectOwnership", 400):
    s3.create_bucket(Bucket="public-bucket", ACL="public-read")

out = s3.list_buckets()
assert [b["Name"] for b in out["Buckets"]] == ["first-bucket", "in.europe", "western-bucket"], out
assert len(out["Owner"]["ID"]) == 64
page = s3.list_buckets(MaxBuckets=2)
assert len(page["Buckets"]) == 2
rest = s3.list_buckets(MaxBuckets=2, ContinuationToken=page["ContinuationToken"])
assert [b["Name"] for b in rest["Buckets"]] == ["western-bucket"] and "ContinuationToken" not in rest
assert client("AKIAELSE").list_buckets()["Buckets"] == []

with refused("NoSuchBucket", 404):
    s3.list_objects_v2(Bucket="absent-bucket")
with refused("404", 404):
    s3.head_bucket(Bucket="absent-bucket")
with refused("NoSuchBucket", 404):
    s3.put_object(Bucket="absent-bucket", Key="k", Body=b"x")

# settings
b = "first-bucket"
with refused("NoSuchTagSet", 404):
    s3.get_bucket_tagging(Bucket=b)
s3.put_bucket_tagging(Bucket=b, Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]})
assert s3.get_bucket_tagging(Bucket=b)["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
with refused("InvalidTag", 400):
    s3.put_bucket_tagging(Bucket=b, Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]})
with refused("InvalidTag", 400):
    s3.put_bucket_tagging(Bucket=b, Tagging={"TagSet": [{"Key": "aws:mine", "Value": "1"}]})
s3.delete_bucket_tagging(Bucket=b)
with refused("NoSuchTagSet", 404):
    s3.get_bucket_tagging(Bucket=b)

assert s3.get_public_access_block(Bucket=b)["PublicAccessBlockConfiguration"] == {
    "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
own = s3.get_bucket_ownership_controls(Bucket=b)["OwnershipControls"]["Rules"]
assert own == [{"ObjectOwnership": "BucketOwnerEnforced"}], own
s3.put_bucket_ownership_controls(Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
s3.delete_bucket_ownership_controls(Bucket=b)
with refused("OwnershipControlsNotFoundError", 404):
    s3.get_bucket_ownership_controls(Bucket=b)
enc = s3.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]["Rules"][0]
assert enc["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={"Rules": [
    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]})
assert s3.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]["Rules"][0]["BucketKeyEnabled"]
with refused("NotImplemented", 501):
    s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "1234abcd-12ab-34cd-56ef-1234567890ab"}}]})
s3.delete_bucket_encryption(Bucket=b)
assert "Status" not in s3.get_bucket_versioning(Bucket=b)
acl = s3.get_bucket_acl(Bucket=b)
assert [g["Permission"] for g in acl["Grants"]] == ["FULL_CONTROL"] and acl["Grants"][0]["Grantee"]["ID"] == acl["Owner"]["ID"]
with refused("NotImplemented", 501, "PutBucketVersioning"):
    s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"})

# policies
with refused("NoSuchBucketPolicy", 404):
    s3.get_bucket_policy(Bucket=b)
with refused("MalformedPolicy", 400):
    s3.put_bucket_policy(Bucket=b, Policy='{"Statement": []')
with refused("MalformedPolicy", 400):
    s3.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other-bucket/*"}]}))
public = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{b}/*"}]})
with refused("AccessDenied", 403, "BlockPublicPolicy"):
    s3.put_bucket_policy(Bucket=b, Policy=public)
s3.delete_public_access_block(Bucket=b)
with refused("NoSuchPublicAccessBlockConfiguration", 404):
    s3.get_public_access_block(Bucket=b)
s3.put_bucket_policy(Bucket=b, Policy=public)
assert s3.get_bucket_policy(Bucket=b)["Policy"] == public
assert s3.get_bucket_policy_status(Bucket=b)["PolicyStatus"]["IsPublic"] is True
s3.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{b}/*",
     "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}]}))
assert s3.get_bucket_policy_status(Bucket=b)["PolicyStatus"]["IsPublic"] is False
s3.delete_bucket_policy(Bucket=b)
s3.delete_bucket_policy(Bucket=b)

# deletion
s3.put_object(Bucket=b, Key="k", Body=b"x")
with refused("BucketNotEmpty", 409):
    s3.delete_bucket(Bucket=b)
s3.delete_object(Bucket=b, Key="k")
s3.create_multipart_upload(Bucket=b, Key="never-completed")
s3.delete_bucket(Bucket=b)
with refused("NoSuchBucket", 404):
    s3.delete_bucket(Bucket=b)
with refused("AccessDenied", 403):
    s3.delete_bucket(Bucket="in.europe", ExpectedBucketOwner="999999999999")
