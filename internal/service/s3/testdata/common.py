"""What the scripts share: a client, and an assertion about errors."""
import contextlib
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]


def client(key="AKIAROOT", region="us-east-1", **config):
    config.setdefault("s3", {"addressing_style": "path"})
    return boto3.client(
        "s3", region_name=region, endpoint_url=ENDPOINT, aws_access_key_id=key,
        aws_secret_access_key=key.lower(), config=Config(retries={"max_attempts": 0}, **config))


@contextlib.contextmanager
def refused(code, status=None, message=None):
    try:
        yield
    except ClientError as e:
        got = e.response["Error"]["Code"]
        assert got == code, f"got {got}, want {code}: {e}"
        if status is not None:
            have = e.response["ResponseMetadata"]["HTTPStatusCode"]
            assert have == status, f"status {have}, want {status}"
        if message is not None:
            assert message in str(e), f"{message!r} is not in {e}"
        return
    raise AssertionError(f"succeeded, want {code}")
