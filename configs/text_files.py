"""Lines, JSON and JSON lines: read with faults told in one line, written in one step.

A path is local or a URI that pyarrow.fs opens; a file whose name ends in .gz, .bz2, .zst or .xz is unpacked.
Cost: a file is in memory as a whole.
"""

import json
import lzma
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs as pafs

from configs.loader import ConfigError
from configs.storage.files import make_folder
from configs.tables import filesystem


def read_text(path: str | Path, errors: str = "strict") -> str:
    """A UTF-8 file. Raises ConfigError naming the file if it cannot be read.

    errors: as in bytes.decode; "replace" puts U+FFFD where bytes are not UTF-8.
    """
    try:
        fs, local = filesystem(str(path))
        with fs.open_input_stream(local, compression="detect") as stream:
            data: bytes = stream.read()
        return (lzma.decompress(data) if local.endswith(".xz") else data).decode("utf-8", errors)
    except (
        OSError,
        ValueError,
        lzma.LZMAError,
    ) as error:  # ArrowInvalid and UnicodeDecodeError are ValueErrors
        raise ConfigError(f"{path}: cannot be read ({error}); remedy: name a readable UTF-8 file") from None


def read_lines(path: str | Path) -> list[str]:
    """Entries of a list file: stripped lines that are not empty and do not start with #.

    Bytes that are not UTF-8 become U+FFFD, so that the reader of the entries can name the faulty one.
    """
    stripped = (line.strip() for line in read_text(path, "replace").splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def read_json_lines(path: str | Path) -> Iterator[tuple[int, dict[str, object]]]:
    """(line number from 1, object) of a JSON lines file. Raises ConfigError naming file and line."""
    # Not splitlines: a JSON string may hold U+2028.
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: line {number}: {error}; remedy: one JSON object per line") from None
        if not isinstance(row, dict):
            raise ConfigError(f"{path}: line {number}: no JSON object; remedy: one JSON object per line")
        yield number, row


def read_json(path: str | Path) -> dict[str, object] | None:
    """The object of a file that we wrote; None where there is none, or half of one."""
    fs, local = filesystem(str(path))
    try:
        with fs.open_input_stream(local, compression=None) as stream:
            value = json.loads(stream.read())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: str | Path, value: object) -> None:
    """Replace a file in one step: a reader sees the old or the new whole. Keys stay in their order.

    On an object store a file appears when it is closed; a local one is written beside and renamed.
    """
    fs, local = filesystem(str(path))
    data = (json.dumps(value, indent=1) + "\n").encode()
    make_folder(fs, local.rpartition("/")[0])
    if not isinstance(fs, pafs.LocalFileSystem):
        with fs.open_output_stream(local, compression=None) as stream:
            stream.write(data)
        return
    place = Path(local)
    new = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(place)
