"""Nothing in a WARC is lost silently: each record, or what is left of it, comes out once."""

import gzip
import random
from pathlib import Path

import pytest

from pipeline.reading.warc import WarcRecord, read_warc
from tests.pipeline.warc_files import bare, compressed, record, response

RECORDS = [response(name) for name in ("a", "b", "c")]
LIMIT = 1_000_000


def read(path: Path, data: bytes, limit: int = LIMIT) -> list[WarcRecord]:
    path.write_bytes(data)
    return list(read_warc(str(path), limit))


def outcome(records: list[WarcRecord]) -> list[tuple[str | None, str | None]]:
    """(name, fault) of each record."""
    return [(r.record_id[10:-1] if r.record_id else None, r.fault) for r in records]


WHOLE = [("a", None), ("b", None), ("c", None)]


PACKS = [b"".join, lambda rs: compressed(*rs), lambda rs: gzip.compress(b"".join(rs))]


@pytest.mark.parametrize("pack", PACKS)
def test_whole_files_give_every_record(tmp_path: Path, pack) -> None:
    data = pack(RECORDS)
    records = read(tmp_path / "x.warc", data)
    assert outcome(records) == WHOLE
    assert records[1].content.endswith(b"\r\n\r\n<html><p>hello</p></html>")
    assert records[1].url == "https://site.example/b"
    assert records[1].fetched_at.isoformat() == "2026-01-02T03:04:05+00:00"


