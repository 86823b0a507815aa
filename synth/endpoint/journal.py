"""What was asked of an endpoint and what came back, one JSON line an event: a killed run asks nothing twice.

`sent` is written before a request leaves, so that the budget counts requests whose answer was lost;
`answered` holds the text; `failed` holds the kind of failure; both hold the tokens that the endpoint reports
to have read and written, null where it reports none. Every line is handed to the operating system at
once: it survives a kill of the process.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

Event = Literal["sent", "answered", "failed"]


class Usage(NamedTuple):
    """Tokens of one request, as the endpoint reports them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass
class Journal:
    """An open journal: answers and failures by key, requests sent and tokens used in all runs."""

    path: Path
    answers: dict[str, str] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    num_sent: int = 0
    num_reported: int = 0
    """Replies that stated their tokens."""
    used: Usage = field(default_factory=lambda: Usage(0, 0))
    """Tokens of those replies."""

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


def open_journal(path: Path) -> Journal:
    """Read a journal, or begin one. A last line cut by a kill is removed."""
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
