"""Context parallelism on torch's own collectives: a row's positions are spread over ranks, keys are gathered.

Rank r of n holds chunks r and 2n - 1 - r of a row's 2n (as Megatron-LM cuts rows), so that all ranks have the
same causal work. Everything but attention looks at one position at a time; attention gathers the keys and
values of the whole row. Cost a layer: one all-gather of keys and values, one reduce-scatter of their
gradients, and memory for the whole row's keys and values (with 8 of 32 heads a quarter of the queries').
"""

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel import gather_from_sequence_parallel_region
from torch import Tensor


def size() -> int:
    """Ranks that share a row; 1 where no parallel state is initialised."""
    return max(int(parallel_state.get_context_parallel_world_size()), 1)


def places(length: int, rank: int | None = None) -> Tensor:
    """Positions of a row of `length` that a rank (default this one) holds, ascending: [length / size].

    For 2 ranks and 8 positions: [0, 1, 6, 7] and [2, 3, 4, 5]. `length` is a multiple of 2 size.
    """
    number = size()
    mine = parallel_state.get_context_parallel_rank() if rank is None else rank
    chunks = torch.arange(length).chunk(2 * number)
    return torch.cat([chunks[mine], chunks[2 * number - 1 - mine]])


def local(values: Tensor, dim: int) -> Tensor:
    """This rank's positions of a whole row's values, along `dim`."""
    if size() == 1:
        return values
    return values.index_select(dim, places(values.size(dim)).to(values.device))


def gather(states: Tensor) -> Tensor:
    """[s / size, ...] of every rank -> [s, ...] in the row's order; gradients are summed over ranks."""
    number = size()
    if number == 1:
        return states
    joined = gather_from_sequence_parallel_region(
        states.contiguous(), group=parallel_state.get_context_parallel_group()
    )
    order = torch.cat([places(joined.size(0), rank) for rank in range(number)])
    return joined.index_select(0, order.argsort().to(joined.device))
