"""What several tests here use and none changes: one process's world, a model that learnt, a finished run."""

import pytest


@pytest.fixture(scope="session")
def single_process():
    """megatron-core's parallel state for one process; made once, because it cannot be made twice.

    One thread: on matrices this small, threads wait for each other (a quarter of the CPU time of two).
    """
    import torch

    from pretrain.model import compat
    from pretrain.model.mimo import start_single_process

    torch.set_num_threads(1)
    compat.install()
    start_single_process()


@pytest.fixture(scope="session")
def trained(single_process):
    """The model that has learnt CYCLE; whoever changes it puts it back."""
    from tests.pretrain.decoding.test_generate import trained_model

    return trained_model()


@pytest.fixture(scope="session")
def straight(tmp_path_factory):
    """The small run, trained unbroken to its end."""
    from tests.pretrain.small_run import write_run
    from tests.pretrain.test_train import train

    root = tmp_path_factory.mktemp("straight")
    write_run(root)
    done = train(root)
    assert done.returncode == 0, done.stderr
    return root
