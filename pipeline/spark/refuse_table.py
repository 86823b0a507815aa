"""Take back a table that was written but must not be used."""

from typing import NoReturn

from configs.contract import ContractError, Manifest
from configs.tables import table_path, withdraw


def refuse(root: str, manifest: Manifest, why: str) -> NoReturn:
    """Delete the manifest, so that no job reads the table, and raise ContractError.

    The rejects stay committed for inspection, the finished shards for the next run.
    """
    withdraw(root, manifest.table)
    folder = table_path(root, manifest.table)
    raise ContractError(f"{folder}: {why} (rejected: {manifest.rejected or 'none'})")
