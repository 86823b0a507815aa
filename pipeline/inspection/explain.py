"""Show one document's way through a run: its row in every table, its measurements, and the rules it broke.

`explain` looks the id up in each table and its rejects, then in the spans of the token buckets and in the
plans that use its bucket. Row groups whose range of doc_id excludes the id are not read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs import tables
from configs.contract import SCHEMAS, ContractError, Manifest, excerpt
from configs.recipe import NUM_STAGES
from filters import presets
from pipeline.inspection.run_tables import TABLES, token_tables


@dataclass(frozen=True)
class Step:
    """The document's row in one table (or in a table's rejects)."""

    table: str
    values: dict[str, object]
    """The row without nulls and without values that an earlier step has shown.

    Of long texts it holds the excerpt; raw content is replaced by its size."""
    broken: tuple[str, ...] = ()
    """If a rule rejected the document: the measurements and the thresholds that they missed."""


def explain(root: str, doc_id: str) -> list[Step]:
    """Return the document's steps in order. Raises ContractError if no table of the run holds it."""
    steps = []
    known: dict[str, object] = {}
    for table in (name for kept in TABLES for name in (kept, f"{kept}_rejects")):
        manifest = tables.read_manifest(root, table)
        row = None if manifest is None else _find(root, table, doc_id)
        if manifest is not None and row is not None:
            # A later table repeats columns of the earlier ones; only new values are shown.
            news = {name: value for name, value in row.items() if known.get(name) != value}
            known |= row
            steps.append(Step(table, news, broken_rules(row, manifest)))
    steps += _token_steps(root, doc_id)
    if not steps:
        raise ContractError(f"{root}: no table holds doc_id {doc_id!r}; remedy: take an id from a sample")
    return steps


def broken_rules(row: Mapping[str, object], manifest: Manifest) -> tuple[str, ...]:
    """Return the filter rules in the manifest's config with the row's reject reason that the row breaks."""
    reason = row.get("reject_reason")
    measured = row.get("measurements")
    if reason not in presets.REASONS or not isinstance(measured, dict):
        return ()
    found = []
    for thresholds in _presets(manifest.config):
        for rule in thresholds.rules:
            value = measured.get(rule.field)
            if rule.reason != reason or value is None:
                continue
            if rule.minimum is not None and value < rule.minimum:
                found.append(f"{thresholds.name}: {rule.field} = {value:.4g}, minimum {rule.minimum:g}")
            if rule.maximum is not None and value > rule.maximum:
                found.append(f"{thresholds.name}: {rule.field} = {value:.4g}, maximum {rule.maximum:g}")
    return tuple(found)


def _presets(config: Mapping[str, object]) -> list[presets.Thresholds]:
    """Return the rule presets that a filter job's config names, with their variants."""
    found = []
    for value in config.values():
        named = _preset(value) if isinstance(value, str) else None
        if named is not None:
            found += named.with_variants()
    return found


def _preset(name: str) -> presets.Thresholds | None:
    try:
        return presets.preset(name)
    except ValueError:
        return None


def _find(root: str, table: str, doc_id: str) -> dict[str, object] | None:
    for path in tables.open_table(root, table).files():
        found = find_row(path, doc_id, SCHEMAS[table].names)
        if found is not None:
            return _shown(found[1])
    return None


def find_row(
    path: str, doc_id: str, columns: list[str] | None = None
) -> tuple[int, dict[str, object]] | None:
    """Return the document's row number in one Parquet file and its columns (default: all), or None."""
    fs, local = tables.filesystem(path)
    with fs.open_input_file(local) as file:
        parquet = pq.ParquetFile(file)
        start = 0
        for group in range(parquet.num_row_groups):
            if _may_hold(parquet, group, doc_id):
                index = pc.index(parquet.read_row_group(group, ["doc_id"])["doc_id"], doc_id).as_py()
                if index >= 0:
                    row = parquet.read_row_group(group, columns).slice(index, 1).to_pylist()[0]
                    return start + index, row
            start += parquet.metadata.row_group(group).num_rows
    return None


def _may_hold(parquet: pq.ParquetFile, group: int, doc_id: str) -> bool:
    """Return False only if the row group's statistics exclude the id."""
    metadata = parquet.metadata.row_group(group)
    leaves = (metadata.column(index) for index in range(metadata.num_columns))
    bounds = next(leaf.statistics for leaf in leaves if leaf.path_in_schema == "doc_id")
    return bounds is None or not bounds.has_min_max or bounds.min <= doc_id <= bounds.max


def _shown(row: Mapping[str, object]) -> dict[str, object]:
    shown: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, bytes):
            shown["content_bytes"] = len(value)
        elif name == "measurements" and isinstance(value, str):
            shown[name] = json.loads(value)
        elif isinstance(value, str):
            shown[name] = excerpt(value)
        elif value is not None:
            shown[name] = value
    return shown


def _token_steps(root: str, doc_id: str) -> list[Step]:
    """Return the document's span in its bucket's token stream, and the plans of stages that use it."""
    steps = []
    for table in token_tables(root):
        found = find_row(
            f"{tables.table_path(root, table)}/spans.parquet", doc_id, ["token_start", "token_end"]
        )
        if found is not None:
            index, span = found
            steps.append(Step(table, {"document_number": index, **span}))
            steps += _stage_steps(root, table.removeprefix("tokens/"), index)
    return steps


def _stage_steps(root: str, bucket: str, index: int) -> list[Step]:
    steps = []
    for stage in range(1, NUM_STAGES + 1):
        name = f"mixtures/stage{stage}"
        if tables.read_manifest(root, name) is None:
            continue
        plan = tables.read(tables.open_table(root, name))
        for row in plan.to_pylist() if plan is not None else ():
            if row["bucket"] == bucket and row["document_start"] <= index < row["document_end"]:
                steps.append(Step(name, row))
    return steps
