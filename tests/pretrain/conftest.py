"""One-process world for every test here that builds a model."""

import pytest


@pytest.fixture(scope="session")
def single_process():
    """megatron-core's parallel state for one process; made once, because it cannot be made twice."""
    from pretrain import compat
    from pretrain.model import start_single_process

    compat.install()
    start_single_process()
