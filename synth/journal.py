"""What was asked of an endpoint and what came back, one JSON line an event: a killed run asks nothing twice.

`sent` is written before a request leaves, so that the budget counts requests whose answer was lost;
`answered` holds the text; `failed` holds the kind of failure. Every line is handed to the operating system at
once: it survives a kill of the process.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Event = Literal["sent", "answered", "failed"]


@dataclass
class Journal:
    """An open journal: answers by key, failures by key, requests sent in all runs."""

    path: Path
    answers: dict[str, str] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    num_sent: int = 0

    def record(self, event: Event, key: str, detail: str = "") -> None:
        """Append one event and count it."""
        self._count(event, key, detail)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "key": key, "detail": detail}) + "\n")

    def _count(self, event: str, key: str, detail: str) -> None:
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
        journal._count(entry["event"], entry["key"], entry["detail"])
    if whole != data:
        path.write_bytes(whole)
    return journal
