"""A cache of keys and values, so that decoding computes only the new tokens.

Positions are absolute. A second write at a position replaces the first, and entries after the last written
chunk count as absent; rejected drafts therefore need no clean-up.
Memory: 2 x key-value heads x head size values per layer and token.
"""

import torch
from torch import Tensor


class KeyValueCache:
    """The keys and values of every attention layer, for texts of up to `capacity` tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: dict[torch.nn.Module, tuple[Tensor, Tensor]] = {}

    def extend(self, layer: torch.nn.Module, first: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store a chunk's keys and values [n, b, heads, d], whose first position is `first`.

        Returns the keys and values of the whole text up to the chunk's end, [first + n, b, heads, d] each.
        """
        if layer not in self._kept:
            shapes = ((self.capacity, *tensor.shape[1:]) for tensor in (key, value))
            self._kept[layer] = tuple(key.new_empty(shape) for shape in shapes)
        end = first + len(key)
        assert end <= self.capacity, f"{end} tokens, the cache holds {self.capacity}"
        for kept, new in zip(self._kept[layer], (key, value), strict=True):
            kept[first:end] = new
        keys, values = self._kept[layer]
        return keys[:end], values[:end]


def chunk_mask(first: int, length: int, device: torch.device) -> Tensor | None:
    """Return the mask [1, 1, length, first + length]: True where a query of the chunk may see a key.

    Returns None where plain causal attention gives the same result: at the start of the text, or for a single
    query.
    """
    if first == 0 or length == 1:
        return None
    seen = torch.ones(length, first + length, dtype=torch.bool, device=device).tril(first)
    return seen[None, None]
