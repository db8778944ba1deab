"""Answers to the byte: which members errors have, which statuses and headers successes."""
import datetime
import urllib.error
import urllib.request

from botocore.exceptions import ClientError

from common import client

s3 = client()
b, v = "answers-bucket", "answers-versions"
for name in [b, v]:
    s3.create_bucket(Bucket=name)
s3.put_bucket_versioning(Bucket=v, VersioningConfiguration={"Status": "Enabled"})


def error(status, code, message, call, **members):
    try:
        out = call()
    except ClientError as e:
        want, have = {"Code": code, "Message": message, **members}, e.response["Error"]
        assert have == want, f"\nhave {have}\nwant {want}"
        assert e.response["ResponseMetadata"]["HTTPStatusCode"] == status, e.response
        return e.response["ResponseMetadata"]["HTTPHeaders"]
    raise AssertionError(f"{code}: succeeded with {out}")


def status(out):
    return out["ResponseMetadata"]["HTTPStatusCode"]


def tags(*pairs):
    return {"TagSet": [{"Key": k, "Value": w} for k, w in pairs]}


NO_KEY = "The specified key does not exist."
NOT_ALLOWED = "The specified method is not allowed against this resource."

# headers that the API's model leaves out
head = s3.head_bucket(Bucket=b)["ResponseMetadata"]["HTTPHeaders"]
assert head["content-type"] == "application/xml" and head["server"] == "AmazonS3", head
for listed in [s3.list_objects(Bucket=b), s3.list_objects_v2(Bucket=b)]:
    assert listed["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1", listed

# tags
assert status(s3.put_bucket_tagging(Bucket=b, Tagging=tags(("a", "b")))) == 204
s3.put_object(Bucket=b, Key="k", Body=b"0123456789")
error(400, "InvalidTag", "System tags cannot be added/updated by requester",
      lambda: s3.put_bucket_tagging(Bucket=b, Tagging=tags(("aws:a", "b"))), TagKey="aws:a")
error(400, "InvalidTag", "Your TagKey cannot be prefixed with aws:",
      lambda: s3.put_object_tagging(Bucket=b, Key="k", Tagging=tags(("aws:a", "b"))), TagKey="aws:a")
error(404, "NoSuchKey", NO_KEY, lambda: s3.get_object_tagging(Bucket=b, Key="none"), Key=f"{b}/none")
error(404, "NoSuchKey", NO_KEY, lambda: s3.delete_object_tagging(Bucket=b, Key="none"), Key="none")
error(400, "InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      lambda: s3.put_object(Bucket=b, Key="k", Tagging="a=b,c=d"), ArgumentName="x-amz-tagging", ArgumentValue="a=b,c=d")

# delete markers: changes and tags are refused, reading finds nothing
s3.put_object(Bucket=v, Key="k", Body=b"x")
s3.delete_public_access_block(Bucket=v)
s3.put_bucket_ownership_controls(Bucket=v, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
marker = s3.delete_object(Bucket=v, Key="k")["VersionId"]
for version in [{}, {"VersionId": marker}]:
    for method, call in [("GET", lambda: s3.get_object_tagging(Bucket=v, Key="k", **version)),
                         ("PUT", lambda: s3.put_object_tagging(Bucket=v, Key="k", Tagging=tags(("a", "b")), **version)),
                         ("PUT", lambda: s3.put_object_acl(Bucket=v, Key="k", ACL="private", **version)),
                         ("DELETE", lambda: s3.delete_object_tagging(Bucket=v, Key="k", **version))]:
        error(405, "MethodNotAllowed", NOT_ALLOWED, call, Method=method, ResourceType="DeleteMarker")
error(404, "NoSuchKey", NO_KEY, lambda: s3.get_object_acl(Bucket=v, Key="k"), Key="k")

# versions: a suspended bucket's PutObject names none, its CopyObject the null version
s3.put_bucket_versioning(Bucket=v, VersioningConfiguration={"Status": "Suspended"})
assert "VersionId" not in s3.put_object(Bucket=v, Key="s", Body=b"x")
assert s3.get_object(Bucket=v, Key="s")["VersionId"] == "null"
copy = s3.copy_object(Bucket=v, Key="t", CopySource=f"{v}/s")
assert copy["VersionId"] == "null" and "CopySourceVersionId" not in copy and "ChecksumType" not in copy["CopyObjectResult"], copy

# what is only for buckets with a lock
for call in [lambda: s3.delete_object(Bucket=b, Key="x", BypassGovernanceRetention=False),
             lambda: s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "x"}]}, BypassGovernanceRetention=True)]:
    error(400, "InvalidArgument", "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.", call,
          ArgumentName="x-amz-bypass-governance-retention")

