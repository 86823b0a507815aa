"""Decoding, plain and self-speculative: the model's own MTP layers draft tokens, the main head verifies them.

1. One forward pass reads the last token and the drafts after it; the main head verifies the drafts in order.
2. Draft d, sampled from the draft distribution q, is accepted with probability min(1, p(d) / q(d)). The first
   rejected draft is replaced by a sample from max(p - q, 0), and the drafts after it are dropped. Every token
   is thus distributed as the main head's p (arXiv:2211.17192, section 2.3). Greedy decoding is the case where
   all distributions are one-hot.
3. If all drafts are accepted, the main head adds one token: a pass yields 1 to `num_drafts` + 1 tokens.
4. MTP layer j (counted from 1) reads, at position t, the main model's hidden state and the token at t + j; it
   drafts the token at t + j + 1. If more drafts are wanted than there are layers, the last layer runs again,
   one position further, on its own output (as vLLM does with one layer).
Greedy decoding gives the same tokens with and without drafts, except for rounding: where two logits differ by
their last bits only, passes of different lengths may choose differently. Cost per token, in plain passes:
(1 + num_drafts x c) / (tokens per pass), where c is the cost of one draft. Keys and values are cached
(kv_cache.py). complete.py is the command line for this module.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from configs.loader import ConfigError
from pretrain.model import compat
from pretrain.model.attention import Documents
from pretrain.model.batch import Batch, make_batch
from pretrain.model.kv_cache import KeyValueCache, chunk_mask
from pretrain.model.mimo import DecoderStates, MimoModel


@dataclass(frozen=True)
class Generation:
    """The new tokens after one prompt, with counts and times of the drafts."""

    tokens: tuple[int, ...]
    forward_passes: int
    verified: tuple[int, ...]
    """Number of verified drafts, per draft position. A draft after a rejected one is not verified."""
    accepted: tuple[int, ...]
    """Number of accepted drafts, per draft position."""
    pass_seconds: float
    """Time in forward passes of the main model, without the first pass, which reads the prompt."""
    draft_seconds: float
    """Time in MTP layers and the output layer after them, without the first round, which reads the prompt."""
    drafted: int
    """Number of drafts made in `draft_seconds`."""


class Draft(NamedTuple):
    """A drafted token and the distribution [v] from which it was sampled."""

    word: int
    distribution: Tensor


@torch.no_grad()
def generate(
    model: MimoModel,
    prompt: Sequence[int],
    num_new: int,
    *,
    num_drafts: int = 0,
    temperature: float = 0.0,
    seed: int = 0,
    eod_id: int | None = None,
    is_done: Callable[[Sequence[int]], bool] = lambda new: False,
) -> Generation:
    """Generate up to `num_new` tokens after a prompt of at least one token; stop after `eod_id`.

    num_drafts: drafts per pass; 0 is plain decoding. temperature: divisor of the logits; 0 is greedy.
    seed: seed of the sampling. is_done: called after every pass with the new tokens; True stops.
    Raises ConfigError if drafts are wanted and the model has no MTP layer.
    """
    if num_drafts and not model.mtp_process:
        raise ConfigError(
            "model.toml: mtp_num_layers is 0, so no layer can draft tokens; remedy: decode without drafts"
        )
    text = _Text(model, prompt, len(prompt) + num_new + num_drafts, temperature, seed)
    end, drafts = len(prompt) + num_new, []
    verified, accepted = [0] * num_drafts, [0] * num_drafts
    pass_times, draft_times, drafted = [], [], 0
    while len(text.tokens) < end and (len(text.tokens) == len(prompt) or text.tokens[-1] != eod_id):
        began = _now()
        new = verify(text.read(drafts), drafts, text.generator)
        read = _now()
        for place in range(min(len(new), len(drafts))):
            verified[place] += 1
            accepted[place] += place < len(new) - 1
        text.tokens += new[: new.index(eod_id) + 1] if eod_id in new else new
        drafts = text.draft(min(num_drafts, end - len(text.tokens) - 1))
        drafted += len(drafts) if draft_times else 0
        pass_times.append(read - began)
        draft_times.append(_now() - read)
        if is_done(text.tokens[len(prompt) :]):
            break
    new_tokens, passes = tuple(text.tokens[len(prompt) :]), len(pass_times)
    seconds = sum(pass_times[1:]), sum(draft_times[1:])
    return Generation(new_tokens, passes, tuple(verified), tuple(accepted), *seconds, drafted)


def verify(distributions: Tensor, drafts: Sequence[Draft], generator: torch.Generator) -> list[int]:
    """Return the accepted drafts and one more token: 1 to len(drafts) + 1 tokens.

    distributions: [len(drafts) + 1, v], the main head's, at the text's last token and at each draft.
    """
    new: list[int] = []
    for wanted, (word, proposed) in zip(distributions, drafts, strict=False):
        chance = torch.rand((), generator=generator, device=wanted.device)
        if not chance * proposed[word] < wanted[word]:
            return [*new, _draw((wanted - proposed).clamp(min=0.0), generator)]
        new.append(word)
    return [*new, _draw(distributions[-1], generator)]


def distribution(logits: Tensor, temperature: float) -> Tensor:
    """Return the probabilities of logits [..., v]; at temperature 0, one-hot at the most probable token."""
    if temperature:
        return (logits.float() / temperature).softmax(-1)
    return torch.zeros_like(logits, dtype=torch.float32).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)


def one_document(tokens: Tensor) -> Batch:
    """Return a batch without labels from rows [b, s] of one document each, for computing hidden states."""
    starts = torch.zeros(tokens.shape, dtype=torch.bool)
    return make_batch(tokens.cpu(), torch.zeros(tokens.shape), starts, starts).to(tokens.device)


def read_chunk(model: MimoModel, cache: KeyValueCache, tokens: Tensor, first: int) -> DecoderStates:
    """Run the main model on tokens [b, n] at positions from `first` on; `cache` holds the earlier ones."""
    documents, rotary = _chunk(model, cache, tokens, first)
    with compat.plain_functions():
        return model.decode(model.embedding(tokens, None), documents, rotary)


def draft_chunk(
    model: MimoModel, cache: KeyValueCache, hidden: Tensor, following: Tensor, first: int, layer: int = 0
) -> Tensor:
    """Run an MTP layer on hidden states [n, b, h] of positions from `first` on and on next tokens [b, n]."""
    states = DecoderStates(hidden, hidden, *_chunk(model, cache, following, first))
    with compat.plain_functions():
        return model.draft(states, following, layer)


def _chunk(model: MimoModel, cache: KeyValueCache, tokens: Tensor, first: int) -> tuple[Documents, Tensor]:
    """Return `Documents` and rotary angles for a chunk [b, n] of texts of one document each."""
    end = first + tokens.size(1)
    starts = torch.zeros(tokens.shape, dtype=torch.bool, device=tokens.device)
    starts[:, 0] = first == 0
    mask = chunk_mask(first, tokens.size(1), tokens.device)
    documents = Documents(qkv_format="sbhd", starts=starts, mask=mask, cache=cache, first=first)
    return documents, model.rotary_pos_emb(cache.capacity)[first:end]


class _Text:
    """A text that is being generated, with its cached keys, values and hidden states."""

    def __init__(
        self, model: MimoModel, prompt: Sequence[int], capacity: int, temperature: float, seed: int
    ) -> None:
        self.tokens = list(prompt)
        self._model, self._temperature = model, temperature
        self._device = next(model.parameters()).device
        self.generator = torch.Generator(self._device).manual_seed(seed)
        self._cache = KeyValueCache(capacity)
        self._hidden: Tensor | None = None
        """[capacity, 1, h], inputs of the MTP layers; None before the first pass, which reads the prompt.

        Valid at every position except that of the last token, which the next pass reads."""
        self._drafted = [0] * len(model.mtp.layers) if model.mtp_process else []
        """Per MTP layer, the number of positions that it has read with accepted tokens."""

    def read(self, drafts: Sequence[Draft]) -> Tensor:
        """Return the main model's distributions [1 + drafts, v] at the last token and at each draft."""
        first = 0 if self._hidden is None else len(self.tokens) - 1
        chunk = self._row([*self.tokens[first:], *(draft.word for draft in drafts)])
        states = read_chunk(self._model, self._cache, chunk, first)
        if self._hidden is None:
            self._hidden = states.for_draft.new_empty(self._cache.capacity, *states.for_draft.shape[1:])
        self._hidden[first : first + chunk.size(1)] = states.for_draft
        return distribution(self._model.logits(states.hidden[-1 - len(drafts) :, 0]), self._temperature)

    def draft(self, num: int) -> list[Draft]:
        """Draft the `num` tokens after the text, whose last token the main model has not read yet."""
        drafts: list[Draft] = []
        num_read = len(self.tokens) - 1
        output = None
        for place in range(num):
            layer = min(place, len(self._drafted) - 1)
            if place == layer:
                first = self._drafted[layer]
                hidden = self._hidden[first:num_read]
                self._drafted[layer] = max(num_read - place, 0)  # later positions read drafts
            else:
                first, hidden = num_read - 1 + place - layer, output[-1:]
            following = [*self.tokens, *(draft.word for draft in drafts)][first + layer + 1 :]
            output = draft_chunk(self._model, self._cache, hidden, self._row(following), first, layer)
            drafted = distribution(self._model.logits(output[-1, 0]), self._temperature)
            drafts.append(Draft(_draw(drafted, self.generator), drafted))
        return drafts

    def _row(self, tokens: Sequence[int]) -> Tensor:
        """Return the tokens as [1, s] on the model's device."""
        return torch.tensor([tokens], device=self._device)


def _draw(weights: Tensor, generator: torch.Generator) -> int:
    """Sample a token with probability proportional to weights [v]."""
    return int(torch.multinomial(weights, 1, generator=generator))


def _now() -> float:
    """Return seconds: processor time on a CPU, which other programs share; wall time on a GPU."""
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()
