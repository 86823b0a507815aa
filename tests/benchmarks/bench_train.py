"""Training speed beside a plain PyTorch loop of the same shapes, in one run.

    python tests/benchmarks/bench_train.py [--preset configs/tiny] [--steps N] [--rounds R]

Both take the same packed documents of random tokens, the same micro-batch and precision, and make whole
steps: forward, backward, clipping, AdamW. Rounds alternate. Prints tokens/s (median over rounds) and their
ratio. On a GPU use bench_gpu.py.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from plain_mimo import PlainMimo

from configs.loader import load
from configs.recipe import Recipe, load_recipe
from pretrain.model.attention import dense_mask
from pretrain.model.mimo import build_model
from pretrain.plan.layout import TrainConfig
from pretrain.plan.schedule import Step
from pretrain.plan.spikes import History
from pretrain.run import launch
from pretrain.run.optimizer import build_optimizer, with_gradient_buffers
from pretrain.run.samples import Rows
from pretrain.train import Training, train_step

MEAN_DOCUMENT_TOKENS = 700
"""Our choice: about the shipped corpus's; documents end inside the rows as they do in training."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", type=Path, default=Path("configs/tiny"))
    parser.add_argument("--steps", type=int, default=20, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sequences", type=int, default=2, help="of one step")
    parser.add_argument("--stage", type=int, default=1, help="whose sequence length is used")
    parser.add_argument("--eval-data", help="not needed here")
    parser.add_argument("--peer-python", help="not needed here")
    options = parser.parse_args()
    if torch.cuda.is_available():
        raise SystemExit("bench-train: compares on a CPU; remedy: make bench-gpu")
    recipe, config = load_recipe(options.preset), load(options.preset, "train", TrainConfig)
    launch.start(config)
    stage = recipe.stages[options.stage - 1]
    rows = random_rows(recipe, options.sequences, stage.sequence_length)
    loops = {"ours": our_loop(recipe, config, rows, stage.rotary_base)}
    measure(loops, 1, 3)  # compilation and allocation of one before the other takes memory
    loops["plain PyTorch"] = plain_loop(recipe, config, rows, stage.rotary_base)
    measure(loops, 1, 3)
    seconds = measure(loops, options.rounds, options.steps)
    report(recipe, rows, seconds)


def random_rows(recipe: Recipe, sequences: int, length: int) -> Rows:
    """[sequences, length + 1] random tokens in documents, EOD 0."""
    noise = np.random.default_rng(1)
    tokens = noise.integers(1, recipe.model.vocab_size, (sequences, length + 1))
    tokens[noise.random(tokens.shape) < 1 / MEAN_DOCUMENT_TOKENS] = 0
    return Rows(tokens, np.zeros(sequences, np.int64))


class _OneSource:
    """What train_step asks of StageData."""

    eod, sources = 0, ("random",)


def our_loop(recipe: Recipe, config: TrainConfig, rows: Rows, rotary_base: int) -> Callable[[], None]:
    torch.manual_seed(1)
    sequences, length = len(rows.tokens), rows.tokens.shape[1] - 1
    model = build_model(
        recipe.model,
        sequence_length=length,
        rotary_base=rotary_base,
        bf16=config.precision == "bf16",
        recompute=config.recompute,
    )
    ddp = with_gradient_buffers(model)
    optimizer = build_optimizer(ddp, recipe.schedule, config.precision == "bf16")
    training = Training("", recipe, config, ddp, optimizer, None, lambda: 0, None)
    step = Step(0, 1, 0, sequences * length, sequences, length, rotary_base, 1e-4, 0.3)
    history: History = ()
    return lambda: train_step(training, step, rows, _OneSource(), history)


def plain_loop(recipe: Recipe, config: TrainConfig, rows: Rows, rotary_base: int) -> Callable[[], None]:
    torch.manual_seed(1)
    length = rows.tokens.shape[1] - 1
    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    device = launch.device()
    model = PlainMimo(recipe.model, length, rotary_base).to(device, dtype)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True
    )
    size = max(config.micro_batch_tokens // length, 1)
    batches = []
    for start in range(0, len(rows.tokens), size):
        tokens = torch.from_numpy(rows.tokens[start : start + size]).to(device)
        inputs, labels = tokens[:, :-1], tokens[:, 1:].masked_fill(tokens[:, :-1] == 0, -100)
        starts = torch.zeros_like(inputs, dtype=torch.bool)
        starts[:, 1:] = inputs[:, :-1] == 0
        batches.append((inputs, labels, dense_mask(starts)))

    def step() -> None:
        for inputs, labels, mask in batches:
            (model(inputs, labels, mask) / len(batches)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(loops: dict[str, Callable[[], None]], rounds: int, steps: int) -> dict[str, list[float]]:
    """Seconds a step of every round, the loops in turn."""
    found: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            synchronise()
            started = time.perf_counter()
            for _ in range(steps):
                loop()
            synchronise()
            found[name].append((time.perf_counter() - started) / steps)
    return found


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def report(recipe: Recipe, rows: Rows, seconds: dict[str, list[float]]) -> None:
    sequences, length = rows.tokens.shape[0], rows.tokens.shape[1] - 1
    print(f"{sequences} x {length} tokens a step, {recipe.model.num_layers} layers, {launch.device()}")
    rates = {name: sequences * length / statistics.median(found) for name, found in seconds.items()}
    for name, rate in rates.items():
        print(f"{name:14s} {rate:10,.0f} tokens/s")
    print(f"ratio ours / plain: {rates['ours'] / rates['plain PyTorch']:.3f}")


if __name__ == "__main__":
    main()
