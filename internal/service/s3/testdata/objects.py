"""Objects: reading, writing, copying, deleting, tags, checksums, conditions."""
import base64
import hashlib
import zlib
from datetime import datetime, timedelta, timezone

import botocore.exceptions

from common import client, refused

s3 = client()
b = "object-bucket"
s3.create_bucket(Bucket=b)

body = b"hello, world"
put = s3.put_object(Bucket=b, Key="hello", Body=body, ContentType="text/plain", CacheControl="no-cache",
                    ContentDisposition="inline", ContentEncoding="identity", ContentLanguage="en",
                    Metadata={"one": "1", "two": "zwei"}, Tagging="a=1&b=two%20words")
etag = '"' + hashlib.md5(body).hexdigest() + '"'
assert put["ETag"] == etag
assert put["ServerSideEncryption"] == "AES256"
got = s3.get_object(Bucket=b, Key="hello")
assert got["Body"].read() == body
assert got["ETag"] == etag and got["ContentLength"] == len(body) and got["AcceptRanges"] == "bytes"
assert got["ContentType"] == "text/plain" and got["CacheControl"] == "no-cache" and got["ContentDisposition"] == "inline"
assert got["ContentLanguage"] == "en" and got["Metadata"] == {"one": "1", "two": "zwei"} and got["TagCount"] == 2
head = s3.head_object(Bucket=b, Key="hello")
assert head["ETag"] == etag and head["ContentLength"] == len(body) and head["Metadata"] == {"one": "1", "two": "zwei"}
s3.put_object(Bucket=b, Key="empty")
assert s3.get_object(Bucket=b, Key="empty")["Body"].read() == b""
assert s3.head_object(Bucket=b, Key="empty")["ContentType"] == "binary/octet-stream"

with refused("NoSuchKey", 404):
    s3.get_object(Bucket=b, Key="absent")
with refused("404", 404):
    s3.head_object(Bucket=b, Key="absent")

# ranges
for want, header in [(b"hello", "bytes=0-4"), (b"world", "bytes=7-"), (b"rld", "bytes=-3"), (body, "bytes=0-999"), (body, "bytes=-999")]:
    r = s3.get_object(Bucket=b, Key="hello", Range=header)
    assert r["Body"].read() == want, header
    assert r["ResponseMetadata"]["HTTPStatusCode"] == 206 and r["ContentRange"].endswith("/12"), header
for ignored in ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4"]:
    r = s3.get_object(Bucket=b, Key="hello", Range=ignored)
    assert r["Body"].read() == body and r["ResponseMetadata"]["HTTPStatusCode"] == 200, ignored
for bad in ["bytes=12-", "bytes=-0"]:
    with refused("InvalidRange", 416):
        s3.get_object(Bucket=b, Key="hello", Range=bad)
assert s3.get_object(Bucket=b, Key="hello", PartNumber=1)["Body"].read() == body
with refused("InvalidPartNumber", 416):
    s3.get_object(Bucket=b, Key="hello", PartNumber=2)

# conditions
before, after = datetime.now(timezone.utc) - timedelta(hours=1), datetime.now(timezone.utc) + timedelta(hours=1)
s3.get_object(Bucket=b, Key="hello", IfMatch=etag)
s3.get_object(Bucket=b, Key="hello", IfMatch="*")
with refused("PreconditionFailed", 412):
    s3.get_object(Bucket=b, Key="hello", IfMatch='"other"')
with refused("304", 304):
    s3.get_object(Bucket=b, Key="hello", IfNoneMatch=etag)
with refused("304", 304):
    s3.get_object(Bucket=b, Key="hello", IfModifiedSince=s3.head_object(Bucket=b, Key="hello")["LastModified"])
s3.get_object(Bucket=b, Key="hello", IfModifiedSince=after)  # the future says nothing
with refused("PreconditionFailed", 412):
    s3.get_object(Bucket=b, Key="hello", IfUnmodifiedSince=before)
s3.get_object(Bucket=b, Key="hello", IfMatch=etag, IfUnmodifiedSince=before)
s3.get_object(Bucket=b, Key="hello", IfNoneMatch='"other"', IfModifiedSince=after)
with refused("PreconditionFailed", 412):
    s3.put_object(Bucket=b, Key="hello", Body=b"new", IfNoneMatch="*")
