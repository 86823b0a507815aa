"""One-process world for every test here that builds a model."""

import pytest


@pytest.fixture(scope="session")
def single_process():
    """megatron-core's parallel state for one process; made once, because it cannot be made twice.

    One thread: on matrices this small, threads wait for each other (a quarter of the CPU time of two).
    """
    import torch

    from pretrain import compat
    from pretrain.model import start_single_process

    torch.set_num_threads(1)
    compat.install()
    start_single_process()
