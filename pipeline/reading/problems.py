"""Build the filter's decontamination index from benchmark problems: hashes only, in the driver.

The index is built once per run.
"""

import json
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from configs.loader import Config, ConfigError
from configs.tables import filesystem, hash_bytes
from filters.decontaminate import Index, build_index
from pipeline.reading.list_inputs import list_shards


class ProblemConfig(Config):
    """JSONL files with the same fields and one problem per line."""

    path: str
    """A file, a folder or a glob; relative to the repository, absolute, or a URI."""
    text_fields: Annotated[tuple[str, ...], Field(min_length=1)]
    """Fields whose texts together make up the problem; from chat messages, only the user's are taken."""


def index_problems(problems: tuple[ProblemConfig, ...]) -> tuple[Index, str]:
    """Build the index of all configured problems; return it with a hash of the problems.

    A problem is named `<file stem>/<line>`. Raises ConfigError for a path without files, a line that is not
    JSON, and a file without any of its fields.
    """
    named = list(_problems(problems))
    digest = hash_bytes(json.dumps(named).encode())
    return build_index(named), digest


def _problems(problems: tuple[ProblemConfig, ...]) -> Iterator[tuple[str, str]]:
    for config in problems:
        for shard in list_shards("problems", config.path, (), 1):
            yield from _problems_of_file(shard.files[0].path, config)


def _problems_of_file(path: str, config: ProblemConfig) -> Iterator[tuple[str, str]]:
    fs, local = filesystem(path)
    with fs.open_input_stream(local, compression="detect") as stream:
        lines = stream.read().splitlines()
    stem = path.rsplit("/", 1)[-1].split(".")[0]
    num_found = 0
    for number, line in enumerate(lines, 1):
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
            f"{path}: no text in {', '.join(config.text_fields)}; remedy: correct text_fields in filter.toml"
        )


def _text(value: object) -> str:
    """Return a string unchanged; from chat messages, join the user's, because system prompts repeat."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        users = (message for message in value if isinstance(message, dict) and message.get("role") == "user")
        return "\n".join(str(message.get("content", "")) for message in users)
    return ""
