"""An input on an object store: a request that fails ends the job, a damaged file becomes rejects."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.loader import ConfigError
from configs.storage import s3
from configs.tables import write_bytes
from pipeline.reading.files import read_file
from pipeline.reading.list_inputs import InputFile
from pipeline.reading.stored import open_stored
from tests.object_store.fault_proxy import FaultProxy, running_proxy

LIMITS = SimpleNamespace(max_content_bytes=10_000_000, max_expansion=100)
TEXT = "The integral of one over x is the logarithm of x. " * 50_000
RECORD = (
    b"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:1>\r\nContent-Type: text/plain\r\n"
    b"WARC-Target-URI: https://a.example/\r\nContent-Length: %d\r\n\r\n%b\r\n\r\n"
    % (len(TEXT), TEXT.encode())
)


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": [TEXT]}), sink, compression="none", use_dictionary=False)
    return sink.getvalue()


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a.warc": ("warc", lambda: RECORD),
    "a.warc.gz": ("warc", lambda: gzip.compress(RECORD, 0)),
    "a.jsonl": ("jsonl", lambda: json.dumps({"text": TEXT}).encode()),
    "a.jsonl.gz": ("jsonl", lambda: gzip.compress(json.dumps({"text": TEXT}).encode(), 0)),
    "a.parquet": ("parquet", parquet),
    "a b%20#?.txt": ("text", lambda: TEXT.encode()),
}


@pytest.fixture
def store(bucket: str, moto_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy that fails when its rate is raised, before a bucket with every file of FILES."""
    monkeypatch.setattr(s3, "FILE_ATTEMPTS", 1)
    with running_proxy(moto_address, rate=0.0, seed=1) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        for name, (_, content) in FILES.items():
            write_bytes(bucket, name, content())
        yield proxy


def read(bucket: str, name: str, format: str) -> list[object]:
    source = SimpleNamespace(format=format, text_field="text", id_field=None, url_field=None)
    return list(read_file(InputFile(f"{bucket}/{name}", name, name), source, LIMITS))


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read_and_a_failing_store_is_no_reject(
    bucket: str, store: FaultProxy, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = read(bucket, name, FILES[name][0])
    assert row.reject_reason is None  # type: ignore[attr-defined]
    assert row.content.decode() == TEXT  # type: ignore[attr-defined]
    whole_answers = 1 if FILES[name][0] == "text" else 2  # the file's size, and some of its bytes
    answered = 0

    def cut_after_the_first_answers() -> tuple[str, float]:
        nonlocal answered
        answered += 1
        return ("", 0.0) if answered <= whole_answers else ("cut_answer", 0.0)

    monkeypatch.setattr(store, "draw", cut_after_the_first_answers)
    with pytest.raises(ConfigError, match=r"the object store does not give it .*AWS Error.*remedy"):
        read(bucket, name, FILES[name][0])
    assert answered > whole_answers


def test_a_damaged_file_is_a_reject_there_too(bucket: str, store: FaultProxy) -> None:
    write_bytes(bucket, "b.parquet", b"no parquet")
    write_bytes(bucket, "b.jsonl.gz", gzip.compress(b'{"text": "a"}' * 1_000)[:-30])
    for name, format in (("b.parquet", "parquet"), ("b.jsonl.gz", "jsonl"), ("none.txt", "text")):
        assert [row.reject_reason for row in read(bucket, name, format)] == ["file_unreadable"]  # type: ignore[attr-defined]


def test_a_local_file_keeps_its_own_errors(tmp_path: object) -> None:
    with pytest.raises(FileNotFoundError):
        open_stored(f"{tmp_path}/none")
    write_bytes(str(tmp_path), "a", b"0123456789")
    stored, size = open_stored(f"{tmp_path}/a")
    with stored:
        stored.seek(-2, io.SEEK_END)
        assert (stored.read(), stored.tell(), size) == (b"89", 10, 10)
    assert stored.closed
