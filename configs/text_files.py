"""Lines, JSON and JSON lines: read with faults told in one line, written in one step. Local files only."""

import json
import lzma
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from configs.loader import ConfigError


def read_text(path: Path) -> str:
    """A UTF-8 file, unpacked if it ends in .xz. Raises ConfigError naming the file if it cannot be read."""
    try:
        data = path.read_bytes()
        return (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8")
    except (OSError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); remedy: name a readable UTF-8 file") from None


def read_lines(path: Path) -> list[str]:
    """Lines of a list file without surrounding space, empty lines and lines that start with #."""
    stripped = (line.strip() for line in read_text(path).splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """(line number from 1, object) of a JSON lines file. Raises ConfigError naming file and line."""
    for number, line in enumerate(read_text(path).split("\n"), 1):  # splitlines() also splits at U+2028
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: line {number}: {error}; remedy: one JSON object per line") from None
        if not isinstance(row, dict):
            raise ConfigError(f"{path}: line {number}: no JSON object; remedy: one JSON object per line")
        yield number, row


def read_json(path: Path) -> dict[str, object] | None:
    """The object of a file that we wrote; None where there is none, or half of one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: Path, value: object) -> None:
    """Replace a file in one step: a reader sees the old or the new whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.new")
    with new.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1, sort_keys=True)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