def test_offsets_and_lengths_cut_each_record_out_of_the_file(tmp_path: Path) -> None:
    for data in (b"".join(RECORDS), compressed(*RECORDS)):
        records = read(tmp_path / "x.warc", data)
        assert [r.offset for r in records] == [0, len(data) // 3, 2 * len(data) // 3]
        pieces = [data[r.offset : r.offset + r.length] for r in records]
        assert b"".join(pieces) == data
        assert outcome(read(tmp_path / "one.warc", pieces[1])) == [("b", None)]


def test_truncated_last_record(tmp_path: Path) -> None:
    plain = read(tmp_path / "plain", b"".join(RECORDS)[:-20])
    assert outcome(plain) == [("a", None), ("b", None), ("c", "warc_truncated_record")]
    zipped = read(tmp_path / "zipped", compressed(*RECORDS)[:-30])
    assert outcome(zipped)[:2] == WHOLE[:2]
    assert zipped[2].fault == "warc_truncated_record"


def test_file_cut_inside_a_record_header(tmp_path: Path) -> None:
    plain = b"".join(RECORDS)
    at = len(RECORDS[0]) + 30
    assert outcome(read(tmp_path / "plain", plain[:at])) == [("a", None), (None, "warc_truncated_record")]
    member = len(compressed(RECORDS[0]))
    assert outcome(read(tmp_path / "zipped", compressed(*RECORDS)[: member + 30])) == [
        ("a", None),
        (None, "warc_truncated_record"),
    ]


def test_corrupt_gzip_member_costs_only_itself(tmp_path: Path) -> None:
    rng = random.Random(5)
    noisy = [response(name, rng.randbytes(5_000)) for name in ("a", "b", "c")]
    data = bytearray(compressed(*noisy))
    first = len(compressed(noisy[0]))
    data[first + 1_000] ^= 0xFF
    records = read(tmp_path / "x", bytes(data))
    assert outcome(records) == [("a", None), ("b", "warc_malformed_record"), ("c", None)]
    assert (records[1].offset, records[1].offset + records[1].length) == (first, records[2].offset)
    assert records[1].content == b""


def test_wrong_checksum_is_noticed_although_the_content_is_whole(tmp_path: Path) -> None:
    data = bytearray(compressed(*RECORDS))
    data[len(data) // 3 - 6] ^= 0xFF
    assert outcome(read(tmp_path / "x", bytes(data))) == [
        ("a", "warc_malformed_record"),
        ("b", None),
        ("c", None),
    ]


def test_content_length_that_swallows_the_next_records(tmp_path: Path) -> None:
    long = response("a", content_length=1_000_000 - 1)
    assert outcome(read(tmp_path / "x", long + RECORDS[1] + RECORDS[2])) == [
        ("a", "warc_truncated_record"),
        ("b", None),
        ("c", None),
    ]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("too_long", [1, 3, 5, 60, 300, 320])
def test_content_length_that_reaches_into_the_next_record(tmp_path: Path, pack, too_long: int) -> None:
    length = len(RECORDS[0].split(b"\r\n\r\n", 1)[1]) - 4
    long = response("a", content_length=length + 4 + too_long)
    records = read(tmp_path / "x", pack([long, *RECORDS[1:]]))
    assert outcome(records) == [("a", "warc_truncated_record"), ("b", None), ("c", None)]
    assert records[0].content == b""


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("ending", [b"\r\n\r\n", b"\n", b""])
@pytest.mark.parametrize("dress", [bytes, bare])
def test_a_record_cut_in_the_middle_costs_only_itself(tmp_path: Path, pack, ending: bytes, dress) -> None:
    whole = [dress(response(name, b"<p>" + b"text " * 200)) for name in ("a", "b", "c")]
    cut = whole[1][:700] + ending
    records = read(tmp_path / "x", pack([whole[0], cut, whole[2]]))
    assert outcome(records) == [("a", None), ("b", "warc_truncated_record"), ("c", None)]
    if pack is b"".join:
        assert [r.length for r in records] == [len(whole[0]), len(cut), len(whole[2])]


def test_content_length_that_is_too_small_keeps_the_rest_in_a_row(tmp_path: Path) -> None:
    short = response("b", b"<p>" + b"text " * 200, content_length=400)
    records = read(tmp_path / "x", RECORDS[0] + short + RECORDS[2])
    assert outcome(records) == [("a", None), ("b", None), (None, "warc_malformed_record"), ("c", None)]
    assert sum(r.length for r in records) == len(RECORDS[0] + short + RECORDS[2])


@pytest.mark.parametrize("pack", PACKS)
def test_headers_with_bare_line_breaks(tmp_path: Path, pack) -> None:
    records = read(tmp_path / "x", pack(list(map(bare, RECORDS))))
    assert outcome(records) == WHOLE
    assert records[1].content.endswith(b"\r\n\r\n<html><p>hello</p></html>")
    assert outcome(read(tmp_path / "y", pack([RECORDS[0], bare(RECORDS[1]), RECORDS[2]]))) == WHOLE


def test_old_versions_and_more_blank_lines(tmp_path: Path) -> None:
    old = RECORDS[0].replace(b"WARC/1.0", b"WARC/0.18") + b"\r\n" + RECORDS[1] + b"\n\n" + RECORDS[2]
    assert outcome(read(tmp_path / "x", old)) == WHOLE


def test_brackets_around_the_uri_are_not_part_of_it(tmp_path: Path) -> None:
    wget = RECORDS[0].replace(b"https://site.example/a", b"<https://site.example/a>")
    [found] = read(tmp_path / "x", wget)
    assert found.url == "https://site.example/a"


def test_a_page_that_quotes_a_record_stays_whole(tmp_path: Path) -> None:
    quoting = response("a", b"<pre>" + RECORDS[1] + b"</pre>")
    assert outcome(read(tmp_path / "x", quoting + RECORDS[2])) == [("a", None), ("c", None)]
    assert outcome(read(tmp_path / "y", RECORDS[2] + quoting)) == [("c", None), ("a", None)]


def test_content_length_that_is_no_number(tmp_path: Path) -> None:
    bad = response("b", content_length="x62")
    expected = [("a", None), ("b", "warc_malformed_record"), (None, "warc_malformed_record"), ("c", None)]
    assert outcome(read(tmp_path / "plain", RECORDS[0] + bad + RECORDS[2])) == expected
    assert outcome(read(tmp_path / "zipped", compressed(RECORDS[0], bad, RECORDS[2]))) == expected


def test_garbage_between_records(tmp_path: Path) -> None:
    junk = b"junk" * 100
    plain = read(tmp_path / "plain", RECORDS[0] + junk + b"\r\n\r\n" + RECORDS[1])
    assert outcome(plain) == [("a", None), (None, "warc_malformed_record"), ("b", None)]
    zipped = read(tmp_path / "zipped", compressed(RECORDS[0]) + junk + compressed(RECORDS[1]))
    assert outcome(zipped) == [("a", None), (None, "warc_malformed_record"), ("b", None)]


def test_a_file_that_stops_being_a_warc(tmp_path: Path) -> None:
    expected = [("a", None), (None, "warc_unreadable")]
    plain = read(tmp_path / "plain", RECORDS[0] + b"junk" * 100)
    assert outcome(plain) == expected
    assert (plain[1].offset, plain[1].length) == (len(RECORDS[0]), 400)
    zipped_junk = compressed(RECORDS[0]) + gzip.compress(b"junk" * 100)
    assert outcome(read(tmp_path / "zipped_junk", zipped_junk)) == expected
    assert outcome(read(tmp_path / "zipped", compressed(RECORDS[0]) + b"junk" * 100)) == expected


def test_large_records_are_skipped_not_held(tmp_path: Path) -> None:
    large = response("b", b"x" * 50_000)
    expected = [("a", None), ("b", "too_large"), ("c", None)]
    for pack in (b"".join, lambda rs: compressed(*rs)):
        records = read(tmp_path / "x", pack([RECORDS[0], large, RECORDS[2]]), limit=10_000)
        assert outcome(records) == expected
        assert records[1].content == b""


def test_every_bit_flip_leaves_a_trace(tmp_path: Path) -> None:
    """Of 40 records a flipped bit may cost the one it hits; that one still has a row."""
    rng = random.Random(7)
    rows = [record(f"n{n}", rng.randbytes(400), record_type="metadata") for n in range(40)]
    data = compressed(*rows)
    for _ in range(60):
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        records = read(tmp_path / "x", bytes(flipped))
        good = {r.record_id for r in records if not r.fault}
        assert len(good) >= 39
        assert len(good) == 40 or any(r.fault for r in records)
        assert sum(r.length for r in records) == len(data)


@pytest.mark.parametrize("head", [bytes(500), b"<html>a page</html>", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [b"".join, lambda rs: compressed(*rs)])
def test_records_after_a_foreign_start_come_out(tmp_path: Path, head: bytes, pack) -> None:
    data = pack(RECORDS)
    records = read(tmp_path / "x", head + data)
    assert outcome(records) == [(None, "warc_malformed_record"), *WHOLE]
    assert (records[0].offset, records[0].length) == (0, len(head))
    assert records[0].detail == "the file does not start as a WARC does"
    assert [r.offset for r in records[1:]] == [len(head) + n * len(data) // 3 for n in range(3)]


@pytest.mark.parametrize("pack", [b"".join, lambda rs: compressed(*rs)])
@pytest.mark.parametrize("zeroed_fraction", [0.3, 1.0])
def test_a_zeroed_start_costs_the_first_record_only(tmp_path: Path, pack, zeroed_fraction: float) -> None:
    data = pack(RECORDS)
    zeroed = int(zeroed_fraction * len(data) / 3)
    records = read(tmp_path / "x", bytes(zeroed) + data[zeroed:])
    assert outcome(records) == [(None, "warc_malformed_record"), ("b", None), ("c", None)]
    assert (records[0].offset, records[0].length) == (0, len(data) // 3)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "the file holds no record"),
        (gzip.compress(b"", mtime=0), "the file holds no record"),
        (b"a text\nof two lines\n", "the file does not start as a WARC does"),
        (bytes(5_000), "the file does not start as a WARC does"),
        (b"WA", "the file does not start as a WARC does"),
        (gzip.compress(b"<html>" * 99, mtime=0), "Invalid WARC header"),
        (gzip.compress(b"a line\n" * 99, mtime=0), "Invalid WARC header"),
    ],
)
def test_a_file_that_is_no_warc_is_one_fault(tmp_path: Path, data: bytes, detail: str) -> None:
    [fault] = read(tmp_path / "x", data)
    assert fault == WarcRecord(0, len(data), fault="warc_unreadable", detail=detail)


def test_damage_in_a_plain_file_keeps_every_byte_in_some_row(tmp_path: Path) -> None:
    rng = random.Random(9)
    data = b"".join(record(f"n{n}", rng.randbytes(100), record_type="metadata") for n in range(20))
    for _ in range(60):
        damaged = bytearray(data)
        at = rng.randrange(len(data))
        damaged[at : at + 20] = rng.randbytes(20)
        records = read(tmp_path / "x", bytes(damaged))
        assert sum(r.length for r in records) == len(data)
        assert len({r.record_id for r in records if not r.fault}) >= 18
