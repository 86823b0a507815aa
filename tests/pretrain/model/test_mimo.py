"""Our model against MiMo's formulas in plain PyTorch: both losses and every gradient, in fp32."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from configs.loader import ConfigError, load
from configs.recipe import ModelConfig
from pretrain.hf.layout import to_hf
from pretrain.model.batch import make_batch
from pretrain.model.loss import forward_step, global_counts
from pretrain.model.mimo import build_model, set_rotary
from tests.pretrain import reference_mimo

pytestmark = pytest.mark.usefixtures("single_process")

SMALL = ModelConfig(
    num_layers=2,
    hidden_size=32,
    ffn_hidden_size=48,
    num_attention_heads=4,
    num_query_groups=2,
    head_dim=16,
    vocab_size=90,
    vocab_divisible_by=64,
    norm_epsilon=1e-5,
    init_std=0.2,
    mtp_num_layers=1,
    mtp_hidden="mimo",
    mtp_zero_first_embedding=True,
)
BASE = 10_000
MTP_WEIGHT = 0.3
LENGTH = 24

# Measured worst over all tensors: losses 4.8e-7, gradients 1.8e-7 (CPU, torch 2.13); ten times that.
LOSS_TOLERANCE = 5e-6
GRADIENT_TOLERANCE = 2e-6


def packed_batches(seed=0):
    """Two micro-batches of two rows with documents inside; labels in the next document do not count."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(2):
        stream = torch.randint(0, SMALL.vocab_size, (2, LENGTH + 1), generator=generator)
        starts = torch.rand(2, LENGTH, generator=generator) < 0.15
        mask = torch.ones(2, LENGTH, dtype=torch.bool)
        mask[:, :-1] = ~starts[:, 1:]
        mask[0, -3:] = False  # padding
        batches.append(make_batch(stream[:, :-1], stream[:, 1:], mask, starts))
    return batches


def rows_of(batches):
    return [
        row
        for batch in batches
        for row in zip(batch.tokens, batch.labels, batch.loss_mask, batch.document_starts, strict=True)
    ]


def small_model(config=SMALL, **arguments):
    torch.manual_seed(3)
    model = build_model(config, sequence_length=LENGTH, rotary_base=BASE, **arguments)
    with torch.no_grad():  # biases and norm gains start at 0 and 1, where a mix-up would not show
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def our_losses(model, batches):
    """Mean main and MTP loss, and the gradients under MiMo's names, over all micro-batches."""
    counts = global_counts(batches)
    step = forward_step(counts, MTP_WEIGHT)
    model.zero_grad()
    sums = torch.zeros(2)
    for batch in batches:
        losses, report = step(iter([batch]), model)
        total, num_tokens, part = report(losses)
        assert num_tokens == 0
        total.backward()
        sums += part.sum(1)
    grads = {name: parameter.grad for name, parameter in model.named_parameters()}
    return sums[0] / counts.main, sums[1] / counts.mtp, to_hf(model.model_config, grads)


def reference_losses(weights, batches, base=BASE):
    weights = {name: tensor.clone().requires_grad_() for name, tensor in weights.items()}
    main, mtp = reference_mimo.losses(weights, SMALL, base, rows_of(batches))
    (main + MTP_WEIGHT * mtp).backward()
    return main.detach(), mtp.detach(), {name: tensor.grad for name, tensor in weights.items()}


def worst_differences(ours, reference):
    """(loss difference, gradient difference), each the worst absolute one."""
    assert ours[2].keys() == reference[2].keys()
    loss = max(abs(float(a) - float(b)) for a, b in zip(ours[:2], reference[:2], strict=True))
    gradient = max(float((ours[2][name] - reference[2][name]).abs().max()) for name in ours[2])
    return loss, gradient


def test_losses_and_gradients_equal_mimos_formulas():
    model, batches = small_model(), packed_batches()
    loss, gradient = worst_differences(
        our_losses(model, batches), reference_losses(to_hf(SMALL, model.state_dict()), batches)
    )
    print(f"worst loss difference {loss:.2e}, worst gradient difference {gradient:.2e}")
    assert loss < LOSS_TOLERANCE
    assert gradient < GRADIENT_TOLERANCE


def test_recomputation_changes_nothing():
    batches = packed_batches()
    plain, again = (our_losses(small_model(recompute=flag), batches) for flag in (False, True))
    assert worst_differences(plain, again) == (0.0, 0.0)


