"""Delete what dead runs left in a root: files of tables that nothing names, and states of jobs that ended.

    make clean-root PRESET=configs/tiny ARGS=--dry-run

1. List the root once. A table is a folder with `_meta/`; what its manifest, its lists and the records of its
   finished shards name stays.
2. Take the lease of the table's job, so that no run is writing; a table whose job runs is passed over.
3. Delete the other files of `data/` and the other lists in `_meta/`; `_work/` where dedup does not run.
On an object store readers leave no lock, so there a file stays until it is MIN_AGE_S old.
Cost: one listing of the root, and the lists of every table.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable

import pyarrow.fs as pafs

from configs import tables
from configs.command import Place, main
from configs.contract import ContractError
from configs.lease import LeaseHeldError, lease, may_be_read
from configs.storage.manifest import CARD, MANIFEST, WITHDRAWN
from configs.storage.shard_log import FOLDER as RECORDS
from configs.storage.shard_log import read_log
from pipeline.spark.states import FOLDER as STATES

logger = logging.getLogger(__name__)

MIN_AGE_S = 24 * 3600
"""Our choice: longer than a job reads one table."""

LEASES = {
    "raw": "ingest", "documents": "extract", "filtered": "filter", "deduped": "dedup", "signatures": "dedup",
    "tokenizer": "tokenizer", "scored": "score", "synthetic": "synth", "labels": "labels",
    "benchmark_index": "benchmarks", "mixtures": "plan", "tokens": "tokenize", "tokens_index": "tokenize",
    "export": "export", "extended": "extend-mtp", STATES: "dedup",
}  # fmt: skip
"""The lease under which a table is written, by the first folder of its name."""


def run(place: Place) -> int:
    """Delete the orphans of every table; gives the number of files. On a dry run it only lists them."""
    files = list_files(place.output)
    num_files = num_bytes = 0
    for table, names in sorted(by_table(files).items()):
        top = table.split("/")[0].removesuffix("_rejects")
        try:
            with lease(place.output, LEASES.get(top, top)):
                orphans = find_orphans(place.output, table, names)
                orphans = [name for name in orphans if _is_old(place.output, files[f"{table}/{name}"])]
                if not place.dry_run:
                    tables.delete_files(tables.table_path(place.output, table), orphans)
        except LeaseHeldError as error:
            logger.info("%s is passed over: %s", table, error)
            continue
        size = sum(files[f"{table}/{name}"].size for name in orphans)
        if orphans:
            logger.info("%s: %d files that nothing names, %s bytes", table, len(orphans), f"{size:,}")
        num_files, num_bytes = num_files + len(orphans), num_bytes + size
    what = "would be deleted" if place.dry_run else "deleted"
    print(f"clean-root: {num_files} files, {num_bytes:,} bytes {what}")
    return num_files


def list_files(root: str) -> dict[str, pafs.FileInfo]:
    """Every file of the root by its path in it. Raises ContractError if there is none."""
    fs, base = tables.filesystem(root)
    infos = fs.get_file_info(pafs.FileSelector(base, recursive=True, allow_not_found=True))
    files = {info.path[len(base) :].lstrip("/"): info for info in infos if info.is_file}
    if not files:
        raise ContractError(f"{root}: no file there; remedy: name a run folder, e.g. runs/tiny")
    return files


def by_table(files: Iterable[str]) -> dict[str, list[str]]:
    """Files in a table's own folders by table; states are those of the table `_work`."""
    found = defaultdict(list)
    for path in files:
        if path.startswith(f"{STATES}/"):
            found[STATES].append(path.removeprefix(f"{STATES}/"))
        for folder in ("/data/", "/_meta/"):
            table, is_ours, name = path.partition(folder)
            if is_ours:
                found[table].append(f"{folder[1:]}{name}")
    return {
        table: names for table, names in found.items() if table == STATES or _has_meta(table, names, files)
    }


def _has_meta(table: str, names: list[str], files: Iterable[str]) -> bool:
    """Whether a folder is one of our tables: committed, withdrawn, or with records of shards."""
    ours = any(name.startswith("_meta/") for name in names)
    twin = f"{table.removesuffix('_rejects')}/_meta/"
    return ours or (table.endswith("_rejects") and any(path.startswith(twin) for path in files))


def find_orphans(root: str, table: str, names: list[str]) -> list[str]:
    """Those of a table's files that nothing names."""
    if table == STATES:
        return names
    named = {MANIFEST, WITHDRAWN, CARD} | _named(root, table)
    if may_be_read(root, table) and "://" not in root:
        return []
    is_record = f"{RECORDS}/"
    return [name for name in names if name not in named and not name.startswith(is_record)]


def _named(root: str, table: str) -> set[str]:
    """What the manifest of a table and the records of its shards name."""
    manifest = tables.last_manifest(root, table)
    named: set[str] = set()
    if manifest is not None:
        lists = (manifest.part_list, manifest.shard_log)
        named = {part.path for part in lists if part is not None}
        named |= set(tables.read_parts(root, manifest).rows["path"].to_pylist())
    of_shards = table.removesuffix("_rejects")
    logged = read_log(root, of_shards).parts("parts" if of_shards == table else "reject_parts")
    return named | set(logged.rows["path"].to_pylist())


def _is_old(root: str, file: pafs.FileInfo) -> bool:
    return "://" not in root or time.time() - file.mtime.timestamp() > MIN_AGE_S


if __name__ == "__main__":
    main(run)
