"""Find the documents of a training sample: sample -> bucket -> tokens -> spans.parquet -> doc_id.

Training uses this only when it reports a bad step. Cost: one read of the bucket's spans.parquet per bucket.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from configs import tables
from configs.contract import ContractError
from configs.tokens.blocks import REMEDY, SPANS_FILE, is_as_written, read_digests
from pretrain.run.samples import StageData


def documents_of_samples(
    root: str, data: StageData, first: int, count: int, drawn: npt.NDArray[np.int64], sequence_length: int
) -> dict[str, list[str]]:
    """Return, per bucket, the ids of the documents in samples first .. first + count - 1 of a stage.

    The ids are in the bucket's order. `drawn` is the state before the first of these samples, as
    StageData.drawn(first) returns it; it is not changed.
    """
    drawn = drawn.copy()
    places: dict[int, list[npt.NDArray[np.int64]]] = {}
    for choice in data.choices(first, count).tolist():
        places.setdefault(choice, []).append(
            data.streams[choice].places(int(drawn[choice]), sequence_length)[:-1]
        )
        drawn[choice] += 1
    documents = {}
    for choice, offsets in sorted(places.items()):
        bucket = data.streams[choice].taken.bucket
        documents[bucket] = _doc_ids(root, bucket, np.concatenate(offsets))
    return documents


def _doc_ids(root: str, bucket: str, places: npt.NDArray[np.int64]) -> list[str]:
    """Return the ids of the documents that hold these token offsets of a bucket.

    Raises ContractError if the bucket's spans.parquet is not what tokenize wrote.
    """
    table = tables.open_table(root, f"tokens/{bucket}")
    data, digests = tables.read_bytes(table.path, SPANS_FILE), read_digests(table)
    if SPANS_FILE not in digests or not is_as_written(data, digests[SPANS_FILE].whole):
        raise ContractError(f"{table.path}/{SPANS_FILE}: not what tokenize wrote; {REMEDY}")
    spans = pq.read_table(pa.BufferReader(data)).to_pydict()
    numbers = np.unique(np.searchsorted(np.asarray(spans["token_end"]), places, side="right"))
    return [spans["doc_id"][number] for number in numbers.tolist()]
