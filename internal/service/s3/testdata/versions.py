"""Versioning: markers, null versions, listings, and what names a version."""
import json

from common import client, refused

s3, nobody = client(), client("AKIANONE")
b = "versions-bucket"
s3.create_bucket(Bucket=b)


def version(status):
    s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": status})


def put(key, body, **more):
    return s3.put_object(Bucket=b, Key=key, Body=body, **more).get("VersionId")


def read(key, version=None):
    extra = {"VersionId": version} if version else {}
    return s3.get_object(Bucket=b, Key=key, **extra)["Body"].read()


def listed(**more):
    out = s3.list_object_versions(Bucket=b, **more)
    return [(v["Key"], v["VersionId"], v["IsLatest"]) for v in out.get("Versions", [])], \
        [(m["Key"], m["VersionId"], m["IsLatest"]) for m in out.get("DeleteMarkers", [])]


# never versioned: no ids, and only "null" names anything
assert put("k", b"zero") is None
assert "Status" not in s3.get_bucket_versioning(Bucket=b)
assert read("k", "null") == b"zero"
with refused("InvalidArgument", 400, "Invalid version id specified"):
    read("k", "whatever")
assert listed() == ([("k", "null", True)], [])
for bad, code in [({"Status": "On"}, "MalformedXML"), ({}, "IllegalVersioningConfigurationException"),
                  ({"Status": "Enabled", "MFADelete": "Enabled"}, "NotImplemented")]:
    with refused(code):
        s3.put_bucket_versioning(Bucket=b, VersioningConfiguration=bad)

# enabled: the old object is the null version, and every write adds one
version("Enabled")
assert s3.get_bucket_versioning(Bucket=b)["Status"] == "Enabled"
one, two = put("k", b"one"), put("k", b"two")
assert len({one, two, "null"}) == 3
assert [read("k"), read("k", two), read("k", one), read("k", "null")] == [b"two", b"two", b"one", b"zero"]
assert s3.head_object(Bucket=b, Key="k")["VersionId"] == two
assert s3.head_object(Bucket=b, Key="k", VersionId=one)["ContentLength"] == 3
assert listed() == ([("k", two, True), ("k", one, False), ("k", "null", False)], [])
with refused("NoSuchVersion", 404, "The specified version does not exist."):
    read("other", one)
with refused("InvalidArgument", 400, "Invalid version id specified"):  # nobody was given this one
    read("k", one[:-4] + "zzzz")
with refused("InvalidArgument", 400, "Invalid version id specified"):
    s3.delete_object(Bucket=b, Key="k", VersionId=one[:-4] + "zzzz")
with refused("InvalidArgument", 400):
    read("k", "short")

# a delete adds a marker; the marker is no object
out = s3.delete_object(Bucket=b, Key="k")
marker = out["VersionId"]
assert out["DeleteMarker"] is True
for call in (s3.get_object, s3.head_object):
    try:
        call(Bucket=b, Key="k")
        raise AssertionError("read a marker")
    except s3.exceptions.ClientError as e:
        h = e.response["ResponseMetadata"]
        assert h["HTTPStatusCode"] == 404 and h["HTTPHeaders"]["x-amz-delete-marker"] == "true", h
        assert h["HTTPHeaders"]["x-amz-version-id"] == marker, h
try:
    s3.get_object(Bucket=b, Key="k", VersionId=marker)
    raise AssertionError("read a marker by id")
except s3.exceptions.ClientError as e:
    h = e.response["ResponseMetadata"]
    assert e.response["Error"]["Code"] == "MethodNotAllowed" and h["HTTPStatusCode"] == 405, e
    assert h["HTTPHeaders"]["allow"] == "DELETE" and h["HTTPHeaders"]["x-amz-delete-marker"] == "true", h
assert s3.list_objects_v2(Bucket=b)["KeyCount"] == 0
versions, markers = listed()
assert markers == [("k", marker, True)] and not any(v[2] for v in versions), (versions, markers)
with refused("BucketNotEmpty", 409):
    s3.delete_bucket(Bucket=b)

# without the marker the newest version is current again
out = s3.delete_object(Bucket=b, Key="k", VersionId=marker)
assert out["DeleteMarker"] is True and out["VersionId"] == marker, out
assert read("k") == b"two" and listed()[0][0] == ("k", two, True)
assert "DeleteMarker" not in s3.delete_object(Bucket=b, Key="k", VersionId=two)
assert read("k") == b"one"
s3.delete_object(Bucket=b, Key="k", VersionId=two)  # gone already

# suspended: writes and deletes replace the null version, wherever it is
version("Suspended")
assert put("k", b"null two") is None
assert listed()[0] == [("k", "null", True), ("k", one, False)]
assert put("k", b"null three") is None
assert listed()[0] == [("k", "null", True), ("k", one, False)]
out = s3.delete_object(Bucket=b, Key="k")
assert out["VersionId"] == "null" and out["DeleteMarker"], out
assert listed() == ([("k", one, False)], [("k", "null", True)])
assert put("k", b"null four") is None
assert listed() == ([("k", "null", True), ("k", one, False)], [])
assert read("k", one) == b"one"
version("Enabled")
five = put("k", b"five")
assert listed()[0] == [("k", five, True), ("k", "null", False), ("k", one, False)]

