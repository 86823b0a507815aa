"""Read benchmark problems from JSON lines files: names and texts, which pipeline.index_benchmarks hashes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from configs.loader import Config, ConfigError
from configs.tables import filesystem, hash_bytes
from pipeline.reading.list_inputs import list_shards


class BenchmarkConfig(Config):
    """JSONL files with the same fields and one problem per line."""

    path: str
    """A file, a folder or a glob; relative to the repository, absolute, or a URI."""
    text_fields: Annotated[tuple[str, ...], Field(min_length=1)]
    """Fields whose texts together make up the problem; from chat messages, only the user's are taken."""


@dataclass(frozen=True)
class ProblemFile:
    """One file of a benchmark."""

    origin: str
    """Its path as configured."""
    digest: str
    """Hash of its bytes, after decompression."""
    problems: tuple[tuple[str, str], ...]
    """Name and text of each."""


def read_problems(config: BenchmarkConfig) -> Iterator[ProblemFile]:
    """Yield the files that `config` names, in the order of their names. A problem is `<file stem>/<line>`.

    Raises ConfigError for a path without files, a line that is not JSON and a file without any of its fields.
    """
    try:
        shards = list_shards("benchmarks", config.path, (), 1)
    except ConfigError:
        raise ConfigError(
            f"benchmarks.toml: benchmarks.path: no file matches {config.path!r}; "
            "remedy: put the benchmark's JSONL files there, or correct the path"
        ) from None
    for shard in shards:
        path = shard.files[0].path
        fs, local = filesystem(path)
        with fs.open_input_stream(local, compression="detect") as stream:
            data: bytes = stream.read()
        yield ProblemFile(shard.files[0].origin, hash_bytes(data), tuple(_problems(path, data, config)))


def _problems(path: str, data: bytes, config: BenchmarkConfig) -> Iterator[tuple[str, str]]:
    stem = path.rsplit("/", 1)[-1].split(".")[0]
    num_found = 0
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: not JSON ({error}); remedy: repair the file") from None
        text = "\n".join(filter(None, (_text(values.get(field)) for field in config.text_fields)))
        if text:
            num_found += 1
            yield f"{stem}/{number}", text
    if not num_found:
        raise ConfigError(
            f"{path}: no text in {', '.join(config.text_fields)}; "
            "remedy: correct benchmarks.text_fields in benchmarks.toml"
        )


def _text(value: object) -> str:
    """Return a string unchanged; from chat messages, join the user's, because system prompts repeat."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        users = (message for message in value if isinstance(message, dict) and message.get("role") == "user")
        return "\n".join(str(message.get("content", "")) for message in users)
    return ""
