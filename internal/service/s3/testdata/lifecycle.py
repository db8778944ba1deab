"""Lifecycle configurations and storage classes, as far as no time passes."""
import datetime

from common import client, refused

s3 = client()
b = "lifecycle-bucket"
s3.create_bucket(Bucket=b)
MIDNIGHT = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)


def put(*rules, **more):
    return s3.put_bucket_lifecycle_configuration(Bucket=b, LifecycleConfiguration={"Rules": list(rules)}, **more)


def rule(**what):
    return {"Status": "Enabled", "Filter": {"Prefix": ""}, **what}


with refused("NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist"):
    s3.get_bucket_lifecycle_configuration(Bucket=b)
s3.delete_bucket_lifecycle(Bucket=b)
days = {"Expiration": {"Days": 1}}
for bad, code, text in [
        ([], "MalformedXML", ""), ([{"Status": "Enabled", **days}], "MalformedXML", ""), ([rule(**days, Status="enabled")], "MalformedXML", ""),
        ([rule(**days, Prefix="x")], "MalformedXML", ""), ([rule()], "InvalidRequest", "At least one action needs to be specified in a rule"),
        ([rule(**days, ID="a"), rule(**days, ID="a")], "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule"),
        ([rule(**days, ID="a" * 256)], "InvalidArgument", "ID length should not exceed allowed limit of 255"),
        ([rule(Expiration={})], "MalformedXML", ""), ([rule(Expiration={"Days": 1, "Date": MIDNIGHT})], "MalformedXML", ""),
        ([rule(Expiration={"Days": 0})], "InvalidArgument", "'Days' for Expiration action must be a positive integer"),
        ([rule(Expiration={"Date": MIDNIGHT + datetime.timedelta(hours=1)})], "InvalidArgument", "'Date' must be at midnight GMT"),
        ([rule(**days, Filter={"Prefix": "a", "Tag": {"Key": "k", "Value": "v"}})], "MalformedXML", ""),
        ([rule(**days, Filter={"And": {"Prefix": "a"}})], "MalformedXML", ""),
        ([rule(**days, Filter={"And": {"Tags": [{"Key": "k", "Value": "v"}, {"Key": "k", "Value": "w"}]}})], "InvalidRequest", "Duplicate Tag Keys are not allowed."),
        ([rule(**days, Filter={"And": {"ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 5}})], "InvalidRequest", "'ObjectSizeLessThan' has to be"),
        ([rule(Filter={"Tag": {"Key": "k", "Value": "v"}}, Expiration={"ExpiredObjectDeleteMarker": True})], "InvalidRequest", "cannot be specified with Tags."),
        ([rule(Filter={"ObjectSizeLessThan": 5}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})], "InvalidRequest", "cannot be specified with Object Size."),
        ([rule(NoncurrentVersionExpiration={"NoncurrentDays": 0})], "InvalidArgument", "'NoncurrentDays' for NoncurrentVersionExpiration"),
        ([rule(NoncurrentVersionExpiration={"NewerNoncurrentVersions": 1})], "MalformedXML", ""),
        ([rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0})], "InvalidArgument", ""),
        ([rule(Transitions=[{"Days": 1, "StorageClass": "STANDARD_IA"}])], "InvalidArgument", "greater than or equal to 30 for storageClass 'STANDARD_IA'"),
        ([rule(Transitions=[{"Days": 40, "StorageClass": "GLACIER"}], Expiration={"Days": 40})], "InvalidArgument", "must be greater than 'Days' in the Transition action"),
        ([rule(Transitions=[{"Days": 40, "StorageClass": "GLACIER"}], Expiration={"Date": MIDNIGHT})], "InvalidRequest", "Found mixed 'Date' and 'Days'"),
        ([rule(Transitions=[{"Days": 40, "StorageClass": "COLD"}])], "MalformedXML", "")]:
    with refused(code, 400, text):
        put(*bad)

want = [
    {"ID": "days", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}},
    {"ID": "many", "Status": "Disabled", "Filter": {"And": {"Prefix": "x", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 1}},
     "Expiration": {"Date": MIDNIGHT}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
     "Transitions": [{"Date": MIDNIGHT, "StorageClass": "GLACIER"}], "NoncurrentVersionTransitions": [{"NoncurrentDays": 1, "StorageClass": "GLACIER_IR"}]},
    {"ID": "old form", "Status": "Enabled", "Prefix": "old", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]
assert put(*want)["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
got = s3.get_bucket_lifecycle_configuration(Bucket=b)["Rules"]
assert got == want, got
put(rule(**days))
assert s3.get_bucket_lifecycle_configuration(Bucket=b)["Rules"][0]["ID"]

# what will expire says so
put({"ID": "a rule", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}},
    {"ID": "parts", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}})
out = s3.put_object(Bucket=b, Key="logs/1", Body=b"x")["Expiration"]
assert 'rule-id="a+rule"' in out and 'expiry-date="' in out and "00:00:00 GMT" in out, out
assert s3.head_object(Bucket=b, Key="logs/1")["Expiration"] == out
assert s3.get_object(Bucket=b, Key="logs/1")["Expiration"] == out
assert "Expiration" not in s3.put_object(Bucket=b, Key="other", Body=b"x")
u = s3.create_multipart_upload(Bucket=b, Key="logs/2")
assert u["AbortRuleId"] == "parts" and u["AbortDate"].hour == 0, u
s3.delete_bucket_lifecycle(Bucket=b)
assert "Expiration" not in s3.head_object(Bucket=b, Key="logs/1")

# storage classes
s3.put_object(Bucket=b, Key="ia", Body=b"x", StorageClass="STANDARD_IA")
assert s3.head_object(Bucket=b, Key="ia")["StorageClass"] == "STANDARD_IA"
assert s3.get_object(Bucket=b, Key="ia")["Body"].read() == b"x"
s3.put_object(Bucket=b, Key="cold", Body=b"x", StorageClass="GLACIER")
with refused("InvalidObjectState", 403):
    s3.get_object(Bucket=b, Key="cold")
with refused("ObjectNotInActiveTierError", 403):
    s3.copy_object(Bucket=b, Key="warm", CopySource=f"{b}/cold")
s3.copy_object(Bucket=b, Key="ia", CopySource=f"{b}/ia", StorageClass="ONEZONE_IA")
classes = {o["Key"]: o["StorageClass"] for o in s3.list_objects_v2(Bucket=b)["Contents"]}
assert classes == {"logs/1": "STANDARD", "other": "STANDARD", "ia": "ONEZONE_IA", "cold": "GLACIER"}, classes
assert s3.get_object_attributes(Bucket=b, Key="cold", ObjectAttributes=["StorageClass"])["StorageClass"] == "GLACIER"
for bad in ["COLD", "SNOW"]:
    with refused("InvalidStorageClass", 400):
        s3.put_object(Bucket=b, Key="bad", Body=b"x", StorageClass=bad)
