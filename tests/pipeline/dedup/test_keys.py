"""Rank and text hash of a document, whatever its columns hold and wherever the job runs."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.dedup.keys import rank_of, text_key


@pytest.fixture(params=["UTC0", "EST5", "IST-5:30"])
def local_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_keeper_order() -> None:
    """Completeness before repetition before length before age."""

    def rank(**columns: object) -> tuple[object, ...]:
        return tuple(rank_of({"text": "x" * 100} | columns).values())

    old, new = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    ordered = [
        rank(num_chars=900, fetched_at=old, math_seen=4, math_kept=4),
        rank(num_chars=900, fetched_at=new),
        rank(num_chars=900),
        rank(num_chars=800, fetched_at=old),
        rank(num_chars=999, fetched_at=old, duplicate_line_char_fraction=0.2),
        rank(num_chars=9_999, fetched_at=old, math_seen=4, math_kept=2),
    ]
    assert ordered == sorted(ordered)
    assert rank(duplicate_line_char_fraction=0.02) == rank()  # noise
    any_parquet = {
        "text": "x" * 100,
        "fetched_at": "2020",
        "num_chars": None,
        "code_seen": "3",
        "math_seen": float("nan"),
    }
    assert tuple(rank_of(any_parquet).values()) == rank()


def test_a_time_without_zone_is_utc_on_every_machine(local_zone: None) -> None:
    def fetched_us(fetched_at: datetime) -> object:
        return rank_of({"text": "x", "fetched_at": fetched_at})["fetched_us"]

    # 2020-01-01 00:00 UTC is 18,262 days after 1970-01-01.
    assert fetched_us(datetime(2020, 1, 1)) == 18_262 * 86_400 * 1_000_000
    assert fetched_us(datetime(2020, 1, 1, tzinfo=UTC)) == 18_262 * 86_400 * 1_000_000
    east = timezone(timedelta(hours=2))
    assert fetched_us(datetime(2020, 1, 1, 2, tzinfo=east)) == 18_262 * 86_400 * 1_000_000


def test_text_key_ignores_white_space_only() -> None:
    assert text_key(" a\n\tb ") == text_key("a b") != text_key("A b")
