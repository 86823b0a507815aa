"""Faults in a small run folder: each changes files of the preset, the plan or the tokens."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs import tables
from configs.contract import SPANS, Part
from configs.storage.manifest import MANIFEST
from configs.tokens.blocks import FileDigests, encode_digests, read_digests
from pretrain.plan.token_files import GROUPS
from tests.pretrain.small_run import add_digests, documents, encode_spans, write_bucket, write_plan

MATH, CODE = "mathematics-high-web", "code-high-web"
Fault = Callable[[Path], None]


def edit(name: str, old: str, new: str) -> Fault:
    """Replace text of a preset file, which must hold it."""

    def change(root: Path) -> None:
        path = root / "preset" / f"{name}.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def edit_plan(stage: int, change: Callable[[list[dict]], object], **facts: object) -> Fault:
    """Rewrite the rows of a stage's plan."""

    def apply(root: Path) -> None:
        table = tables.open_table(str(root), f"mixtures/stage{stage}")
        rows = tables.read(table).to_pylist()
        change(rows)
        write_plan(root, stage, rows, **table.manifest.facts | facts)

    return apply


def edit_manifest(table: str, **changes: object) -> Fault:
    """Change top-level values of a manifest."""

    def change(root: Path) -> None:
        path = root / table / MANIFEST
        values = json.loads(path.read_text())
        path.write_text(json.dumps(values | changes))

    return change


def commit_again(root: Path, bucket: str, change: Callable[[Part], Part | None], **facts: object) -> None:
    """Commit a token table with other facts, and with what `change` makes of each part (None: leave it out).

    The files may differ already from what the table names.
    """
    known = tables.read_manifest(str(root), f"tokens/{bucket}")
    parts = map(change, tables.read_parts(str(root), known))
    tables.commit(str(root), replace(known, facts=known.facts | facts), [part for part in parts if part])


def edit_facts(bucket: str, **changes: object) -> Fault:
    """Commit a token table again with other facts."""
    return lambda root: commit_again(root, bucket, lambda part: part, **changes)


def damage_file(bucket: str, ending: str, change: Callable[[bytearray], object]) -> Fault:
    """Change a token file and commit its new size (size alone would be noticed at once), not its digest."""

    def apply(root: Path) -> None:
        path = min((root / "tokens" / bucket).glob(f"*{ending}"))
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)
        named = path.name
        commit_again(
            root, bucket, lambda part: replace(part, num_bytes=len(data)) if part.path == named else part
        )

    return apply


def remake(bucket: str, ending: str, change: Callable[[bytearray], object]) -> Fault:
    """Change a token file as if tokenize had written it so: its digests and the manifest agree with it."""

    def apply(root: Path) -> None:
        table = tables.open_table(str(root), f"tokens/{bucket}")
        folder = root / "tokens" / bucket
        names = [part.path for part in table.parts if part.path != "blocks.parquet"]
        files = {name: (folder / name).read_bytes() for name in names}
        victim = min(name for name in names if name.endswith(ending))
        data = bytearray(files[victim])
        change(data)
        files[victim] = bytes(data)
        add_digests(files)
        parts = [tables.write_bytes(table.path, name, data) for name, data in files.items()]
        tables.commit(str(root), table.manifest, parts)

    return apply


def remake_spans(bucket: str, texts: list[list[int]]) -> Fault:
    return remake(bucket, "spans.parquet", lambda d: d.__setitem__(slice(None), encode_spans("m", texts)))


def flip(bucket: str, name: str, place: int) -> Fault:
    """Flip one bit of a file; its size and everything else stay."""

    def change(root: Path) -> None:
        path = min((root / "tokens" / bucket).glob(name))
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)

    return change


def redigest(bucket: str, change: Callable[[dict[str, FileDigests]], object]) -> Fault:
    """Change a bucket's digests as if tokenize had written them so."""

    def apply(root: Path) -> None:
        table = tables.open_table(str(root), f"tokens/{bucket}")
        digests = read_digests(table)
        change(digests)
        part = tables.write_bytes(table.path, "blocks.parquet", encode_digests(digests)[0])
        commit_again(root, bucket, lambda one: part if one.path == part.path else one)

    return apply


def replace_digests(name: str, **values: object) -> Callable[[dict[str, FileDigests]], object]:
    return lambda digests: digests.update({name: replace(digests[name], **values)})


def damaged_heldout(root: Path) -> None:
    """Preflight verifies held-out text where training measures on it."""
    for group in GROUPS:
        write_bucket(root, f"heldout/{group}", documents(4, 5), shards=1)
    edit("train", "kept_checkpoints", "heldout_every_steps = 5\nkept_checkpoints")(root)
    flip("heldout/code", "*.bin", 9)(root)


def without_digests(root: Path) -> None:
    commit_again(root, MATH, lambda part: None if part.path == "blocks.parquet" else part)


def remove(path: str) -> Fault:
    def change(root: Path) -> None:
        target = next(root.glob(path))
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return change


def spans_of_other_ends() -> bytes:
    """The spans of MATH; the first ends one token early."""
    rows = pq.read_table(pa.BufferReader(encode_spans("m", documents(1, 60)))).to_pylist()
    rows[0]["token_end"] -= 1
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=SPANS), sink)
    return sink.getvalue().to_pybytes()


def move_all_tokens_to_the_next_document(index: bytearray) -> None:
    """Of 30 documents the first gets no token; offsets fit."""
    lengths = np.frombuffer(index, "<i4", 30, 34).copy()
    lengths[:2] = 0, lengths[0] + lengths[1]
    index[34 : 34 + 120] = lengths.tobytes()
    index[34 + 120 + 8 : 34 + 120 + 16] = bytes(8)


def update(number: int, **values: object) -> Callable[[list[dict]], object]:
    return lambda rows: rows[number].update(values)


FIRST_STAGE = {"document_start": 0, "document_end": 20, "tokens": sum(map(len, documents(1, 60)[:20]))}
