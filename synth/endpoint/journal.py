"""A journal of requests to an endpoint, so that a run that was killed repeats no answered request.


Each event is one JSON line. `sent` is written before a request is sent, so that the budget also counts
requests whose answer was lost. `answered` holds the text, and `failed` holds the kind of failure; both hold
the numbers of tokens that the endpoint reports, or null if it reports none. Every line goes to the operating
system at once, so it survives a kill of the process.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from configs.loader import ConfigError
from configs.storage.files import local_folder

Event = Literal["sent", "answered", "failed"]


class Usage(NamedTuple):
    """Numbers of tokens of one request, as the endpoint reports them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass
class Journal:
    """An open journal: answers and failures by key, and counts over all runs."""

    path: Path
    answers: dict[str, str] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    num_sent: int = 0
    num_reported: int = 0
    """Number of replies that reported their tokens."""
    used: Usage = field(default_factory=lambda: Usage(0, 0))
    """Sum of the tokens of those replies."""

    def record(self, event: Event, key: str, detail: str = "", usage: Usage | None = None) -> None:
        """Append one event and count it."""
        self._count(event, key, detail, usage)
        with self.path.open("a", encoding="utf-8") as file:
            entry = {"event": event, "key": key, "detail": detail, "usage": usage}
            file.write(json.dumps(entry) + "\n")

    def _count(self, event: str, key: str, detail: str, usage: Usage | None) -> None:
        if usage is not None:
            self.num_reported += 1
            self.used = Usage(*(a + b for a, b in zip(self.used, usage, strict=True)))
        if event == "sent":
            self.num_sent += 1
        elif event == "answered":
            self.answers[key] = detail
        else:
            self.failures.setdefault(key, []).append(detail)


def journal_path(root: str, name: str) -> Path:
    """Where a root has its journal. Raises ConfigError for a URI: there a file cannot grow by lines."""
    folder = local_folder(root)
    if folder is None:
        raise ConfigError(
            f"{root}: the journal of an endpoint needs a local folder; remedy: pass --output DIR, "
            "and copy the table to this root afterwards"
        )
    return folder / name


def open_journal(path: Path) -> Journal:
    """Read a journal, or create one. An incomplete last line, left by a kill, is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(path)
    if not path.exists():
        return journal
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    for line in whole.splitlines():
        entry = json.loads(line)
        usage = Usage(*entry["usage"]) if entry.get("usage") else None
        journal._count(entry["event"], entry["key"], entry["detail"], usage)
    if whole != data:
        path.write_bytes(whole)
    return journal
