"""Megatron-Core's indexed dataset on disk, written without importing Megatron (27 s and torch, per worker).

`<prefix>.bin`: token ids one after the other, nothing else. `<prefix>.idx`: magic, version, type code,
counts, then the length of every sequence, its byte offset, and the document boundaries as sequence numbers.
Here one sequence is one document, so boundaries are 0..n.
Source: megatron-core 0.16.1, core/datasets/indexed_dataset.py; a test reads the files back with it.
"""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_MAGIC = b"MMIDIDX\x00\x00"
_VERSION = 1
_TYPE_CODES = {np.dtype(np.int32): 4, np.dtype(np.uint16): 8}

MAX_UINT16_VOCABULARY = 65_500
"""Below it tokens take two bytes (megatron-core's DType.optimal_dtype)."""


def token_dtype(vocab_size: int) -> npt.DTypeLike:
    """Little-endian uint16 or int32."""
    return np.dtype("<u2") if vocab_size < MAX_UINT16_VOCABULARY else np.dtype("<i4")


def encode_bin(documents: Sequence[Sequence[int]], vocab_size: int) -> bytes:
    """The .bin file: documents' tokens in order. Raises OverflowError for a token that does not fit."""
    dtype = token_dtype(vocab_size)
    return b"".join(np.asarray(document, dtype=dtype).tobytes() for document in documents)


def encode_idx(lengths: Sequence[int], vocab_size: int) -> bytes:
    """The .idx file of documents with these numbers of tokens."""
    dtype = np.dtype(token_dtype(vocab_size))
    sizes = np.asarray(lengths, dtype="<i4")
    pointers = np.zeros(len(sizes), dtype="<i8")
    np.cumsum(sizes[:-1].astype("<i8") * dtype.itemsize, out=pointers[1:])
    boundaries = np.arange(len(sizes) + 1, dtype="<i8")
    header = _MAGIC + struct.pack(
        "<QBQQ", _VERSION, _TYPE_CODES[dtype.newbyteorder("=")], len(sizes), len(boundaries)
    )
    return header + sizes.tobytes() + pointers.tobytes() + boundaries.tobytes()
