"""How much the MTP layers speed decoding up: acceptance rates, tokens per forward pass, tokens per second.

The model continues held-out prompts with 1 to 3 drafts per pass, greedily and sampled at temperature 1.
For each setting the table holds:
- acceptance: accepted / verified drafts, per position (drafts after a rejected one are not verified);
- acceptance_length: mean tokens per verifying pass, 1 + accepted / passes;
- draft_cost: time of one draft / time of one plain pass;
- modelled_speedup: acceptance_length / (1 + drafts x draft_cost);
- measured_speedup: ratio of tokens per second, with drafts and without;
- repeat_fraction: the fraction of a continuation's 4-grams that occur earlier in it. A high value means that
  the text loops, and then the acceptance says little.
One text is decoded at a time, so this is the speed-up for a single user; a fully loaded server gains less.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pretrain.decoding.generate import Generation, generate
from pretrain.model.mimo import MimoModel

MAX_DRAFTS = 3  # as many as the report's MTP layers at inference (arXiv:2505.07608)
NUM_SERVED, SERVED_TOKENS = 4, 48
"""Prompts per group, and new tokens per prompt.

Our choice: 4 x 48 tokens give acceptance to within about 7 points (two sigma), and the eight settings take
some seconds per group on a laptop."""
REPEAT_WORDS = 4


@dataclass(frozen=True)
class Served:
    """The measurements of one decoding setting on one group's prompts."""

    num_drafts: int
    temperature: float
    acceptance: list[float | None]
    """One value per draft position; None where no draft was verified."""
    acceptance_length: float
    draft_cost: float
    modelled_speedup: float
    measured_speedup: float
    tokens_per_second: float
    repeat_fraction: float


def measure(model: MimoModel, prompts: Tensor) -> list[Served]:
    """Measure every decoding setting on prompts [n, p]. Without an MTP layer or a prompt, return []."""
    if not model.mtp_process or not prompts.numel():
        return []
    chosen = prompts[:NUM_SERVED].tolist()
    found = []
    for temperature in (0.0, 1.0):
        plain = decode_all(model, chosen, 0, temperature)
        found += [
            compare(plain, decode_all(model, chosen, num_drafts, temperature), num_drafts, temperature)
            for num_drafts in range(1, MAX_DRAFTS + 1)
        ]
    return found


def sampled_acceptance(model: MimoModel, prompts: Tensor) -> float | None:
    """Return the acceptance rate at temperature 1 with one draft per pass; None without a prompt."""
    if not prompts.numel():
        return None
    texts = decode_all(model, prompts[:NUM_SERVED].tolist(), 1, 1.0)
    return sum(text.accepted[0] for text in texts) / sum(text.verified[0] for text in texts)


def decode_all(
    model: MimoModel, prompts: Sequence[Sequence[int]], num_drafts: int, temperature: float
) -> list[Generation]:
    """Generate a continuation of every prompt; the seed is the prompt's index."""
    return [
        generate(model, prompt, SERVED_TOKENS, num_drafts=num_drafts, temperature=temperature, seed=number)
        for number, prompt in enumerate(prompts)
    ]


def compare(
    plain: Sequence[Generation], drafted: Sequence[Generation], num_drafts: int, temperature: float
) -> Served:
    """Compare decoding with drafts to plain decoding of the same prompts.

    The pass that reads the prompt is not counted.
    """
    verified, accepted = (
        [sum(getattr(text, name)[place] for text in drafted) for place in range(num_drafts)]
        for name in ("verified", "accepted")
    )
    length = 1 + sum(accepted) / verified[0]
    plain_pass = sum(text.pass_seconds for text in plain) / sum(text.forward_passes - 1 for text in plain)
    draft_cost = (
        sum(text.draft_seconds for text in drafted) / sum(text.drafted for text in drafted) / plain_pass
    )
    seconds = sum(text.pass_seconds + text.draft_seconds for text in drafted)
    speed = sum(len(text.tokens) - 1 for text in drafted) / seconds
    return Served(
        num_drafts=num_drafts,
        temperature=temperature,
        acceptance=[a / c if c else None for a, c in zip(accepted, verified, strict=True)],
        acceptance_length=length,
        draft_cost=draft_cost,
        modelled_speedup=length / (1 + num_drafts * draft_cost),
        measured_speedup=speed * plain_pass,
        tokens_per_second=speed,
        repeat_fraction=repeat_fraction([text.tokens for text in drafted]),
    )


def repeat_fraction(texts: Sequence[Sequence[int]]) -> float:
    """Return the fraction of the texts' 4-grams that occur earlier in the same text."""
    grams = [
        [tuple(text[n : n + REPEAT_WORDS]) for n in range(len(text) - REPEAT_WORDS + 1)] for text in texts
    ]
    total = sum(map(len, grams))
    return 1 - sum(len(set(text)) for text in grams) / total if total else 0.0
