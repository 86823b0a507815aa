"""A root of tokens, its files damaged in many ways, and whether damaged tokens could reach the loss.

Used by tests/chaos/chaos_tokens.py and, with few damages, by test_damaged_tokens.py.
"""

import hashlib
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from configs.tokens.blocks import FileDigests, digests_of
from pretrain import preflight
from pretrain.plan.verify_tokens import MEMORY_FILE
from pretrain.run.samples import open_stage
from tests.pretrain.small_run import documents, write_run

SEED = 7
SEQUENCE_LENGTH = 8192
NUM_SAMPLES = 160  # of each stage: more than one pass over its tokens
TARGETS = ("*.bin", "*.idx", "spans.parquet", "blocks.parquet", "manifest.json", "parts-*.parquet")


@dataclass(frozen=True)
class TokenRoot:
    """A run folder that preflight has passed."""

    path: Path
    older: Path
    """Another version of the same files: the documents in another order."""
    files: dict[Path, tuple[bytes, int]]
    """Content and mtime_ns of everything that a damage may change."""
    drawn: str
    """Hash of the tokens that the three stages draw."""


def write_token_root(folder: Path) -> TokenRoot:
    """Two buckets, three .bin files of two blocks each; their older version; the memory of a preflight."""
    texts = documents(1, 60_000), documents(2, 40_000)
    write_run(folder / "run", texts)
    # Each shard's documents the other way round, so that sizes stay.
    halves = [(text[: len(text) // 2], text[len(text) // 2 :]) for text in texts]
    write_run(folder / "older", tuple(first[::-1] + second[::-1] for first, second in halves))
    passed = run_preflight(folder / "run")
    assert passed == "", passed
    paths = [path for path in (folder / "run/tokens").rglob("*") if path.is_file()]
    paths.append(folder / "run" / MEMORY_FILE)
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    return TokenRoot(folder / "run", folder / "older", files, draw(folder / "run"))


def run_preflight(root: Path) -> str:
    """The error, or nothing."""
    try:
        preflight.run(Place(root / "preset", str(root), str(root)))
    except ContractError as error:
        return str(error)
    return ""


def draw(root: Path) -> str:
    """Hash of the tokens that the trainer draws. Raises ContractError if it refuses them."""
    state = hashlib.blake2b()
    for stage in (1, 2, 3):
        data = open_stage(str(root), stage, SEED)
        rows = data.sequences(0, NUM_SAMPLES, data.drawn(0), SEQUENCE_LENGTH)
        state.update(rows.tokens.astype(np.uint16).tobytes())
    return state.hexdigest()


def restore(tokens: TokenRoot) -> None:
    """Undo the damage; the files' times too, since preflight remembers them."""
    for path, (content, mtime_ns) in tokens.files.items():
        if not path.is_file() or path.stat().st_mtime_ns != mtime_ns:
            path.write_bytes(content)
            os.utime(path, ns=(mtime_ns, mtime_ns))


def try_damage(tokens: TokenRoot, kind: str, target: str, rng: random.Random) -> str:
    """Damage one file (or swap two), then launch as one would; what went wrong, or nothing.

    Preflight must refuse the root, and the trainer must refuse it or draw the very tokens that it should.
    """
    what = f"{kind} {KINDS[kind](tokens, target, rng)}"
    try:
        fault = run_preflight(tokens.path)
        if not fault:
            return f"{what}: preflight passes it"
        if "remedy: " not in fault or "\n" in fault:
            return f"{what}: preflight says {fault!r}"
        try:
            return "" if draw(tokens.path) == tokens.drawn else f"{what}: the trainer draws other tokens"
        except ContractError as error:
            return "" if "remedy: " in str(error) else f"{what}: the trainer says {str(error)!r}"
    except Exception as error:  # whatever it is, a user would see a traceback
        return f"{what}: {error!r}"
    finally:
        restore(tokens)


def _victims(tokens: TokenRoot, target: str) -> list[Path]:
    return sorted(path for path in tokens.files if path.match(target))


def _change(tokens: TokenRoot, target: str, rng: random.Random, how: Callable[[bytearray], None]) -> str:
    """Change the content of one file until it differs."""
    path = rng.choice(_victims(tokens, target))
    before = tokens.files[path][0]
    while True:
        data = bytearray(before)
        how(data)
        if data != before:
            path.write_bytes(data)
            return path.name


def _flip(tokens: TokenRoot, target: str, rng: random.Random) -> str:
    def how(data: bytearray) -> None:
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)

    return _change(tokens, target, rng, how)


def _cut(tokens: TokenRoot, target: str, rng: random.Random) -> str:
    def how(data: bytearray) -> None:
        del data[rng.randrange(len(data)) :]

    return _change(tokens, target, rng, how)


def _zero(tokens: TokenRoot, target: str, rng: random.Random) -> str:
    """A block of a disk, or what is left of it in a short file."""

    def how(data: bytearray) -> None:
        start = rng.randrange(len(data)) // 4096 * 4096
        size = min(4096, len(data) - start)
        data[start : start + size] = bytes(size)

    return _change(tokens, target, rng, how)


def _swap(tokens: TokenRoot, target: str, rng: random.Random) -> str:
    """Two shards of a bucket, or the files of one name of two buckets."""
    one, other = rng.sample(_victims(tokens, target), 2)
    one.write_bytes(tokens.files[other][0])
    other.write_bytes(tokens.files[one][0])
    return f"{one.name} {other.name}"


def _older(tokens: TokenRoot, target: str, rng: random.Random) -> str:
    path = rng.choice(_victims(tokens, target))
    path.write_bytes(older_of(tokens, path).read_bytes())
    return path.name


def older_of(tokens: TokenRoot, path: Path) -> Path:
    """The older version of a file; the name of a list of parts is another one in each version."""
    older = tokens.older / path.relative_to(tokens.path)
    return min(older.parent.glob("parts-*.parquet")) if path.name.startswith("parts-") else older


KINDS: dict[str, Callable[[TokenRoot, str, random.Random], str]] = {
    "flip": _flip, "cut": _cut, "zero": _zero, "swap": _swap, "older": _older,
}  # fmt: skip


def read_any_digests(table: tables.Table) -> dict[str, FileDigests]:
    """A careless `read_digests`: the digests of whatever lies there."""
    files = [path for path in Path(table.path).iterdir() if path.is_file()]
    return {path.name: digests_of(path.read_bytes(), path.suffix == ".bin") for path in files}
