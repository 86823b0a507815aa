"""Files on S3: found through the environment, named literally, and whole although requests fail."""

import random
from collections.abc import Iterator

import pyarrow.fs as pafs
import pytest

from configs.storage import s3
from configs.storage.files import filesystem, read_bytes, sizes_under, write_bytes
from tests.object_store.fault_proxy import FaultProxy, running_proxy


@pytest.fixture
def faulty(bucket: str, moto_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with running_proxy(moto_address, rate=0.2, seed=3, max_delay_s=0.1) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        yield proxy


def test_files_are_whole_although_every_fifth_request_fails(bucket: str, faulty: FaultProxy) -> None:
    rng = random.Random(1)
    contents = {f"a/{number}": rng.randbytes(1_000) for number in range(30)}
    contents["b/large"] = rng.randbytes(21_000_000)  # several requests
    for name, data in contents.items():
        write_bytes(f"{bucket}/r", name, data)
    assert sizes_under(f"{bucket}/r") == {name: len(data) for name, data in contents.items()}
    for name, data in contents.items():
        assert read_bytes(f"{bucket}/r", name) == data
    assert {fault for fault, count in faulty.counts.items() if count} >= {"cut_answer", "lost_answer"}


def test_a_store_that_is_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3.s3_filesystem.cache_clear()
    monkeypatch.setattr(s3, "FILE_ATTEMPTS", 2)
    with pytest.raises(OSError, match="Could not connect to server"):
        write_bytes("s3://bucket/r", "a", b"data")


@pytest.mark.parametrize("name", ["a b", "a%20b", "x?y", "x#y", "ü", "source=web/part-1.parquet"])
def test_names_are_taken_as_they_are(bucket: str, name: str) -> None:
    write_bytes(f"{bucket}/r/", name, b"data")
    assert sizes_under(f"{bucket}/r") == {name: 4}
    fs, path = filesystem(f"{bucket}/r//{name}/")
    assert fs.get_file_info(path).size == 4


def test_a_file_appears_whole_or_not_at_all(bucket: str) -> None:
    fs, base = filesystem(bucket)
    stream = fs.open_output_stream(f"{base}/a", compression=None)
    stream.write(b"x" * 1_000)
    assert fs.get_file_info(f"{base}/a").type == pafs.FileType.NotFound
    stream.close()
    assert fs.get_file_info(f"{base}/a").size == 1_000


def test_the_region_may_be_named_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    assert (s3.region(), s3.endpoint()) == (None, None)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert s3.region() == "eu-west-1"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3.s3_filesystem.cache_clear()
    assert s3.s3_filesystem("bucket").region == "eu-west-1"
    assert s3.s3_client("s3://bucket", 1, 1, 1)[0].meta.region_name == "eu-west-1"
    assert s3.s3_client("s3://bucket", 1, 1, 1)[0].meta.endpoint_url == "http://127.0.0.1:1"
