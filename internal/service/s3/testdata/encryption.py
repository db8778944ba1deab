"""Encryption at rest: SSE-S3 by request and by bucket, SSE-C everywhere a key matters."""
import base64
import hashlib
import os

from common import client, refused

s3 = client()
b = "crypt-bucket"
s3.create_bucket(Bucket=b)
KEY, OTHER = os.urandom(32), os.urandom(32)
BODY = os.urandom(300_000)


def sse(key=KEY, prefix=""):
    return {f"{prefix}SSECustomerAlgorithm": "AES256", f"{prefix}SSECustomerKey": key}


def md5(key=KEY):
    return base64.b64encode(hashlib.md5(key).digest()).decode()


# the bucket's configuration, as AWS answers since 2023
rule = s3.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]["Rules"][0]
assert rule == {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}, rule
with refused("NotImplemented", 501, "SSEKMSKeyId"):
    s3.put_object(Bucket=b, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="1234abcd-12ab-34cd-56ef-1234567890ab")
with refused("InvalidArgument", 400, "The encryption method specified is not supported"):
    s3.put_object(Bucket=b, Key="k", Body=b"x", ServerSideEncryption="ROT13")

# SSE-S3: nothing to send on reading, ranges included
out = s3.put_object(Bucket=b, Key="s3", Body=BODY, ServerSideEncryption="AES256")
assert out["ServerSideEncryption"] == "AES256" and out["ETag"] == f'"{hashlib.md5(BODY).hexdigest()}"', out
assert s3.get_object(Bucket=b, Key="s3")["Body"].read() == BODY
for first, last in [(0, 0), (65535, 65536), (65536, 131071), (100_000, 299_999)]:
    assert s3.get_object(Bucket=b, Key="s3", Range=f"bytes={first}-{last}")["Body"].read() == BODY[first:last + 1]

# SSE-C: what the request must bring
out = s3.put_object(Bucket=b, Key="c", Body=BODY, **sse())
assert out["SSECustomerAlgorithm"] == "AES256" and out["SSECustomerKeyMD5"] == md5() and "ServerSideEncryption" not in out, out
assert out["ETag"] != f'"{hashlib.md5(BODY).hexdigest()}"'
got = s3.get_object(Bucket=b, Key="c", **sse())
assert got["Body"].read() == BODY and got["SSECustomerKeyMD5"] == md5() and got["ETag"] == out["ETag"]
assert s3.get_object(Bucket=b, Key="c", Range="bytes=65530-65540", **sse())["Body"].read() == BODY[65530:65541]
assert s3.head_object(Bucket=b, Key="c", **sse())["ContentLength"] == len(BODY)
for call in [s3.get_object, s3.head_object]:
    with refused("400" if call == s3.head_object else "InvalidRequest", 400):
        call(Bucket=b, Key="c")
    with refused("403" if call == s3.head_object else "AccessDenied", 403):
        call(Bucket=b, Key="c", **sse(OTHER))
    with refused("400" if call == s3.head_object else "InvalidRequest", 400):
        call(Bucket=b, Key="s3", **sse())
with refused("InvalidRequest", 400, "The correct parameters must be provided to retrieve the object."):
    s3.get_object_attributes(Bucket=b, Key="c", ObjectAttributes=["ETag"])
assert s3.get_object_attributes(Bucket=b, Key="c", ObjectAttributes=["ObjectSize"], SSECustomerAlgorithm="AES256",
                                SSECustomerKey=base64.b64encode(KEY).decode(), SSECustomerKeyMD5=md5())["ObjectSize"] == len(BODY)
