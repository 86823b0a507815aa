"""Manifests: read with their faults told, replaced in one step, taken away before files change."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from configs.contract import CONTRACT_VERSION, ContractError, Manifest, Part
from configs.storage.files import delete_files, read_bytes, replace_bytes

META = "_meta"
MANIFEST = f"{META}/manifest.json"
WITHDRAWN = f"{META}/withdrawn.json"
OLD_MANIFEST = "manifest.json"
"""Where contract versions 1 and 2 had it."""

CARD = "README.md"
MAX_PARTS_ON_CARD = 1_000
"""Our choice: load_dataset resolves a thousand names in a second. A larger table is named by a pattern."""


def hash_bytes(data: bytes) -> str:
    """blake2b-128 of `data`, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def hash_json(value: object) -> str:
    """Hash of a JSON-able value, independent of key order."""
    return hash_bytes(json.dumps(value, sort_keys=True, default=str).encode())


def table_path(root: str, table: str) -> str:
    """Folder of a table."""
    return f"{root.rstrip('/')}/{table}"


def write_manifest(root: str, manifest: Manifest) -> None:
    """Replace the manifest of a table whose lists are there."""
    values = json.loads(json.dumps(asdict(manifest), default=str))
    values |= {"self_digest": hash_json(values)}
    data = json.dumps(values, indent=1, sort_keys=True).encode()
    replace_bytes(table_path(root, manifest.table), MANIFEST, data)


def withdraw(root: str, table: str) -> None:
    """Take a table's manifest away, so that nobody reads it: before files of fixed names change, or for good.

    The next commit still knows what it named.
    """
    folder = table_path(root, table)
    try:
        data = read_bytes(folder, MANIFEST)
    except FileNotFoundError:
        return
    replace_bytes(folder, WITHDRAWN, data)
    delete_files(folder, [MANIFEST])


def read_manifest(root: str, table: str) -> Manifest | None:
    """The committed manifest, or None where there is none (or a killed writer left half of one).

    Raises ContractError if it is of another contract version, or was changed after its commit.
    """
    return _read_manifest(root, table, MANIFEST)


def last_manifest(root: str, table: str) -> Manifest | None:
    """The committed manifest, or else the one that was withdrawn: its shards are still there."""
    return read_manifest(root, table) or _read_manifest(root, table, WITHDRAWN)


def _read_manifest(root: str, table: str, name: str) -> Manifest | None:
    folder = table_path(root, table)
    try:
        values = json.loads(read_bytes(folder, name))
    except FileNotFoundError:
        _refuse_old_layout(folder)
        return None
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    _refuse_other_version(f"{folder}/{name}", values)
    try:
        manifest = _manifest_of(values)
    except (KeyError, TypeError, ValueError):
        raise ContractError(
            f"{folder}/{name}: changed after it was committed; "
            "remedy: delete this file and run the job of its table again"
        ) from None
    if manifest.table != table:
        raise ContractError(
            f"{folder}/{name}: is that of the table {manifest.table}; "
            "remedy: delete this file and run the job of its table again"
        )
    return manifest


def _refuse_old_layout(folder: str) -> None:
    try:
        values = json.loads(read_bytes(folder, OLD_MANIFEST))
    except (FileNotFoundError, ValueError):
        return
    if isinstance(values, dict) and "contract_version" in values:
        _refuse_other_version(f"{folder}/{OLD_MANIFEST}", values)


def _refuse_other_version(path: str, values: dict[str, Any]) -> None:
    version = values.get("contract_version")
    if version != CONTRACT_VERSION:
        raise ContractError(
            f"{path}: contract version {version}, this code reads {CONTRACT_VERSION}; remedy: write to a new "
            "root, or delete this root's tables and run their jobs again"
        )


def _manifest_of(values: dict[str, Any]) -> Manifest:
    """The manifest of a JSON object. Raises KeyError, TypeError or ValueError if no commit wrote it so."""
    if values.pop("self_digest") != hash_json(values):
        raise ValueError
    for name in ("part_list", "shard_log"):
        values[name] = None if values[name] is None else Part(**values[name])
    values["accepted_code"] = tuple(values["accepted_code"])
    return Manifest(**values)


def card(manifest: Manifest, names: Sequence[str]) -> bytes:
    """README.md with the header that datasets.load_dataset reads: only the parts of this commit are data."""
    if len(names) > MAX_PARTS_ON_CARD:
        names = ["data/*.parquet"]  # what dead runs left there would be read too: make clean-root
    listed = "".join(f'  - "{name}"\n' for name in sorted(names))
    header = f"---\nconfigs:\n- config_name: default\n  data_files:\n{listed}---\n" if names else ""
    text = (
        f"# {manifest.table}\n\n{manifest.rows_out} rows, made by the job {manifest.job}; "
        "its configuration and counts are in _meta/manifest.json.\n"
    )
    return (header + text).encode()