# values that are none of those there are
error(400, "InvalidArgument", "Invalid x-amz-object-ownership header: Mine", lambda: s3.create_bucket(Bucket="answers-own", ObjectOwnership="Mine"),
      ArgumentName="x-amz-object-ownership")
error(400, "InvalidArgument", None, lambda: s3.put_bucket_acl(Bucket=b, ACL="mine"), ArgumentName="x-amz-acl", ArgumentValue="mine")
error(400, "InvalidArgument", "Invalid id", lambda: s3.put_bucket_acl(Bucket=b, GrantRead='id="mine"'), ArgumentName="id", ArgumentValue="mine")
error(400, "InvalidArgument", "Invalid group uri", lambda: s3.put_bucket_acl(Bucket=b, GrantRead='uri="http://mine"'),
      ArgumentName="uri", ArgumentValue="http://mine")
error(400, "InvalidRequest", "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.",
      lambda: s3.put_bucket_website(Bucket=b, WebsiteConfiguration={"RedirectAllRequestsTo": {"HostName": "h", "Protocol": "ftp"}}))
error(400, "InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
      lambda: s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={"Rules": [
          {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "k"}}]}),
      ArgumentName="ApplyServerSideEncryptionByDefault")

# policies
for text in ["", "text", "[]", '{"Statement":']:
    error(400, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'", lambda: s3.put_bucket_policy(Bucket=b, Policy=text))
error(400, "MalformedPolicy", "Missing required field Statement", lambda: s3.put_bucket_policy(Bucket=b, Policy="{}"))
assert status(s3.put_bucket_policy(Bucket=b, Policy='{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",'
                                                    f'"Resource": "arn:aws:s3:::{b}/secret"}}]}}')) == 204

# a range that is the whole object comes with the object's checksum
for whole in ["bytes=0-100", "bytes=-20"]:
    assert s3.get_object(Bucket=b, Key="k", Range=whole)["ChecksumCRC32"], whole
assert "ChecksumCRC32" not in s3.get_object(Bucket=b, Key="k", Range="bytes=0-8")

# uploads
upload = {"Bucket": b, "Key": "parts", "UploadId": s3.create_multipart_upload(Bucket=b, Key="parts")["UploadId"]}
assert s3.list_parts(**upload)["NextPartNumberMarker"] == 0
error(400, "InvalidRequest", "You must specify at least one part", lambda: s3.complete_multipart_upload(**upload))
error(400, "InvalidRequest", "The specified copy range is invalid for the source object size",
      lambda: s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{b}/k", CopySourceRange="bytes=10-12"))
copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{b}/k")["CopyPartResult"]
assert set(copied) == {"ETag", "LastModified"}, copied
part = {"PartNumber": 1, "ETag": copied["ETag"]}
error(400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.",
      lambda: s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part, part]}), UploadId=upload["UploadId"])


