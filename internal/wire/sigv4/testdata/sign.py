"""Signs requests with botocore and prints them as JSON, one independent signer for the verifier's tests.

Input: JSON on stdin, a list of {method, url, headers, body (latin-1), service, mode, expires, token, time}.
Output: a list of {url, headers}.
"""
import json
import sys

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

MODES = {
    "header": auth.SigV4Auth,
    "s3": auth.S3SigV4Auth,
    "query": auth.SigV4QueryAuth,
    "s3query": auth.S3SigV4QueryAuth,
    "v2query": auth.HmacV1QueryAuth,
}


def sign(case):
    creds = Credentials(case["key"], case["secret"], case.get("token"))
    request = AWSRequest(method=case["method"], url=case["url"], headers=case.get("headers") or {},
                         data=(case.get("body") or "").encode("latin-1"))
    request.context["payload_signing_enabled"] = case.get("sign_payload", True)
    mode = MODES[case["mode"]]
    if case["mode"] == "v2query":
        mode(creds, expires=case["expires"]).add_auth(request)
    elif case["mode"].endswith("query"):
        mode(creds, case["service"], case["region"], expires=case["expires"]).add_auth(request)
    else:
        mode(creds, case["service"], case["region"]).add_auth(request)
    prepared = request.prepare()
    headers = {k: v.decode() if isinstance(v, bytes) else v for k, v in prepared.headers.items()}
    return {"url": prepared.url, "headers": headers}


json.dump([sign(c) for c in json.load(sys.stdin)], sys.stdout)
