"""List the input files of a source in shards whose names stay the same when files are added."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs as pafs

from configs.loader import ConfigError
from configs.tables import filesystem, hash_bytes, hash_json

_HERE = Path(__file__).resolve().parents[2]
REPOSITORY = _HERE if _HERE.is_dir() else Path.cwd()  # inside spark-submit's zip: the working directory
_GLOB_CHARS = re.compile(r"[*?]")


@dataclass(frozen=True)
class InputFile:
    """A file to read: its location, and its names in `origin` and in doc_ids."""

    path: str
    """Absolute path or URI."""
    origin: str
    """The path as configured: relative to the repository if the configured path is."""
    name: str
    """The path relative to the folder before the first wildcard; it survives a move of the corpus."""


@dataclass(frozen=True)
class FileShard:
    """One large input file, or a group of small ones: a unit of work and of resume."""

    name: str
    source: str
    digest: str
    files: tuple[InputFile, ...]
    rows: int = 0
    """Unknown before the files are read."""


def list_shards(source: str, path: str, exclude: tuple[str, ...], files_per_shard: int) -> list[FileShard]:
    """List the shards of the files that `path` names: a file, a folder with everything below it, or a glob.

    In a glob, `**` crosses folders. Files and folders whose names start with a dot are left out. The hash of
    a file's name decides its shard, so a new file changes one shard. A file counts as changed if its size or
    modification time differs. Raises ConfigError if nothing matches.
    """
    found = _matching(path, exclude)
    if not found:
        raise ConfigError(f"source {source!r}: no file matches {path}; remedy: correct the path")
    # A power of two, so that the groups stay the same until the number of files has doubled.
    num_groups = 2 ** math.ceil(math.log2(max(len(found) / files_per_shard, 1)))
    groups: dict[str, list[tuple[InputFile, pafs.FileInfo]]] = {}
    for file, info in found:
        group = int(hash_bytes(file.name.encode("utf-8", "surrogatepass"))[:8], 16) % num_groups
        key = file.name if files_per_shard == 1 else f"{group}/{num_groups}"
        groups.setdefault(key, []).append((file, info))
    return [_shard(source, key, members) for key, members in sorted(groups.items())]


def _shard(source: str, key: str, members: list[tuple[InputFile, pafs.FileInfo]]) -> FileShard:
    states = [[file.origin, info.size, info.mtime_ns] for file, info in members]
    files = tuple(file for file, _ in members)
    return FileShard(
        name=f"{source}-{hash_json([source, key])[:16]}",
        source=source,
        digest=hash_json(states),
        files=files,
    )


def _matching(path: str, exclude: tuple[str, ...]) -> list[tuple[InputFile, pafs.FileInfo]]:
    configured_base, pattern = _split(path)
    is_relative = "://" not in path and not Path(path).is_absolute()
    base_path = str(REPOSITORY / configured_base) if is_relative else configured_base
    fs, base = filesystem(base_path)
    info = fs.get_file_info(base)
    if info.type == pafs.FileType.File:
        name = configured_base.rsplit("/", 1)[-1]
        return [(InputFile(base_path, configured_base, name), info)]
    if info.type != pafs.FileType.Directory:
        return []
    wanted = _glob(pattern)
    unwanted = [_glob(glob) for glob in exclude]
    found = []
    for info in fs.get_file_info(pafs.FileSelector(base, recursive=True)):
        name = info.path[len(base) :].lstrip("/")
        if info.type != pafs.FileType.File or any(part.startswith(".") for part in name.split("/")):
            continue
        if wanted.fullmatch(name) and not any(glob.fullmatch(name) for glob in unwanted):
            file = InputFile(f"{base_path.rstrip('/')}/{name}", f"{configured_base.rstrip('/')}/{name}", name)
            found.append((file, info))
    return sorted(found, key=_name)


def _name(found: tuple[InputFile, pafs.FileInfo]) -> str:
    return found[0].name


def _split(path: str) -> tuple[str, str]:
    """Split into the folder before the first wildcard and the pattern below it (`**` without a wildcard)."""
    wildcard = _GLOB_CHARS.search(path)
    if not wildcard:
        return path, "**"
    base = path[: wildcard.start()].rpartition("/")[0]
    return base or ".", path[len(base) + 1 :] if base else path


def _glob(pattern: str) -> re.Pattern[str]:
    """Translate a glob to a regular expression; `*` and `?` stay inside a folder, `**` does not."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)
