"""Multipart uploads."""
import base64
import hashlib
import zlib

from common import client, refused

MiB = 1 << 20
s3 = client(request_checksum_calculation="when_required")
b = "multipart-bucket"
s3.create_bucket(Bucket=b)
pieces = [bytes([n]) * (5 * MiB + n) for n in range(1, 3)] + [b"the end"]
whole = b"".join(pieces)


def upload(key, only=None, **how):
    u = s3.create_multipart_upload(Bucket=b, Key=key, **how)["UploadId"]
    parts = []
    for n, piece in enumerate(pieces, 1):
        r = s3.upload_part(Bucket=b, Key=key, UploadId=u, PartNumber=n * 10, Body=piece)
        parts.append({"PartNumber": n * 10, "ETag": r["ETag"]})
    return u, parts


u, parts = upload("big", ContentType="a/b", Metadata={"m": "n"}, Tagging="t=1")
with refused("NoSuchKey", 404):
    s3.get_object(Bucket=b, Key="big")
listed = s3.list_parts(Bucket=b, Key="big", UploadId=u)
assert [(p["PartNumber"], p["Size"]) for p in listed["Parts"]] == [(10, len(pieces[0])), (20, len(pieces[1])), (30, 7)]
page = s3.list_parts(Bucket=b, Key="big", UploadId=u, MaxParts=1, PartNumberMarker=10)
assert [p["PartNumber"] for p in page["Parts"]] == [20] and page["IsTruncated"] and page["NextPartNumberMarker"] == 20
assert [x["UploadId"] for x in s3.list_multipart_uploads(Bucket=b)["Uploads"]] == [u]


def complete(parts, key="big", upload=u, **how):
    return s3.complete_multipart_upload(Bucket=b, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **how)


with refused("InvalidPartOrder", 400):
    complete(parts[::-1])
with refused("InvalidPart", 400):
    complete([{"PartNumber": 10, "ETag": '"' + "0" * 32 + '"'}])
with refused("InvalidPart", 400):
    complete(parts + [{"PartNumber": 40, "ETag": parts[0]["ETag"]}])
with refused("EntityTooSmall", 400):
    s3.upload_part(Bucket=b, Key="big", UploadId=u, PartNumber=40, Body=b"x")
    complete(parts + [{"PartNumber": 40, "ETag": '"' + hashlib.md5(b"x").hexdigest() + '"'}])
with refused("NoSuchUpload", 404):
    complete(parts, upload="nonsense")
with refused("InvalidRequest", 400):
    complete(parts, MpuObjectSize=5)
etag = '"' + hashlib.md5(b"".join(hashlib.md5(p).digest() for p in pieces)).hexdigest() + '-3"'
for _ in range(2):  # the second is the repetition after a lost answer
    done = complete(parts)
    assert done["ETag"] == etag and done["Key"] == "big"
got = s3.get_object(Bucket=b, Key="big")
assert got["ContentLength"] == len(whole) and got["Body"].read() == whole
assert got["ContentType"] == "a/b" and got["Metadata"] == {"m": "n"} and got["TagCount"] == 1 and got["ETag"] == etag
edge = len(pieces[0])
r = s3.get_object(Bucket=b, Key="big", Range=f"bytes={edge - 3}-{edge + 2}")
assert r["Body"].read() == b"\x01" * 3 + b"\x02" * 3
r = s3.get_object(Bucket=b, Key="big", PartNumber=3)
assert r["Body"].read() == b"the end" and r["PartsCount"] == 3 and r["ResponseMetadata"]["HTTPStatusCode"] == 206
assert s3.get_object_attributes(Bucket=b, Key="big", ObjectAttributes=["ObjectParts"])["ObjectParts"]["TotalPartsCount"] == 3
assert "Uploads" not in s3.list_multipart_uploads(Bucket=b)
with refused("NoSuchUpload", 404):
    s3.list_parts(Bucket=b, Key="big", UploadId=u)

