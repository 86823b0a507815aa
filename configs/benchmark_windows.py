"""The table `benchmark_index` as arrays: what is to be kept out of the training text.

    index = index_of_windows(*read_windows(tables.open_table(root, "benchmark_index")))

pipeline.index_benchmarks writes the table; filter and synth read it this way, the second call being of
filters.decontaminate. Cost: 12 bytes per window.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from configs import tables
from configs.contract import BENCHMARK_INDEX


class Windows(NamedTuple):
    """Names of the problems by number; hash of each window, ascending, and the number of its problem."""

    problems: tuple[str, ...]
    hashes: npt.NDArray[np.uint64]
    owners: npt.NDArray[np.uint32]


def read_windows(table: tables.Table) -> Windows:
    """All windows of the table, in its order."""
    rows = tables.read(table)
    if rows is None:
        rows = BENCHMARK_INDEX.empty_table()
    owners = rows["problem_number"].to_numpy()
    # Every problem has a window, so the numbers are 0, 1, 2, ... without a gap.
    _, first = np.unique(owners, return_index=True)
    problems = tuple(rows["problem"].take(first).to_pylist())
    return Windows(problems, rows["window_hash"].to_numpy(), owners)
