from pathlib import Path

import pytest

from configs.loader import ConfigError
from synth.endpoint.journal import journal_path, open_journal


def test_events_survive_and_a_torn_last_line_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "journal.jsonl"
    journal = open_journal(path)
    journal.record("sent", "a")
    journal.record("answered", "a", "text\nof two lines")
    journal.record("sent", "b")
    journal.record("failed", "b", "status 500")
    with path.open("a") as file:
        file.write('{"event": "answered", "key": "b", "det')
    again = open_journal(path)
    assert again.answers == {"a": "text\nof two lines"}
    assert again.failures == {"b": ["status 500"]}
    assert again.num_sent == 2
    again.record("sent", "b")
    assert open_journal(path).num_sent == 3


def test_a_journal_lies_in_a_folder(tmp_path: Path) -> None:
    assert journal_path(f"file://{tmp_path}", "j.jsonl") == journal_path(str(tmp_path), "j.jsonl")
    with pytest.raises(ConfigError, match="needs a local folder; remedy: pass --output DIR"):
        journal_path("s3://bucket/root", "j.jsonl")