# tags, attributes, copies and ACLs of a version
s3.put_object_tagging(Bucket=b, Key="k", VersionId=one, Tagging={"TagSet": [{"Key": "v", "Value": "1"}]})
assert s3.get_object_tagging(Bucket=b, Key="k", VersionId=one)["TagSet"] == [{"Key": "v", "Value": "1"}]
assert s3.get_object_tagging(Bucket=b, Key="k")["TagSet"] == []
assert s3.delete_object_tagging(Bucket=b, Key="k", VersionId=one)["VersionId"] == one
assert s3.get_object_attributes(Bucket=b, Key="k", VersionId=one, ObjectAttributes=["ObjectSize"])["ObjectSize"] == 3
out = s3.copy_object(Bucket=b, Key="k", CopySource={"Bucket": b, "Key": "k", "VersionId": one})
assert out["CopySourceVersionId"] == one and read("k") == b"one" and out["VersionId"] not in (one, five), out
deleted = s3.delete_object(Bucket=b, Key="gone")["VersionId"]
with refused("NoSuchKey", 404):
    s3.copy_object(Bucket=b, Key="x", CopySource={"Bucket": b, "Key": "gone"})
with refused("InvalidRequest", 400, "may not specifically refer to a delete marker"):
    s3.copy_object(Bucket=b, Key="x", CopySource={"Bucket": b, "Key": "gone", "VersionId": deleted})

# conditions see the current version only
with refused("PreconditionFailed", 412):
    s3.put_object(Bucket=b, Key="k", Body=b"x", IfNoneMatch="*")
s3.put_object(Bucket=b, Key="gone", Body=b"x", IfNoneMatch="*")
with refused("NoSuchKey", 404):
    s3.delete_object(Bucket=b, Key="absent", IfMatch="*")
s3.delete_object(Bucket=b, Key="gone", IfMatch="*")
with refused("PreconditionFailed", 412):
    s3.delete_object(Bucket=b, Key="gone", IfMatch="*")

# multipart
u = s3.create_multipart_upload(Bucket=b, Key="parts")["UploadId"]
p = s3.upload_part(Bucket=b, Key="parts", UploadId=u, PartNumber=1, Body=b"part")
done = s3.complete_multipart_upload(Bucket=b, Key="parts", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": p["ETag"]}]})
assert read("parts", done["VersionId"]) == b"part"

# many at once
out = s3.delete_objects(Bucket=b, Delete={"Objects": [
    {"Key": "parts"}, {"Key": "gone", "VersionId": deleted}, {"Key": "parts", "VersionId": "bogus"}]})
by = {(d["Key"], d.get("VersionId")): d for d in out["Deleted"]}
assert by["parts", None]["DeleteMarker"] and "DeleteMarkerVersionId" in by["parts", None], out
assert by["gone", deleted]["DeleteMarkerVersionId"] == deleted, out
assert [(e["Key"], e["Code"], e["VersionId"]) for e in out["Errors"]] == [("parts", "NoSuchVersion", "bogus")], out

# listings page by page agree with the whole, in every form
for key in ["a/1", "a/2", "a/", "b c", "é", "a/1", "a/1", "b c"]:
    put(key, key.encode())
s3.delete_object(Bucket=b, Key="a/2")
for form in [{}, {"Prefix": "a/"}, {"Delimiter": "/"}, {"Prefix": "a/", "Delimiter": "/"}]:
    whole = s3.list_object_versions(Bucket=b, **form)
    for size in [1, 2, 3]:
        pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=b, PaginationConfig={"PageSize": size}, **form))
        for part in ["Versions", "DeleteMarkers", "CommonPrefixes"]:
            got = [e for page in pages for e in page.get(part, [])]
            assert got == whole.get(part, []), (form, size, part, got, whole.get(part))
        assert all(len(p.get("Versions", [])) + len(p.get("DeleteMarkers", [])) + len(p.get("CommonPrefixes", [])) <= size for p in pages)
with refused("InvalidArgument", 400, "A version-id marker cannot be specified without a key marker."):
    s3.list_object_versions(Bucket=b, VersionIdMarker=one)
with refused("InvalidArgument", 400, "Invalid version id specified"):
    s3.list_object_versions(Bucket=b, KeyMarker="k", VersionIdMarker="bogus")
assert listed(KeyMarker="k", Prefix="k") == ([], [])
assert len(s3.list_objects_v2(Bucket=b, MaxKeys=2)["Contents"]) == 2

# a version needs its own permission
s3.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/nobody"}, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{b}/*"}]}))
nobody.get_object(Bucket=b, Key="k")
for call in [lambda: nobody.get_object(Bucket=b, Key="k", VersionId=one), lambda: nobody.delete_object(Bucket=b, Key="k", VersionId=one),
             lambda: nobody.list_object_versions(Bucket=b), lambda: nobody.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Suspended"})]:
    with refused("AccessDenied", 403):
        call()
s3.put_bucket_policy(Bucket=b, Policy=json.dumps({"Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/nobody"}, "Action": "s3:GetObjectVersion",
     "Resource": f"arn:aws:s3:::{b}/*", "Condition": {"StringEquals": {"s3:VersionId": one}}}]}))
nobody.get_object(Bucket=b, Key="k", VersionId=one)
with refused("AccessDenied", 403):
    nobody.get_object(Bucket=b, Key="k", VersionId=five)

# everything can be removed, and then the bucket
for page in s3.get_paginator("list_object_versions").paginate(Bucket=b):
    all_of_it = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    assert "Errors" not in s3.delete_objects(Bucket=b, Delete={"Objects": all_of_it})
s3.delete_bucket(Bucket=b)
