"""Buckets in other regions than the client's: what it is told, and that it finds its way."""
import urllib3
from botocore.exceptions import ClientError
from common import ENDPOINT, client, refused

east, west, europe = client(), client(region="us-west-2"), client(region="eu-west-1")
europe.create_bucket(Bucket="far-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
east.create_bucket(Bucket="near-bucket")

# boto3 turns to the region that it is told and asks again.
for c in [east, west, europe]:
    c.put_object(Bucket="far-bucket", Key="k", Body=b"x")
    assert c.get_object(Bucket="far-bucket", Key="k")["Body"].read() == b"x"
    assert c.head_object(Bucket="far-bucket", Key="k")["ContentLength"] == 1
    assert c.head_bucket(Bucket="far-bucket")["BucketRegion"] == "eu-west-1"
    assert c.get_bucket_location(Bucket="far-bucket")["LocationConstraint"] == "eu-west-1"
    assert c.list_objects_v2(Bucket="near-bucket")["KeyCount"] == 0

# A client that does not follow.
def still(client):
    client.meta.events.unregister("needs-retry.s3", unique_id="s3-region-redirector")
    for handler in list(client.meta.events._emitter._handlers.prefix_search("needs-retry.s3")):
        if "redirect_from_error" in repr(handler):
            client.meta.events.unregister("needs-retry.s3", handler)
    return client


def told(c, status, code):
    try:
        c.list_objects_v2(Bucket="far-bucket")
    except ClientError as e:
        meta = e.response["ResponseMetadata"]
        assert (meta["HTTPStatusCode"], e.response["Error"]["Code"]) == (status, code), e.response
        assert meta["HTTPHeaders"]["x-amz-bucket-region"] == "eu-west-1", meta
        return e.response["Error"]
    raise AssertionError("was let through")


assert told(still(client()), 400, "AuthorizationHeaderMalformed")["Region"] == "eu-west-1"
assert told(still(client(region="us-west-2")), 301, "PermanentRedirect")["Endpoint"] == "far-bucket.s3.eu-west-1.amazonaws.com"

# Copies go across regions; the address is the target's.
europe.copy_object(Bucket="far-bucket", Key="c", CopySource="far-bucket/k")
east.copy_object(Bucket="near-bucket", Key="c", CopySource="far-bucket/k")

# A presigned URL is good for its region only.
url = client(region="us-west-2", signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": "far-bucket", "Key": "k"})
assert urllib3.PoolManager().request("GET", url, redirect=False).status == 301
url = client(region="eu-west-1", signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": "far-bucket", "Key": "k"})
assert urllib3.PoolManager().request("GET", url).data == b"x"

with refused("IllegalLocationConstraintException", 400, "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to."):
    west.create_bucket(Bucket="other-bucket")
with refused("IllegalLocationConstraintException", 400, "The eu-west-1 location constraint is incompatible for the region specific endpoint this request was sent to."):
    west.create_bucket(Bucket="other-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
with refused("InvalidLocationConstraint", 400):
    east.create_bucket(Bucket="other-bucket", CreateBucketConfiguration={"LocationConstraint": "us-east-1"})
