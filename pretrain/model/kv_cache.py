"""Keys and values of the text so far, so that decoding runs over new tokens only.

Positions are absolute. A chunk written at a position again replaces what was there, and what lies behind the
last chunk counts as absent: a rejected draft needs no clean-up.
Memory: 2 x key-value heads x head size values a layer and token.
"""

import torch
from torch import Tensor


class KeyValueCache:
    """Of every attention layer that asks, for texts of up to `capacity` tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._kept: dict[torch.nn.Module, tuple[Tensor, Tensor]] = {}

    def extend(self, layer: torch.nn.Module, first: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keep a chunk's keys and values [n, b, heads, d] from position `first` on.

        Returns those of the whole text up to the chunk's end, [first + n, b, heads, d] each.
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
    """[1, 1, length, first + length] bool, True where a query of the chunk may see a key.

    None where plain causal attention says the same: at the text's beginning, or for one query.
    """
    if first == 0 or length == 1:
        return None
    seen = torch.ones(length, first + length, dtype=torch.bool, device=device).tril(first)
    return seen[None, None]