def test_state_after_the_final_norm_fails_parity():
    model, batches = small_model(SMALL.model_copy(update={"mtp_hidden": "megatron"})), packed_batches()
    loss, gradient = worst_differences(
        our_losses(model, batches), reference_losses(to_hf(SMALL, model.state_dict()), batches)
    )
    assert loss > 1000 * LOSS_TOLERANCE
    assert gradient > 1000 * GRADIENT_TOLERANCE


def test_unswapped_projection_halves_fail_parity():
    model, batches = small_model(), packed_batches()
    weights = to_hf(SMALL, model.state_dict())
    name = "model.mtp_layers.0.input_proj.weight"
    weights[name] = torch.cat(weights[name].chunk(2, dim=1)[::-1], dim=1)
    loss, _ = worst_differences(our_losses(model, batches), reference_losses(weights, batches))
    assert loss > 1000 * LOSS_TOLERANCE


def test_first_embedding_that_is_not_zeroed_fails_parity():
    config = SMALL.model_copy(update={"mtp_zero_first_embedding": False})
    model, batches = small_model(config), packed_batches()
    loss, _ = worst_differences(
        our_losses(model, batches), reference_losses(to_hf(SMALL, model.state_dict()), batches)
    )
    assert loss > 1000 * LOSS_TOLERANCE


def test_ignored_document_boundaries_fail_parity():
    model, batches = small_model(), packed_batches()
    merged = [make_batch(b.tokens, b.labels, b.loss_mask, torch.zeros_like(b.loss_mask)) for b in batches]
    ours, reference = our_losses(model, merged), reference_losses(to_hf(SMALL, model.state_dict()), batches)
    assert abs(float(ours[0]) - float(reference[0])) > 1000 * LOSS_TOLERANCE


def test_set_rotary_changes_the_base_of_a_running_model():
    model, batches = small_model(), packed_batches()
    weights = to_hf(SMALL, model.state_dict())
    our_losses(model, batches)
    set_rotary(model, 640_000)
    ours = our_losses(model, batches)
    new, old = (worst_differences(ours, reference_losses(weights, batches, base)) for base in (640_000, BASE))
    assert new[0] < LOSS_TOLERANCE
    assert new[1] < GRADIENT_TOLERANCE
    assert old[0] > 100 * LOSS_TOLERANCE


def test_a_model_without_mtp_has_a_zero_mtp_loss():
    model, batches = small_model(SMALL.model_copy(update={"mtp_num_layers": 0})), packed_batches()
    main, mtp, gradients = our_losses(model, batches)
    assert main > 1.0
    assert mtp == 0.0
    assert not any("mtp" in name for name in gradients)


def test_mimo7b_has_the_released_number_of_parameters_and_tensors():
    config = load("configs/mimo7b", "model", ModelConfig)
    assert config.padded_vocab_size == 151_680
    with torch.device("meta"):
        model = build_model(config, sequence_length=8192, rotary_base=BASE)
    parameters = dict(model.named_parameters())
    assert sum(parameter.numel() for parameter in parameters.values()) == 7_833_409_536
    mtp = [parameter.numel() for name, parameter in parameters.items() if name.startswith("mtp.")]
    assert sum(mtp) == 210_790_400
    assert len(to_hf(config, model.state_dict())) == 451


def test_a_shape_that_cannot_be_split_is_refused():
    with pytest.raises(ConfigError, match="num_query_groups 2 cannot be split 4 ways"):
        build_model(SMALL, sequence_length=LENGTH, rotary_base=BASE, tensor_parallel=4)


@pytest.mark.distributed
@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path):
    """Data, tensor, pipeline and context parallelism, each with two gloo processes, against this one alone.

    Megatron-LM #3943: the MTP gradient's scale depended on the parallel layout.
    """
    from tests.pretrain import parallel_losses

    alone = parallel_losses.train(1, 1)
    script, out = Path(parallel_losses.__file__), tmp_path / "losses.json"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(script.parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(script), str(out)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    traces = json.loads(out.read_text())
    assert traces.keys() == parallel_losses.LAYOUTS.keys()
    for name, trace in traces.items():
        pairs = [pair for steps in zip(trace, alone, strict=True) for pair in zip(*steps, strict=True)]
        worst = max(abs(a - b) for a, b in pairs)
        print(f"{name}: worst loss difference {worst:.1e} over {len(trace)} steps")
        assert worst < 1e-5, (name, trace, alone)  # measured worst 7.1e-7
    assert alone[-1] != pytest.approx(alone[0], abs=1e-2)