def mode(key, name, begun):
    """Completes an upload as if it had been begun with the other checksum type."""
    u = {"Bucket": b, "Key": key, "UploadId": s3.create_multipart_upload(Bucket=b, Key=key, **begun)["UploadId"]}
    one = {"PartNumber": 1, "ETag": s3.upload_part(**u, PartNumber=1, Body=b"part", ChecksumAlgorithm=begun.get("ChecksumAlgorithm", "CRC32"))["ETag"]}
    error(400, "InvalidRequest", f"The upload was created using the {name} checksum mode. The complete request must use the same checksum mode.",
          lambda: s3.complete_multipart_upload(**u, MultipartUpload={"Parts": [one]}, ChecksumType="FULL_OBJECT" if name == "COMPOSITE" else "COMPOSITE"))
    s3.abort_multipart_upload(**u)


mode("modes", "null", {})
mode("modes", "COMPOSITE", {"ChecksumAlgorithm": "SHA256"})
mode("modes", "FULL_OBJECT", {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"})


def complete(**condition):
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}, **condition)


# an upload whose key was written or deleted since it began cannot be completed under a condition, though it holds
CONFLICT = "The conditional request cannot succeed due to a conflicting operation against this resource."
FAILED = "At least one of the pre-conditions you specified did not hold"
etag = s3.put_object(Bucket=b, Key="parts", Body=b"y")["ETag"]
error(412, "PreconditionFailed", FAILED, lambda: complete(IfNoneMatch="*"), Condition="If-None-Match")
error(412, "PreconditionFailed", FAILED, lambda: complete(IfMatch='"other"'), Condition="If-Match")
error(409, "ConditionalRequestConflict", CONFLICT, lambda: complete(IfMatch=etag), Condition="If-Match", Key="parts")
s3.delete_object(Bucket=b, Key="parts")
error(404, "NoSuchKey", NO_KEY, lambda: complete(IfMatch=etag), Key="parts")
error(409, "ConditionalRequestConflict", CONFLICT, lambda: complete(IfNoneMatch="*"), Condition="If-None-Match", Key="parts")
complete()
assert s3.list_multipart_uploads(Bucket=b)["NextKeyMarker"] == ""

# a date in the future is no condition
later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
s3.copy_object(Bucket=b, Key="c", CopySource=f"{b}/k", CopySourceIfModifiedSince=later)

# markers under a common prefix, and markers that mean nothing
for key in ["dir/sub/1", "dir/sub/2", "dir/z"]:
    s3.put_object(Bucket=b, Key=key, Body=b"")
    s3.create_multipart_upload(Bucket=b, Key=key)
under = {"Bucket": b, "Prefix": "dir/", "Delimiter": "/"}
for listed in [s3.list_objects(**under, Marker="dir/sub/1"), s3.list_object_versions(**under, KeyMarker="dir/sub/1"),
               s3.list_multipart_uploads(**under, KeyMarker="dir/sub/1")]:
    assert "CommonPrefixes" not in listed, listed
    entries = listed.get("Contents") or listed.get("Versions") or listed.get("Uploads")
    assert [e["Key"] for e in entries] == ["dir/z"], listed
listed = s3.list_objects_v2(**under, StartAfter="dir/sub/1")
assert listed["CommonPrefixes"] == [{"Prefix": "dir/sub/"}], listed
assert s3.list_multipart_uploads(**under, UploadIdMarker="x")["UploadIdMarker"] == ""
error(400, "InvalidArgument", "The continuation token provided is incorrect",
      lambda: s3.list_objects_v2(Bucket=b, ContinuationToken="x"), ArgumentName="continuation-token")
error(400, "InvalidArgument", "Invalid Encoding Method specified in Request",
      lambda: s3.list_objects(Bucket=b, EncodingType="base64"), ArgumentName="encoding-type", ArgumentValue="base64")

# any two of the three parameters of Version 2 are a signature, and must be all three
for query in ["Signature=x&Expires=1", "AWSAccessKeyId=x&Expires=1", "AWSAccessKeyId=x&Signature=x"]:
    try:
        urllib.request.urlopen(f"{s3.meta.endpoint_url}/{b}/k?{query}")
        raise AssertionError(query)
    except urllib.error.HTTPError as e:
        answer = e.read().decode()
        assert e.code == 403 and "<Message>Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters<" in answer, answer