raw = client(parameter_validation=False)
for bad, code, text in [
        (dict(SSECustomerAlgorithm="AES128", SSECustomerKey=KEY), "InvalidEncryptionAlgorithmError", "Supported value: AES256."),
        (dict(SSECustomerAlgorithm="AES256", SSECustomerKey=b"short"), "InvalidArgument", "The secret key was invalid for the specified algorithm."),
        (dict(SSECustomerAlgorithm="AES256", SSECustomerKey=base64.b64encode(KEY).decode(), SSECustomerKeyMD5=md5(OTHER)), "InvalidArgument", "The calculated MD5 hash of the key did not match"),
        (dict(SSECustomerKey=KEY), "InvalidArgument", "must provide a valid encryption algorithm."),
        (dict(SSECustomerAlgorithm="AES256"), "InvalidArgument", "must provide an appropriate secret key."),
        (dict(ServerSideEncryption="AES256", **sse()), "InvalidArgument", "is incompatible with the encryption method specified")]:
    with refused(code, 400, text):
        raw.put_object(Bucket=b, Key="bad", Body=b"x", **bad)
s3.put_object(Bucket=b, Key="empty", Body=b"", **sse())
assert s3.get_object(Bucket=b, Key="empty", **sse())["Body"].read() == b""

# multipart under a customer's key
u = s3.create_multipart_upload(Bucket=b, Key="parts", **sse())["UploadId"]
part = os.urandom(5 << 20)
with refused("InvalidRequest", 400, "Subsequent part requests must include the appropriate encryption parameters."):
    s3.upload_part(Bucket=b, Key="parts", UploadId=u, PartNumber=1, Body=part)
with refused("InvalidRequest", 400, "did not match the ones used originally."):
    s3.upload_part(Bucket=b, Key="parts", UploadId=u, PartNumber=1, Body=part, **sse(OTHER))
one = s3.upload_part(Bucket=b, Key="parts", UploadId=u, PartNumber=1, Body=part, **sse())
two = s3.upload_part_copy(Bucket=b, Key="parts", UploadId=u, PartNumber=2, CopySource=f"{b}/c", CopySourceRange="bytes=0-99999",
                          **sse(), **sse(prefix="CopySource"))
assert one["SSECustomerKeyMD5"] == two["SSECustomerKeyMD5"] == md5()
s3.complete_multipart_upload(Bucket=b, Key="parts", UploadId=u, MultipartUpload={"Parts": [
    {"PartNumber": 1, "ETag": one["ETag"]}, {"PartNumber": 2, "ETag": two["CopyPartResult"]["ETag"]}]})
assert s3.get_object(Bucket=b, Key="parts", **sse())["Body"].read() == part + BODY[:100_000]
assert s3.get_object(Bucket=b, Key="parts", PartNumber=2, **sse())["Body"].read() == BODY[:100_000]
with refused("InvalidRequest", 400):
    s3.get_object(Bucket=b, Key="parts")

# copies from each to each
for name, extra in [("plain", {}), ("s3", {"ServerSideEncryption": "AES256"}), ("c", sse(OTHER))]:
    for source, key in [("s3", {}), ("c", sse(prefix="CopySource"))]:
        s3.copy_object(Bucket=b, Key=f"to-{name}", CopySource=f"{b}/{source}", **extra, **key)
        assert s3.get_object(Bucket=b, Key=f"to-{name}", **(sse(OTHER) if name == "c" else {}))["Body"].read() == BODY, (source, name)
with refused("InvalidRequest", 400):
    s3.copy_object(Bucket=b, Key="x", CopySource=f"{b}/c")
with refused("AccessDenied", 403):
    s3.copy_object(Bucket=b, Key="x", CopySource=f"{b}/c", **sse(OTHER, "CopySource"))
s3.copy_object(Bucket=b, Key="c", CopySource=f"{b}/c", **sse(OTHER), **sse(prefix="CopySource"))  # another key for the same bytes
assert s3.get_object(Bucket=b, Key="c", **sse(OTHER))["Body"].read() == BODY

# the bucket may encrypt everything, and refuse customers' keys
s3.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={"Rules": [
    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}]})
s3.put_object(Bucket=b, Key="default", Body=BODY)
assert s3.get_object(Bucket=b, Key="default")["Body"].read() == BODY
with refused("AccessDenied", 403):
    s3.put_object(Bucket=b, Key="x", Body=b"x", **sse())
assert s3.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]["Rules"][0]["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}
s3.delete_bucket_encryption(Bucket=b)
s3.put_object(Bucket=b, Key="x", Body=b"x", **sse())
