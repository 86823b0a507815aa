"""Extract source files and whole repositories: each file is a fenced block under a heading with its path."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from pipeline.extraction.code.blocks import fence
from pipeline.extraction.code.languages import language_of
from pipeline.extraction.encodings import decode
from pipeline.extraction.result import Extraction

__all__ = ["extract_code", "extract_repository", "language_of"]

# Our choice: bounds on the unpacked size of one repository. Larger files are generated or data.
MAX_FILE_BYTES, MAX_TOTAL_BYTES, MAX_FILES = 1_000_000, 20_000_000, 5_000
_PROSE = frozenset((".md", ".markdown", ".rst", ".txt", ""))
_SKIPPED_FOLDERS = frozenset(
    [".git", "node_modules", "__pycache__", "vendor", "third_party", "dist", "build", ".venv", "venv", ".tox"]
)


def extract_code(data: bytes, path: str) -> Extraction:
    """Return one source file as a fenced block under `# path`."""
    code = _code_of(data)
    if not code.strip():
        return Extraction("", path, 0, 0, 0, 0, "code")
    heading = f"# {path}\n\n" if path else ""
    return Extraction(heading + fence(code, language_of(path, data)), path, 1, 1, 0, 0, "code")


def extract_repository(data: bytes, path: str) -> Extraction:
    """Extract a repository as one document: the read-me first, then the files by path.

    `data` is a tar or zip archive, or JSON `{"files": [{"path", "text"}]}`. Binary, vendored and oversized
    files are left out. Raises ValueError if `data` is none of the three.
    """
    files = sorted(_files_of(data), key=lambda file: (not _is_readme(file[0]), file[0]))
    blocks = [f"# {PurePosixPath(path).name}"] if path else []
    num_code = 0
    for name, content in files:
        code = _code_of(content)
        if not code.strip():
            continue
        suffix = PurePosixPath(name).suffix.lower()
        if _is_readme(name) and suffix in _PROSE:
            blocks.append(code)
            continue
        language = language_of(name, content)
        if language:
            blocks += [f"## {name}", fence(code, language)]
            num_code += 1
    text = "\n\n".join(blocks) if len(blocks) > bool(path) else ""
    return Extraction(text, path, num_code, num_code, 0, 0, "repository")


def _code_of(data: bytes) -> str:
    """Return the text of a source file with its lines kept, "" for binary data."""
    if b"\x00" in data[:8000] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return ""
    return decode(data).strip("\n").rstrip()


def _is_readme(name: str) -> bool:
    return PurePosixPath(name).name.lower().startswith("readme") and name.count("/") <= 1


def _files_of(data: bytes) -> Iterator[tuple[str, bytes]]:
    total = 0
    for number, (name, content) in enumerate(_members(data)):
        total += len(content)
        if number >= MAX_FILES or total > MAX_TOTAL_BYTES:
            return
        yield name, content


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield members by archive-relative name, at most MAX_FILE_BYTES each; nothing is written to disk."""
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                if _is_wanted(info.filename, info.file_size) and not info.is_dir():
                    with archive.open(info) as member:
                        yield info.filename, member.read(MAX_FILE_BYTES)
        return
    if data.lstrip()[:1] == b"{":
        files = json.loads(data).get("files")
        if not isinstance(files, list):
            raise ValueError("a repository as JSON has a list `files`")
        for file in files:
            content = str(file.get("text") or file.get("content") or "").encode("utf-8", "replace")
            if _is_wanted(str(file.get("path", "")), len(content)):
                yield str(file.get("path", "")), content
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r|*") as archive:
            for member in archive:
                stream = (
                    archive.extractfile(member)
                    if member.isfile() and _is_wanted(member.name, member.size)
                    else None
                )
                if stream is not None:
                    yield member.name, stream.read(MAX_FILE_BYTES)
    except tarfile.TarError as error:
        raise ValueError(f"a repository is a tar or zip archive or a JSON object: {error}") from error


def _is_wanted(name: str, size: int) -> bool:
    return 0 < size <= MAX_FILE_BYTES and _SKIPPED_FOLDERS.isdisjoint(PurePosixPath(name).parts)