with refused("PreconditionFailed", 412):
    s3.put_object(Bucket=b, Key="hello", Body=b"new", IfMatch='"other"')
with refused("NoSuchKey", 404):
    s3.put_object(Bucket=b, Key="absent", Body=b"new", IfMatch=etag)
s3.put_object(Bucket=b, Key="once", Body=b"1", IfNoneMatch="*")

# overrides of the answer's headers
r = s3.get_object(Bucket=b, Key="hello", ResponseContentType="x/y", ResponseContentDisposition="attachment")
assert r["ContentType"] == "x/y" and r["ContentDisposition"] == "attachment"

# keys
keys = ["a b+c%2F", "../../etc/passwd", "..", ".", "//double//slash/", "ünïcode/日本語/🎉", "trailing/", "k" * 1024,
        "quote'\"<&>", "tab\there", "sp ace/+/%/?#"]
for i, key in enumerate(keys):
    s3.put_object(Bucket=b, Key=key, Body=str(i).encode())
for i, key in enumerate(keys):
    assert s3.get_object(Bucket=b, Key=key)["Body"].read() == str(i).encode(), key
listed = [o["Key"] for o in s3.list_objects_v2(Bucket=b)["Contents"]]
assert set(keys) <= set(listed), set(keys) - set(listed)
assert listed == sorted(listed, key=lambda k: k.encode())
with refused("KeyTooLongError", 400):
    s3.put_object(Bucket=b, Key="k" * 1025, Body=b"")
s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": k} for k in keys], "Quiet": True})
for key in keys:
    with refused("404"):
        s3.head_object(Bucket=b, Key=key)

# digests and checksums
with refused("BadDigest", 400):
    s3.put_object(Bucket=b, Key="bad", Body=body, ContentMD5=base64.b64encode(hashlib.md5(b"x").digest()).decode())
with refused("InvalidDigest", 400):
    s3.put_object(Bucket=b, Key="bad", Body=body, ContentMD5="short")
sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
assert s3.put_object(Bucket=b, Key="sum", Body=body, ChecksumSHA256=sha)["ChecksumSHA256"] == sha
assert s3.get_object(Bucket=b, Key="sum", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha
assert s3.head_object(Bucket=b, Key="sum", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha
plain = client(request_checksum_calculation="when_required", response_checksum_validation="when_required")
assert "ChecksumSHA256" not in plain.get_object(Bucket=b, Key="sum")
assert s3.put_object(Bucket=b, Key="sum", Body=body, ChecksumAlgorithm="CRC32")["ChecksumCRC32"] == crc
with refused("BadDigest", 400):
    s3.put_object(Bucket=b, Key="bad", Body=body, ChecksumSHA256=base64.b64encode(b"0" * 32).decode())
with refused("InvalidRequest", 400):
    s3.put_object(Bucket=b, Key="bad", Body=body, ChecksumSHA256="nonsense")
with refused("404"):
    s3.head_object(Bucket=b, Key="bad")
assert plain.put_object(Bucket=b, Key="sum64", Body=b"123456789")["ChecksumCRC64NVME"] == "rosUhgp5mIg="

# what is not built is refused, not ignored
for refused_input in [dict(ServerSideEncryption="aws:kms:dsse")]:
    try:
        with refused("NotImplemented", 501):
            s3.put_object(Bucket=b, Key="bad", Body=b"", **refused_input)
    except botocore.exceptions.ParamValidationError:
        pass
with refused("AccessControlListNotSupported", 400):
    s3.put_object(Bucket=b, Key="bad", Body=b"", ACL="public-read")
s3.put_object(Bucket=b, Key="acl", Body=b"", ACL="bucket-owner-full-control")
assert s3.get_object_acl(Bucket=b, Key="acl")["Grants"][0]["Permission"] == "FULL_CONTROL"
with refused("InvalidArgument", 400):
    s3.get_object(Bucket=b, Key="acl", VersionId="abc")
with refused("MetadataTooLarge", 400):
    s3.put_object(Bucket=b, Key="bad", Body=b"", Metadata={"x": "y" * 2100})

# tags
assert s3.get_object_tagging(Bucket=b, Key="hello")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}]
s3.put_object_tagging(Bucket=b, Key="hello", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
assert s3.get_object_tagging(Bucket=b, Key="hello")["TagSet"] == [{"Key": "c", "Value": "3"}]
with refused("BadRequest", 400):
    s3.put_object_tagging(Bucket=b, Key="hello", Tagging={"TagSet": [{"Key": str(i), "Value": ""} for i in range(11)]})
with refused("NoSuchKey", 404):
    s3.put_object_tagging(Bucket=b, Key="absent", Tagging={"TagSet": []})

# copies
c = s3.copy_object(Bucket=b, Key="copy ü", CopySource={"Bucket": b, "Key": "hello"})
assert c["CopyObjectResult"]["ETag"] == etag
r = s3.get_object(Bucket=b, Key="copy ü")
assert r["Body"].read() == body and r["Metadata"] == {"one": "1", "two": "zwei"} and r["TagCount"] == 1
s3.copy_object(Bucket=b, Key="replaced", CopySource={"Bucket": b, "Key": "copy ü"}, MetadataDirective="REPLACE",
               Metadata={"x": "y"}, ContentType="a/b", TaggingDirective="REPLACE", Tagging="n=m")
r = s3.get_object(Bucket=b, Key="replaced")
assert r["Metadata"] == {"x": "y"} and r["ContentType"] == "a/b"
assert s3.get_object_tagging(Bucket=b, Key="replaced")["TagSet"] == [{"Key": "n", "Value": "m"}]
with refused("InvalidRequest", 400):
    s3.copy_object(Bucket=b, Key="hello", CopySource={"Bucket": b, "Key": "hello"})
s3.copy_object(Bucket=b, Key="hello", CopySource={"Bucket": b, "Key": "hello"}, MetadataDirective="REPLACE", Metadata={"m": "n"})
assert s3.get_object(Bucket=b, Key="hello")["Body"].read() == body
with refused("NoSuchKey", 404):
    s3.copy_object(Bucket=b, Key="x", CopySource={"Bucket": b, "Key": "absent"})
with refused("NoSuchBucket", 404):
    s3.copy_object(Bucket=b, Key="x", CopySource={"Bucket": "absent-bucket", "Key": "absent"})
with refused("PreconditionFailed", 412):
    s3.copy_object(Bucket=b, Key="x", CopySource={"Bucket": b, "Key": "hello"}, CopySourceIfNoneMatch=etag)
s3.copy_object(Bucket=b, Key="resummed", CopySource={"Bucket": b, "Key": "sum"}, ChecksumAlgorithm="SHA256")
assert s3.head_object(Bucket=b, Key="resummed", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha
s3.delete_object(Bucket=b, Key="hello")
assert s3.get_object(Bucket=b, Key="replaced")["Body"].read() == body

attrs = s3.get_object_attributes(Bucket=b, Key="resummed", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"])
assert attrs["ETag"] == etag.strip('"') and attrs["Checksum"]["ChecksumSHA256"] == sha and attrs["ObjectSize"] == 12
assert attrs["StorageClass"] == "STANDARD" and "ObjectParts" not in attrs

# deletion
s3.delete_object(Bucket=b, Key="never-there")
with refused("PreconditionFailed", 412):
    s3.delete_object(Bucket=b, Key="sum", IfMatch='"other"')
out = s3.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "sum"}, {"Key": "not-there"}, {"Key": "x", "VersionId": "abc"}]})
assert sorted(d["Key"] for d in out["Deleted"]) == ["not-there", "sum"]
assert [(e["Key"], e["Code"]) for e in out["Errors"]] == [("x", "NoSuchVersion")]

# a file as the transfer manager sends it, and a presigned URL
big = bytes(range(256)) * 4096 * 9
import io
import urllib.request
s3.upload_fileobj(io.BytesIO(big), b, "big")
target = io.BytesIO()
s3.download_fileobj(b, "big", target)
assert target.getvalue() == big
for url in [client(signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": b, "Key": "empty"}),
            s3.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "empty"})]:
    assert urllib.request.urlopen(url).read() == b""
url = client(signature_version="s3v4").generate_presigned_url("put_object", Params={"Bucket": b, "Key": "by-url"})
urllib.request.urlopen(urllib.request.Request(url, data=b"sent", method="PUT")).read()
assert s3.get_object(Bucket=b, Key="by-url")["Body"].read() == b"sent"
