"""HTML forms that post an object, signed by boto3 and by hand with Version 2."""
import base64
import hashlib
import hmac
import json
import re
from datetime import datetime, timedelta, timezone

import urllib3
from common import ENDPOINT, client

http = urllib3.PoolManager()
s3 = client(signature_version="s3v4")
s3.create_bucket(Bucket="form-bucket")
URL = ENDPOINT + "/form-bucket"


def post(fields, content=b"bytes", name="picture.png", url=URL, **kw):
    form = list(fields.items())
    if content is not None:
        form.append(("file", (name, content, "image/png")))
    return http.request("POST", url, fields=form, redirect=False, **kw)


def signed(key="k", fields=None, conditions=None, seconds=60):
    p = s3.generate_presigned_post("form-bucket", key, Fields=fields, Conditions=conditions, ExpiresIn=seconds)
    return p["fields"]


def fails(answer, status, code, message="", **more):
    text = answer.data.decode()
    assert answer.status == status, (answer.status, status, text)
    assert f"<Code>{code}</Code>" in text, (code, text)
    assert message in text, (message, text)
    for name, value in more.items():
        assert f"<{name}>{value}</{name}>" in text, (name, value, text)


# As a browser sends it, with boto3's fields: of Version 2 where nothing else is asked for.
old = client().generate_presigned_post("form-bucket", "old")["fields"]
assert "AWSAccessKeyId" in old and post(old).status == 204
r = post(signed())
assert r.status == 204 and r.headers["ETag"] == '"%s"' % hashlib.md5(b"bytes").hexdigest(), (r.status, r.data)
assert s3.get_object(Bucket="form-bucket", Key="k")["Body"].read() == b"bytes"

# The name of the file, headers, metadata, tags and a status.
fields = {"Content-Type": "image/png", "x-amz-meta-color": "blue", "success_action_status": "201", "acl": "private",
          "tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"}
r = post(signed("up/${filename}", fields, [{k: v} for k, v in fields.items()] + [["starts-with", "$key", "up/"]]))
assert r.status == 201, r.data
assert re.search(b"<PostResponse><Location>.*/form-bucket/up%2Fpicture.png</Location><Bucket>form-bucket</Bucket><Key>up/picture.png</Key><ETag>&quot;", r.data), r.data
head = s3.head_object(Bucket="form-bucket", Key="up/picture.png")
assert head["ContentType"] == "image/png" and head["Metadata"] == {"color": "blue"} and head["TagCount"] == 1, head

# A page to go to.
to = {"success_action_redirect": "http://page.example.com/done?x=1"}
r = post(signed("k2", to, [to]))
assert r.status == 303, (r.status, r.data)
assert r.headers["Location"].startswith("http://page.example.com/done?bucket=form-bucket&etag=%22") and "key=k2" in r.headers["Location"], r.headers

# What a policy refuses.
limit = [["content-length-range", 3, 6]]
assert post(signed(conditions=limit)).status == 204
fails(post(signed(conditions=limit), b"1234567"), 400, "EntityTooLarge", ProposedSize=7, MaxSizeAllowed=6)
fails(post(signed(conditions=limit), b"1"), 400, "EntityTooSmall", ProposedSize=1, MinSizeAllowed=3)
fails(post(signed(conditions=[["content-length-range", "few", 6]])), 403, "AccessDenied",
      "Invalid according to Policy: Policy Condition failed: [&quot;content-length-range&quot;, &quot;few&quot;, &quot;6&quot;]")
fails(post({**signed(), "key": "other"}), 403, "AccessDenied", 'Invalid according to Policy: Policy Condition failed: [&quot;eq&quot;, &quot;$key&quot;, &quot;k&quot;]')
fails(post({"x-amz-meta-more": "1", **signed()}), 403, "AccessDenied", "Invalid according to Policy: Extra input fields: x-amz-meta-more")
assert post({"x-ignore-this": "1", **signed()}).status == 204
fails(post(signed(seconds=-5)), 403, "AccessDenied", "Invalid according to Policy: Policy expired.")
fails(post({**signed(), "policy": base64.b64encode(b"{}").decode()}), 403, "SignatureDoesNotMatch")
fails(post({**signed(), "x-amz-signature": "0" * 64}), 403, "SignatureDoesNotMatch")

# What is missing.
for name in ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "policy"]:
    f = signed()
    del f[name]
    fails(post(f), 400, "InvalidArgument", "Bucket POST must contain a field named", ArgumentValue="")
f = signed()
del f["key"]
fails(post(f), 400, "InvalidArgument", ArgumentName="key")
fails(post(signed(), None), 400, "InvalidArgument", "POST requires exactly one file upload per request.", ArgumentName="file")
fails(http.request("POST", URL, body=b"x", headers={"Content-Type": "text/plain"}), 412, "PreconditionFailed",
      Condition="Bucket POST must be of the enclosure-type multipart/form-data")
fails(http.request("POST", URL, body=b"x", headers={"Content-Type": "multipart/form-data; boundary=b"}), 400, "MalformedPOSTRequest")
fails(post({"key": "k", "long": "x" * 30000}), 400, "MaxPostPreDataLengthExceeded")
fails(post({"key": "k"}), 403, "AccessDenied")  # nobody's


def by_hand(document, **more):
    policy = base64.b64encode(document if isinstance(document, bytes) else json.dumps(document).encode()).decode()
    signature = base64.b64encode(hmac.new(b"akiaroot", policy.encode(), hashlib.sha1).digest()).decode()
    return {"AWSAccessKeyId": "AKIAROOT", "policy": policy, "signature": signature, "key": "v2", **more}


end = (datetime.now(timezone.utc) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
good = {"expiration": end, "conditions": [{"bucket": "form-bucket"}, ["eq", "$key", "v2"], ["starts-with", "$Content-Type", "image/"]]}
assert post(by_hand(good, **{"Content-Type": "image/gif"})).status == 204
fails(post(by_hand(good, **{"Content-Type": "text/html"})), 403, "AccessDenied", "Policy Condition failed: [&quot;starts-with&quot;, &quot;$content-type&quot;, &quot;image/&quot;]")
for document, text in [(b"{", "Invalid Policy: Invalid JSON."), ({"conditions": []}, "Invalid Policy: Policy missing expiration."),
                       ({"expiration": end}, "Invalid Policy: Policy missing conditions."), ({"expiration": "soon", "conditions": []}, "Invalid Policy: Invalid "),
                       ({"expiration": end, "conditions": [["near", "$key", "a"]]}, "Invalid Policy: Invalid Condition")]:
    fails(post(by_hand(document)), 400, "InvalidPolicyDocument", text)
fails(post({**by_hand(good), "signature": "AAAA"}), 403, "SignatureDoesNotMatch")
f = by_hand(good)
del f["signature"]
fails(post(f), 400, "InvalidArgument", ArgumentName="Signature")
