"""How we reach S3: pyarrow for files and boto3 for leases, set by the same environment variables.

Keys: what AWS tools read (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, ~/.aws, the machine's
role). Region: AWS_DEFAULT_REGION or AWS_REGION. A store other than AWS: AWS_ENDPOINT_URL_S3 or
AWS_ENDPOINT_URL, such as http://127.0.0.1:9000.
"""

import importlib
import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pyarrow.fs as pafs

from configs.loader import ConfigError

FILE_ATTEMPTS = 10
"""Our choice: pauses of 25 ms, doubled each time, so a store may be away for 25 s. Faults in 10 and in 20 %
of the requests left no operation undone (tests/object_store/fault_proxy.py).
"""

CONNECT_TIMEOUT_S = 5
REQUEST_TIMEOUT_S = 30
"""Without any byte. Our choice: pyarrow's default of 3 s is less than a busy store takes for a large part."""


def endpoint() -> str | None:
    """Address of the store; None for AWS."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def region() -> str | None:
    """The region that the environment names."""
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or None


@cache
def s3_filesystem(bucket: str) -> pafs.FileSystem:
    """The client of this process for a bucket, with its connections."""
    store = urlsplit(endpoint() or "")
    where = region()
    if where is None and not store.netloc:
        where = pafs.FileSystem.from_uri(f"s3://{bucket}")[0].region  # asks AWS where the bucket is
    return pafs.S3FileSystem(
        endpoint_override=store.netloc or None,
        scheme=store.scheme or None,
        region=where,
        # pyarrow's standard strategy stops trying again when its allowance for retries is used up: 2 % of the
        # operations failed where 10 % of the requests did, however many attempts it had.
        retry_strategy=pafs.AwsDefaultS3RetryStrategy(max_attempts=FILE_ATTEMPTS),
        connect_timeout=CONNECT_TIMEOUT_S,
        request_timeout=REQUEST_TIMEOUT_S,
        allow_delayed_open=True,  # a small file is one request, not three
    )


def s3_client(
    root: str, attempts: int, connect_timeout_s: float, read_timeout_s: float
) -> tuple[Any, tuple[type[Exception], ...]]:
    """A client of boto3, which knows conditional writes, and the errors that it raises.

    `root` is for the messages. Raises ConfigError if boto3 is not installed or not configured.
    """
    try:
        # By name: its version says nothing about a job's result, so it stays out of the code's hash.
        boto3 = importlib.import_module("boto3")
    except ModuleNotFoundError:
        raise ConfigError(
            f"{root}: boto3 is not installed, which keeps two runs of a job apart on an object store; "
            "remedy: pip install boto3"
        ) from None
    settings = importlib.import_module("botocore.config").Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Stores other than AWS may not know the newer checksums.
        request_checksum_calculation="when_required",
        ignore_configured_endpoint_urls=True,  # of ~/.aws/config, which pyarrow does not read
    )
    errors = importlib.import_module("botocore.exceptions")
    try:
        client = boto3.session.Session().client(
            "s3", endpoint_url=endpoint(), region_name=region(), config=settings
        )
    except (errors.BotoCoreError, ValueError) as error:
        raise ConfigError(f"{root}: {error}; remedy: correct the AWS_... variables") from None
    return client, (errors.ClientError, errors.BotoCoreError)