# the checksum of the whole from those of the parts
u, parts = upload("crc", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
want = base64.b64encode(zlib.crc32(whole).to_bytes(4, "big")).decode()
with refused("BadDigest", 400):
    complete(parts, "crc", u, ChecksumCRC32="AAAAAA==")
with refused("InvalidRequest", 400):
    complete(parts, "crc", u, ChecksumType="COMPOSITE")
assert complete(parts, "crc", u, ChecksumCRC32=want, ChecksumType="FULL_OBJECT")["ChecksumCRC32"] == want
assert s3.head_object(Bucket=b, Key="crc", ChecksumMode="ENABLED")["ChecksumCRC32"] == want

# the checksum of checksums
u, parts = upload("sha", ChecksumAlgorithm="SHA256")
sums = [hashlib.sha256(p).digest() for p in pieces]
parts = [dict(p, ChecksumSHA256=base64.b64encode(d).decode()) for p, d in zip(parts, sums)]
want = base64.b64encode(hashlib.sha256(b"".join(sums)).digest()).decode() + "-3"
with refused("InvalidPart", 400):
    complete([dict(parts[0], ChecksumSHA256=parts[1]["ChecksumSHA256"])], "sha", u)
with refused("InvalidRequest", 400):
    complete(parts, "sha", u, ChecksumType="FULL_OBJECT")
assert complete(parts, "sha", u, ChecksumType="COMPOSITE")["ChecksumSHA256"] == want
attrs = s3.get_object_attributes(Bucket=b, Key="sha", ObjectAttributes=["ObjectParts", "Checksum"])
assert attrs["ObjectParts"]["Parts"][2]["Size"] == 7 and attrs["Checksum"]["ChecksumType"] == "COMPOSITE"
with refused("InvalidRequest", 400):
    s3.create_multipart_upload(Bucket=b, Key="x", ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")

# parts copied from an object; a part sent twice counts once
u = s3.create_multipart_upload(Bucket=b, Key="joined")["UploadId"]
one = s3.upload_part_copy(Bucket=b, Key="joined", UploadId=u, PartNumber=1, CopySource={"Bucket": b, "Key": "big"},
                          CopySourceRange=f"bytes=0-{5 * MiB - 1}")["CopyPartResult"]["ETag"]
s3.upload_part(Bucket=b, Key="joined", UploadId=u, PartNumber=2, Body=b"first try")
two = s3.upload_part(Bucket=b, Key="joined", UploadId=u, PartNumber=2, Body=b"second try")["ETag"]
with refused("InvalidArgument", 400):
    s3.upload_part_copy(Bucket=b, Key="joined", UploadId=u, PartNumber=3, CopySource={"Bucket": b, "Key": "big"},
                        CopySourceRange=f"bytes=0-{len(whole)}")
with refused("InvalidArgument", 400):
    s3.upload_part(Bucket=b, Key="joined", UploadId=u, PartNumber=10001, Body=b"")
complete([{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}], "joined", u)
assert s3.get_object(Bucket=b, Key="joined")["Body"].read() == whole[:5 * MiB] + b"second try"

# copying a multipart object makes one of a single part
c = s3.copy_object(Bucket=b, Key="flat", CopySource={"Bucket": b, "Key": "big"})["CopyObjectResult"]
assert c["ETag"] == '"' + hashlib.md5(whole).hexdigest() + '"'

# listing and aborting
ids = [s3.create_multipart_upload(Bucket=b, Key=k)["UploadId"] for k in ["m/1", "m/2", "n"]]
out = s3.list_multipart_uploads(Bucket=b, Delimiter="/")
assert [p["Prefix"] for p in out["CommonPrefixes"]] == ["m/"] and [x["Key"] for x in out["Uploads"]] == ["n"]
seen = [x["Key"] for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=b, PaginationConfig={"PageSize": 1})
        for x in page.get("Uploads", [])]
assert seen == ["m/1", "m/2", "n"], seen
for k, i in zip(["m/1", "m/2", "n"], ids):
    s3.abort_multipart_upload(Bucket=b, Key=k, UploadId=i)
with refused("NoSuchUpload", 404):
    s3.abort_multipart_upload(Bucket=b, Key="n", UploadId=ids[2])
