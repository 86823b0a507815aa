"""Decoding, plain and self-speculative: the model's own MTP layers draft, the main head has the last word.

1. One forward pass reads the last token and the drafts behind it; the main head judges them in order.
2. Draft d, drawn from the draft's distribution q, stands with probability min(1, p(d) / q(d)); the first that
   falls is replaced by a draw from max(p - q, 0), so every token is distributed as the main head's p
   (arXiv 2211.17192, section 2.3). Greedy is the case where all distributions are one-hot.
3. The word after the last draft that stood is the main head's own: a pass gives 1 to `num_drafts` + 1 tokens.
4. MTP layer j reads the main model's hidden state of each position and the token j places on, and drafts the
   one after it. Drafts beyond the last layer come from that layer again, one position on, fed with its own
   output (as vLLM does with one layer).
Greedy tokens are those of plain decoding, as far as rounding goes: where two words' logits tie to within the
last bits, passes of different lengths may choose differently. Cost of a token in plain passes:
(1 + num_drafts x c) / tokens a pass, c the price of a draft; keys and values are cached (kv_cache.py).
From the command line: complete.py.
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
    """New tokens of one prompt, and what drafting did."""

    tokens: tuple[int, ...]
    forward_passes: int
    checked: tuple[int, ...]
    """For each draft position, how many were judged: a draft behind a fallen one is not."""
    accepted: tuple[int, ...]
    """How many of them stood."""
    pass_seconds: float
    """In passes of the main model but the first, which reads the prompt."""
    draft_seconds: float
    """In MTP layers and their head, the first round, over the prompt, left out."""
    drafted: int
    """Drafts made in these seconds."""


class Draft(NamedTuple):
    """A word and the distribution [v] it was drawn from."""

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
    """Up to `num_new` tokens after a prompt of one token or more; ends with `eod_id` where that comes.

    num_drafts: drafts a pass, 0 for plain decoding. temperature: logits are divided by it, 0 is greedy.
    seed: of the draws. is_done: asked after every pass, with the new tokens, whether they are enough.
    Raises ConfigError for drafts without an MTP layer.
    """
    if num_drafts and not model.mtp_process:
        raise ConfigError("model.toml: mtp_num_layers is 0, nothing can draft; remedy: decode plainly")
    text = _Text(model, prompt, len(prompt) + num_new + num_drafts, temperature, seed)
    end, drafts = len(prompt) + num_new, []
    checked, accepted = [0] * num_drafts, [0] * num_drafts
    pass_times, draft_times, drafted = [], [], 0
    while len(text.tokens) < end and (len(text.tokens) == len(prompt) or text.tokens[-1] != eod_id):
        began = _now()
        new = judge(text.read(drafts), drafts, text.generator)
        read = _now()
        for place in range(min(len(new), len(drafts))):
            checked[place] += 1
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
    return Generation(new_tokens, passes, tuple(checked), tuple(accepted), *seconds, drafted)


def judge(distributions: Tensor, drafts: Sequence[Draft], generator: torch.Generator) -> list[int]:
    """The drafts that stand, and one word more: 1 to len(drafts) + 1 tokens.

    distributions: [len(drafts) + 1, v], the main head's at the text's last token and at each draft.
    """
    new: list[int] = []
    for wanted, (word, proposed) in zip(distributions, drafts, strict=False):
        chance = torch.rand((), generator=generator, device=wanted.device)
        if not chance * proposed[word] < wanted[word]:
            return [*new, _draw((wanted - proposed).clamp(min=0.0), generator)]
        new.append(word)
    return [*new, _draw(distributions[-1], generator)]


def distribution(logits: Tensor, temperature: float) -> Tensor:
    """[..., v] logits -> probabilities; one-hot at the most probable word at temperature 0."""
    if temperature:
        return (logits.float() / temperature).softmax(-1)
    return torch.zeros_like(logits, dtype=torch.float32).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)


def one_document(tokens: Tensor) -> Batch:
    """Rows [b, s] that are one document each, for reading hidden states (no labels)."""
    starts = torch.zeros(tokens.shape, dtype=torch.bool)
    return make_batch(tokens.cpu(), torch.zeros(tokens.shape), starts, starts).to(tokens.device)


def read_chunk(model: MimoModel, cache: KeyValueCache, tokens: Tensor, first: int) -> DecoderStates:
    """The main model over tokens [b, n] that stand at positions `first` on, those before being in `cache`."""
    documents, rotary = _chunk(model, cache, tokens, first)
    with compat.plain_functions():
        return model.decode(model.embedding(tokens, None), documents, rotary)


def draft_chunk(
    model: MimoModel, cache: KeyValueCache, hidden: Tensor, following: Tensor, first: int, layer: int = 0
) -> Tensor:
    """An MTP layer over hidden states [n, b, h] at positions `first` on and their following tokens [b, n]."""
    states = DecoderStates(hidden, hidden, *_chunk(model, cache, following, first))
    with compat.plain_functions():
        return model.draft(states, following, layer)


def _chunk(model: MimoModel, cache: KeyValueCache, tokens: Tensor, first: int) -> tuple[Documents, Tensor]:
    """Attention's description and rotary angles of a chunk [b, n] of texts that are one document each."""
    end = first + tokens.size(1)
    starts = torch.zeros(tokens.shape, dtype=torch.bool, device=tokens.device)
    starts[:, 0] = first == 0
    mask = chunk_mask(first, tokens.size(1), tokens.device)
    documents = Documents(qkv_format="sbhd", starts=starts, mask=mask, cache=cache, first=first)
    return documents, model.rotary_pos_emb(cache.capacity)[first:end]


