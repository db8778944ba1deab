"""Both listings: prefixes, delimiters, markers, pages, encoding."""
import itertools

from common import client, refused

s3 = client()
b = "listing-bucket"
s3.create_bucket(Bucket=b)
s3.create_bucket(Bucket="listing-bucket2")
s3.put_object(Bucket="listing-bucket2", Key="foreign", Body=b"")
keys = ["a", "a/", "a/1", "a/2", "a/b/1", "a0", "b/1", "b/2", "c", "photos/2024/x", "photos/2025/y", "z é+&"]
for k in keys:
    s3.put_object(Bucket=b, Key=k, Body=k.encode())


def expected(prefix="", delimiter="", after=""):
    """The listing as the documentation defines it."""
    out = []
    for k in sorted(keys, key=str.encode):
        if not k.startswith(prefix) or k <= after:
            continue
        i = k.find(delimiter, len(prefix)) if delimiter else -1
        if i >= 0:
            common = k[:i + len(delimiter)]
            if common == after or ("P", common) in out:
                continue
            out.append(("P", common))
        else:
            out.append(("K", k))
    return out


def flat(page):
    got = [("K", o["Key"]) for o in page.get("Contents", [])] + [("P", p["Prefix"]) for p in page.get("CommonPrefixes", [])]
    return sorted(got, key=lambda e: e[1].encode())


for prefix, delimiter, after in itertools.product(["", "a", "a/", "photos/", "nothing"], ["", "/", "1"], ["", "a", "a/", "a/1", "b/", "photos/2024/x", "zz"]):
    want = expected(prefix, delimiter, after)
    v2 = s3.list_objects_v2(Bucket=b, Prefix=prefix, Delimiter=delimiter, StartAfter=after)
    assert flat(v2) == want, (prefix, delimiter, after, flat(v2), want)
    assert v2["KeyCount"] == len(want) and not v2["IsTruncated"]
    v1 = s3.list_objects(Bucket=b, Prefix=prefix, Delimiter=delimiter, Marker=after)
    i = after.find(delimiter, len(prefix)) if delimiter and after.startswith(prefix) else -1
    if i >= 0:  # a marker under a common prefix stands behind all of it
        want = [e for e in want if e != ("P", after[:i + len(delimiter)])]
    assert flat(v1) == want, (prefix, delimiter, after, flat(v1), want)

for prefix, delimiter, size in itertools.product(["", "a"], ["", "/"], [1, 2, 3, 5]):
    for name in ["list_objects_v2", "list_objects"]:
        got = []
        for page in s3.get_paginator(name).paginate(Bucket=b, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}):
            part = flat(page)
            assert 0 < len(part) <= size
            got += part
        assert got == expected(prefix, delimiter), (name, prefix, delimiter, size, got)

page = s3.list_objects_v2(Bucket=b, MaxKeys=0)
assert page["KeyCount"] == 0 and not page["IsTruncated"]
page = s3.list_objects_v2(Bucket=b, MaxKeys=2)
assert page["IsTruncated"] and page["MaxKeys"] == 2
page = s3.list_objects_v2(Bucket=b, MaxKeys=5000)
assert page["MaxKeys"] == 1000 and not page["IsTruncated"]
with refused("InvalidArgument", 400):
    s3.list_objects_v2(Bucket=b, ContinuationToken="nonsense!")
with refused("InvalidArgument", 400):
    s3.list_objects_v2(Bucket=b, MaxKeys=-1)
o = s3.list_objects_v2(Bucket=b, Prefix="c", FetchOwner=True)["Contents"][0]
assert o["Size"] == 1 and o["StorageClass"] == "STANDARD" and len(o["Owner"]["ID"]) == 64 and o["ETag"].startswith('"')

many = "many-bucket"
s3.create_bucket(Bucket=many)
for i in range(1005):
    s3.put_object(Bucket=many, Key=f"{i:05}", Body=b"")
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=many))
assert [len(p["Contents"]) for p in pages] == [1000, 5]
for p in pages:
    out = s3.delete_objects(Bucket=many, Delete={"Objects": [{"Key": o["Key"]} for o in p["Contents"]]})
    assert len(out["Deleted"]) == len(p["Contents"]) and "Errors" not in out
s3.delete_bucket(Bucket=many)
