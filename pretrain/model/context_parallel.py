"""Context parallelism on torch's own collectives: ranks split a row's positions, attention gathers its keys.

A row is cut into 2n chunks for n ranks, and rank r holds chunks r and 2n - 1 - r, as in Megatron-LM, so that
all ranks have the same amount of causal attention. Every operation except attention works on one position at
a time; attention gathers the keys and values of the whole row. Cost per layer: one all-gather of keys and
values, one reduce-scatter of their gradients, and memory for the whole row's keys and values (with 8 key
heads for 32 query heads, a quarter of the queries' memory).
"""

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel import gather_from_sequence_parallel_region
from torch import Tensor


def size() -> int:
    """Return the number of ranks that share a row; 1 where no parallel state is initialised."""
    return max(int(parallel_state.get_context_parallel_world_size()), 1)


def places(length: int, rank: int | None = None) -> Tensor:
    """Return the positions, ascending, that a rank (default: this one) holds of a row: [length / size].

    For 2 ranks and 8 positions they are [0, 1, 6, 7] and [2, 3, 4, 5]. `length` is a multiple of 2 x size.
    """
    number = size()
    mine = parallel_state.get_context_parallel_rank() if rank is None else rank
    chunks = torch.arange(length).chunk(2 * number)
    return torch.cat([chunks[mine], chunks[2 * number - 1 - mine]])


def local(values: Tensor, dim: int) -> Tensor:
    """Select this rank's positions from the values of a whole row, along `dim`."""
    if size() == 1:
        return values
    return values.index_select(dim, places(values.size(dim)).to(values.device))


def gather(states: Tensor) -> Tensor:
    """Gather [s / size, ...] of every rank into [s, ...] in the row's order; ranks sum their gradients."""
    number = size()
    if number == 1:
        return states
    joined = gather_from_sequence_parallel_region(
        states.contiguous(), group=parallel_state.get_context_parallel_group()
    )
    order = torch.cat([places(joined.size(0), rank) for rank in range(number)])
    return joined.index_select(0, order.argsort().to(joined.device))