class _Text:
    """A text being written, with what the layers keep of it."""

    def __init__(
        self, model: MimoModel, prompt: Sequence[int], capacity: int, temperature: float, seed: int
    ) -> None:
        self.tokens = list(prompt)
        self._model, self._temperature = model, temperature
        self._device = next(model.parameters()).device
        self.generator = torch.Generator(self._device).manual_seed(seed)
        self._cache = KeyValueCache(capacity)
        self._hidden: Tensor | None = None
        """[capacity, 1, h] for the MTP layers; right at all positions but the last token's, once read."""
        self._drafted = [0] * len(model.mtp.layers) if model.mtp_process else []
        """Positions that each MTP layer has seen with tokens that stand."""

    def read(self, drafts: Sequence[Draft]) -> Tensor:
        """The main head's distributions [1 + drafts, v] at the last token and at each draft behind it."""
        first = 0 if self._hidden is None else len(self.tokens) - 1
        chunk = self._row([*self.tokens[first:], *(draft.word for draft in drafts)])
        states = read_chunk(self._model, self._cache, chunk, first)
        if self._hidden is None:
            self._hidden = states.for_draft.new_empty(self._cache.capacity, *states.for_draft.shape[1:])
        self._hidden[first : first + chunk.size(1)] = states.for_draft
        return distribution(self._model.logits(states.hidden[-1 - len(drafts) :, 0]), self._temperature)

    def draft(self, num: int) -> list[Draft]:
        """`num` words to come after the text, whose last token is not read yet."""
        drafts: list[Draft] = []
        num_read = len(self.tokens) - 1
        output = None
        for place in range(num):
            layer = min(place, len(self._drafted) - 1)
            if place == layer:
                first = self._drafted[layer]
                hidden = self._hidden[first:num_read]
                self._drafted[layer] = max(num_read - place, 0)  # behind it, a draft is read
            else:
                first, hidden = num_read - 1 + place - layer, output[-1:]
            following = [*self.tokens, *(draft.word for draft in drafts)][first + layer + 1 :]
            output = draft_chunk(self._model, self._cache, hidden, self._row(following), first, layer)
            drafted = distribution(self._model.logits(output[-1, 0]), self._temperature)
            drafts.append(Draft(_draw(drafted, self.generator), drafted))
        return drafts

    def _row(self, tokens: Sequence[int]) -> Tensor:
        """[1, s] on the model's device."""
        return torch.tensor([tokens], device=self._device)


def _draw(weights: Tensor, generator: torch.Generator) -> int:
    """A word with probability proportional to weights [v]."""
    return int(torch.multinomial(weights, 1, generator=generator))


def _now() -> float:
    """Seconds: the processor's own on a CPU, which other programs share; the wall's where a GPU works."""
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()
