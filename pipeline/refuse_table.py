"""Take back a table that was written but must not be used."""

from typing import NoReturn

from configs.contract import ContractError, Manifest
from configs.tables import filesystem, table_path


def refuse(root: str, manifest: Manifest, why: str) -> NoReturn:
    """Delete the manifest, so that no job reads the table, and raise ContractError.

    The rejects stay committed for inspection, the finished shards for the next run.
    """
    folder = table_path(root, manifest.table)
    fs, base = filesystem(folder)
    fs.delete_file(f"{base}/manifest.json")
    raise ContractError(f"{folder}: {why} (rejected: {manifest.rejected or 'none'})")
