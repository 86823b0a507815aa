"""The one Spark session of a test run: two threads, small, no UI."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    """Started by the first test that asks for it (some ten seconds)."""
    import os
    import sys

    from pyspark.sql import SparkSession

    from pipeline.spark.session import SETTINGS

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = (
        SparkSession.builder.appName("tests")
        .master("local[2]")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "4")
    )
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def moto_address() -> Iterator[str]:
    """Address of an S3 server of this test run's own (some five seconds)."""
    from tests.object_store.moto_server import running_moto

    with running_moto() as address:
        yield address


@pytest.fixture
def bucket(moto_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a new, empty bucket, which pyarrow and boto3 find through the environment."""
    import uuid

    import boto3

    from configs.storage.s3 import s3_filesystem
    from tests.object_store.moto_server import ENVIRONMENT

    s3_filesystem.cache_clear()  # a client keeps the address that it was made with

    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": moto_address}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION", raising=False)
    name = f"test-{uuid.uuid4().hex[:12]}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"
