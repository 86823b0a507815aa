"""How much of the MTP head's gradient survives accumulation in the shared output layer.

    make bench-gradients      or: python tests/benchmarks/bench_gradients.py

The output layer's gradient is the sum of a large part, from the main head, and of a small one, from the MTP
head, over all micro-batches. Rounding the running sum to bf16 can lose the small part. Printed is the error
of the accumulated gradient relative to the MTP part, for three MTP weights and 64 micro-batches: accumulated
as training does on a GPU (products that add to an fp32 buffer), with each product rounded to bf16 first, and
in bf16.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pretrain.model.weight_gradient import add_product

MICRO_BATCHES, TOKENS, HIDDEN, WORDS = 64, 256, 64, 128
WEIGHTS = (0.3, 0.1, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--eval-data", help="not needed here")
    parser.add_argument("--peer-python", help="not needed here")
    parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{MICRO_BATCHES} micro-batches on {device}: error relative to the MTP part of the gradient")
    for weight in WEIGHTS:
        errors = (f"{name} {error(weight, add, kind, device):.2%}" for name, (add, kind) in WAYS.items())
        print(f"MTP weight {weight}: {', '.join(errors)}")


def rounded_first(total: Tensor, grad_output: Tensor, inputs: Tensor) -> None:
    """Autograd's way: the product in bf16, then its sum with the buffer."""
    total += grad_output.t() @ inputs


Add = Callable[[Tensor, Tensor, Tensor], None]
WAYS: dict[str, tuple[Add, torch.dtype]] = {
    "ours": (add_product, torch.float32),
    "products in bf16": (rounded_first, torch.float32),
    "all in bf16": (rounded_first, torch.bfloat16),
}


def error(mtp_weight: float, add: Add, kind: torch.dtype, device: str = "cpu") -> float:
    """|accumulated - exact| / |exact MTP part| in the Frobenius norm, for a buffer of type `kind`.

    The heads' gradients by the logits are those of a softmax over random logits, less the label's 1; the
    exact sums are of the same bf16 factors, in fp64.
    """
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(WORDS, HIDDEN, dtype=kind, device=device)
    exact = torch.zeros(WORDS, HIDDEN, dtype=torch.float64)
    mtp_part = torch.zeros_like(exact)
    for _ in range(MICRO_BATCHES):
        for scale in (1.0, mtp_weight):
            hidden = torch.randn(TOKENS, HIDDEN, generator=generator).bfloat16()
            grad = torch.randn(TOKENS, WORDS, generator=generator).softmax(-1)
            labels = torch.randint(0, WORDS, (TOKENS,), generator=generator)
            grad[torch.arange(TOKENS), labels] -= 1.0
            grad = (scale / (TOKENS * MICRO_BATCHES) * grad).bfloat16()
            add(total, grad.to(device), hidden.to(device))
            product = grad.double().t() @ hidden.double()
            exact += product
            mtp_part += product if scale == mtp_weight else 0
    return float((total.cpu().double() - exact).norm() / mtp_part.norm())


if __name__ == "__main__":
    main()
