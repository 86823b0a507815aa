"""What a draft head saves while the model writes: acceptance, tokens a pass, speed.

For 1 to 3 drafts a pass, greedily and sampled at temperature 1, on continuations of held-out prompts:
- acceptance, of each draft position: drafts that stood / drafts judged (one behind a fallen draft is not);
- acceptance_length: tokens of a pass that judges drafts, 1 + accepted / passes;
- draft_cost: time of a draft / time of a plain pass;
- modelled_speedup: acceptance_length / (1 + drafts x draft_cost); measured_speedup: of tokens a second;
- repeat_fraction: 4-grams of the continuation that it held before. Where it is high, a greedy text is a loop
  and its acceptance says little.
Text by text: this is one reader's speed; a server that is full gains less.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pretrain.decoding.generate import Generation, generate
from pretrain.model.mimo import MimoModel

MAX_DRAFTS = 3  # the report's inference layers
NUM_SERVED, SERVED_TOKENS = 4, 48
"""Prompts a group and their new tokens. Ours: 4 x 48 tokens resolve about 7 points of acceptance (two sigma),
and the eight ways of decoding take some seconds a group on a laptop."""
REPEAT_WORDS = 4


@dataclass(frozen=True)
class Served:
    """One way of decoding on one group's prompts."""

    num_drafts: int
    temperature: float
    acceptance: list[float | None]
    """For each draft position; None where none was judged."""
    acceptance_length: float
    draft_cost: float
    modelled_speedup: float
    measured_speedup: float
    tokens_per_second: float
    repeat_fraction: float


def measure(model: MimoModel, prompts: Tensor) -> list[Served]:
    """Every way of decoding on prompts [n, p]; without an MTP layer or a prompt there is none."""
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
    """Drafts that stand where words are drawn at temperature 1, one draft a pass; None without a prompt."""
    if not prompts.numel():
        return None
    texts = decode_all(model, prompts[:NUM_SERVED].tolist(), 1, 1.0)
    return sum(text.accepted[0] for text in texts) / sum(text.checked[0] for text in texts)


def decode_all(
    model: MimoModel, prompts: Sequence[Sequence[int]], num_drafts: int, temperature: float
) -> list[Generation]:
    """A continuation of every prompt, each with its own seed."""
    return [
        generate(model, prompt, SERVED_TOKENS, num_drafts=num_drafts, temperature=temperature, seed=number)
        for number, prompt in enumerate(prompts)
    ]


def compare(
    plain: Sequence[Generation], drafted: Sequence[Generation], num_drafts: int, temperature: float
) -> Served:
    """Drafted texts beside plain ones of the same prompts; the pass that reads the prompt is left out."""
    checked, accepted = (
        [sum(getattr(text, name)[place] for text in drafted) for place in range(num_drafts)]
        for name in ("checked", "accepted")
    )
    length = 1 + sum(accepted) / checked[0]
    plain_pass = sum(text.pass_seconds for text in plain) / sum(text.forward_passes - 1 for text in plain)
    draft_cost = (
        sum(text.draft_seconds for text in drafted) / sum(text.drafted for text in drafted) / plain_pass
    )
    seconds = sum(text.pass_seconds + text.draft_seconds for text in drafted)
    speed = sum(len(text.tokens) - 1 for text in drafted) / seconds
    return Served(
        num_drafts=num_drafts,
        temperature=temperature,
        acceptance=[a / c if c else None for a, c in zip(accepted, checked, strict=True)],
        acceptance_length=length,
        draft_cost=draft_cost,
        modelled_speedup=length / (1 + num_drafts * draft_cost),
        measured_speedup=speed * plain_pass,
        tokens_per_second=speed,
        repeat_fraction=repeat_fraction([text.tokens for text in drafted]),
    )


def repeat_fraction(texts: Sequence[Sequence[int]]) -> float:
    """Share of the texts' 4-grams that stand earlier in the same text."""
    grams = [
        [tuple(text[n : n + REPEAT_WORDS]) for n in range(len(text) - REPEAT_WORDS + 1)] for text in texts
    ]
    total = sum(map(len, grams))
    return 1 - sum(len(set(text)) for text in grams) / total if total else 0.0
