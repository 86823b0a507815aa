"""Greedy decoding, plain and with the MTP layer drafting one token ahead; both give the same tokens.

Self-speculation: the main head says x_{n+1}; the MTP layer, given h_n and x_{n+1}, drafts x_{n+2}. The next
forward pass runs over both: where the main head agrees with the draft, one pass has given two tokens.
There is no key-value cache: every pass runs over the whole text, so passes are what is saved here, not time
(serving is vLLM's, from the export). Cost: passes = tokens / (1 + acceptance).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pretrain.loss import Batch, make_batch
from pretrain.model import MimoModel


@dataclass(frozen=True)
class Generation:
    """New tokens of one prompt, and what drafting did."""

    tokens: tuple[int, ...]
    forward_passes: int
    drafted: int
    accepted: int

    @property
    def acceptance(self) -> float:
        """Accepted fraction of the drafts that were checked; 0 where none was."""
        return self.accepted / self.drafted if self.drafted else 0.0


def one_document(tokens: Tensor) -> Batch:
    """Rows [b, s] that are one document each, for reading hidden states (no labels)."""
    starts = torch.zeros(tokens.shape, dtype=torch.bool)
    return make_batch(tokens.cpu(), torch.zeros(tokens.shape), starts, starts).to(tokens.device)


@torch.no_grad()
def greedy(model: MimoModel, prompt: Sequence[int], num_new: int, eod_id: int | None = None) -> Generation:
    """Up to `num_new` tokens, one a forward pass; stops after `eod_id`."""
    tokens = list(prompt)
    while not _is_done(tokens, prompt, num_new, eod_id):
        states = model(one_document(_row(model, tokens)))
        tokens.append(_best(model, states.hidden, -1))
    new = tuple(tokens[len(prompt) :])
    return Generation(new, forward_passes=len(new), drafted=0, accepted=0)


@torch.no_grad()
def speculative(
    model: MimoModel, prompt: Sequence[int], num_new: int, eod_id: int | None = None
) -> Generation:
    """What `greedy` gives, in fewer forward passes."""
    tokens, guess = list(prompt), []
    passes = drafted = accepted = 0
    while not _is_done(tokens, prompt, num_new, eod_id):
        states = model(one_document(_row(model, [*tokens, *guess])))
        passes += 1
        tokens.append(_best(model, states.hidden, len(tokens) - 1))
        drafted += len(guess)
        if guess == tokens[-1:]:
            accepted += 1
            if not _is_done(tokens, prompt, num_new, eod_id):
                tokens.append(_best(model, states.hidden, len(tokens) - 1))
        # The last token whose hidden state is right, and its successor, give the next guess. Positions after
        # it may hold anything: attention is causal.
        position = len(tokens) - 2
        following = _row(model, tokens[1:] + [0] * (states.hidden.size(0) - position - 1))
        guess = [_best(model, model.draft(states, following), position)]
    return Generation(tuple(tokens[len(prompt) :]), passes, drafted, accepted)


def _is_done(tokens: Sequence[int], prompt: Sequence[int], num_new: int, eod_id: int | None) -> bool:
    new = tokens[len(prompt) :]
    return len(new) == num_new or (bool(new) and new[-1] == eod_id)


def _row(model: MimoModel, tokens: Sequence[int]) -> Tensor:
    """[1, s] on the model's device."""
    return torch.tensor([tokens], device=next(model.parameters()).device)


def _best(model: MimoModel, hidden: Tensor, position: int) -> int:
    """Most probable word at one position of [s, 1, h]."""
    return int(model.logits(hidden[position, 0]).argmax())
