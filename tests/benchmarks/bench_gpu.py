"""Training speed on one GPU beside a plain PyTorch loop that does the same work, in one run.

    make bench-gpu      or: python tests/benchmarks/bench_gpu.py [--preset configs/h200] [--layers N]
                        [--length S] [--sequences B] [--document D] [--deterministic]

Both take rows of random tokens, one document a row (or, ours alone, documents of D tokens), in bf16 with fp32
master weights and moments, and make whole steps: forward and backward of both heads, clipping, AdamW. Prints
tokens/s, their ratio, peak memory, and the share of the GPU's peak in three counts
(pretrain/plan/sizes.py): what the documents let through, and the two published conventions.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bench_train import measure, our_loop
from plain_mimo import PlainMimo

from configs.loader import load
from configs.recipe import Recipe, load_recipe
from pretrain.plan import sizes
from pretrain.plan.layout import TrainConfig
from pretrain.run import launch
from pretrain.run.samples import Rows


def main() -> None:
    options = arguments().parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("bench-gpu: needs an NVIDIA GPU; remedy: use make bench-train on a CPU")
    if options.only is None:
        seconds = {}
        for name in ("ours", "plain"):  # one process each: both models do not fit in 80 GB
            command = [sys.executable, *sys.argv, "--only", name]
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            print("\n".join(lines[:-1]), flush=True)
            seconds[name] = json.loads(lines[-1])
        print(f"ratio ours / plain: {seconds['plain'] / seconds['ours']:.3f}")
        return
    recipe, config = load_recipe(options.preset), load(options.preset, "train", TrainConfig)
    if options.layers:
        model = recipe.model.model_copy(update={"num_layers": options.layers})
        recipe = recipe.model_copy(update={"model": model})
    launch.start(config.model_copy(update={"deterministic": options.deterministic}))
    tokens = np.random.default_rng(1).integers(
        1, recipe.model.vocab_size, (options.sequences, options.length + 1)
    )
    if options.document and options.only == "ours":
        tokens[:, options.document :: options.document] = 0
    rows = Rows(tokens, np.zeros(options.sequences, np.int64))
    make = our_loop if options.only == "ours" else plain_loop
    loop = {options.only: make(recipe, config, rows, recipe.stages[0].rotary_base)}
    measure(loop, 1, 3)  # compilation
    each = statistics.median(measure(loop, options.rounds, options.steps)[options.only])
    report(recipe, tokens, options.only, each)
    print(json.dumps(each))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", type=Path, default=Path("configs/h200"))
    parser.add_argument("--layers", type=int, help="default: the preset's")
    parser.add_argument("--length", type=int, default=8192)
    parser.add_argument("--sequences", type=int, default=1, help="rows of one step, each a micro-batch")
    parser.add_argument("--document", type=int, help="tokens of a document; default: the row is one")
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--only", choices=("ours", "plain"), help="default: both, in turn")
    parser.add_argument("--steps", type=int, default=8, help="in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--eval-data", help="not needed here")
    parser.add_argument("--peer-python", help="not needed here")
    return parser


def plain_loop(recipe: Recipe, config: TrainConfig, rows: Rows, rotary_base: int) -> Callable[[], None]:
    """Compiled layers, bf16 weights and gradients; fp32 copies of both for clipping and fused AdamW."""
    torch.manual_seed(1)
    length = rows.tokens.shape[1] - 1
    with torch.device("cuda"):
        model = PlainMimo(recipe.model, length, rotary_base).to(torch.bfloat16)
    for layer in (*model.layers, model.mtp_layer):
        layer.compile()
    weights = list(model.parameters())
    masters = [weight.detach().float().requires_grad_() for weight in weights]
    optimizer = torch.optim.AdamW(masters, 1e-4, (0.9, 0.95), weight_decay=0.1, fused=True)
    batches = torch.from_numpy(rows.tokens).cuda().split(1)

    def step() -> None:
        for tokens in batches:
            (model(tokens[:, :-1], tokens[:, 1:], None) / len(batches)).backward()
        for master, weight in zip(masters, weights, strict=True):
            master.grad = weight.grad.float()
        torch.nn.utils.clip_grad_norm_(masters, 1.0, foreach=True)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_copy_(weights, masters)
        optimizer.zero_grad()
        model.zero_grad()

    return step


def report(recipe: Recipe, tokens: np.ndarray, name: str, each: float) -> None:
    sequences, length = tokens.shape[0], tokens.shape[1] - 1
    lengths = []
    for row in tokens[:, :-1]:
        ends = [*(np.flatnonzero(row == 0) + 1), length]
        lengths += [end - start for start, end in zip([0, *ends], ends, strict=False) if end > start]
    rate = sequences * length / each
    counts = {"computed": sizes.attended_keys(lengths)}
    counts |= {f"whole rows {how}": sizes.whole_row_keys(length, how) for how in ("causal", "full")}
    shares = (
        f"{what} {sizes.flops_per_token(recipe.model, keys, True) * rate / sizes.PEAK_FLOPS:.1%}"
        for what, keys in counts.items()
    )
    print(
        f"{name}: {recipe.model.num_layers} layers, {sequences} x {length} tokens, {len(lengths)} documents, "
        f"{torch.cuda.get_device_name()}: {each * 1e3:.1f} ms, {rate:,.0f} tokens/s, "
        f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB; of peak: {', '.join(shares)}"
    )


if __name__ == "__main__":
    main()
