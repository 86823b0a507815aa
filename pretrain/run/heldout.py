"""Held-out text packed into rows, and a model's scores on it: bits per byte and quality of the draft head.

- bits_per_byte: the main head's loss on the predicted tokens in nats / ln 2 / UTF-8 bytes of these tokens. A
  document's first token and its end marker are not predicted.
- main_accuracy: fraction of positions where the main head's most probable token is the next token.
- mtp_accuracy: fraction of positions where the draft (the MTP layer's most probable token) is the token after
  the next.
- agreement: fraction of positions where the draft for x_{t+2} is the main head's most probable token for
  x_{t+2}.
- sampling_overlap: mean over positions of the sum over tokens of min(p, q) for x_{t+2}, where p is the main
  head's probability and q the draft's. It is the expected acceptance rate of a sampled draft. It is also high
  when both distributions are nearly uniform. Only evaluate.py computes it.
- greedy_acceptance: as agreement, but on the model's own greedy continuations of held-out prompts.
evaluate.py measures finished stages with this module, train.py the model in training.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from configs import tables
from configs.recipe import Recipe
from pretrain.decoding.generate import draft_chunk, read_chunk
from pretrain.model.batch import Batch, make_batch
from pretrain.model.kv_cache import KeyValueCache
from pretrain.model.loss import mtp_targets
from pretrain.model.mimo import MimoModel
from pretrain.model.mtp import shift_within_documents
from pretrain.plan.layout import TrainConfig, check_heldout_layout
from pretrain.plan.sizes import HEAD_CHUNK_TOKENS
from pretrain.plan.token_files import GROUPS, open_token_files

logger = logging.getLogger(__name__)

NUM_ROWS_IN_TRAINING = 8
"""Rows of stage 1's sequence length per group, while training.

Our choice: a quarter of evaluate.py's rows, because training measures repeatedly."""
TOKENS_PER_FORWARD = 8192
NUM_PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 8, 32, 24
"""Number of prompts per group, tokens per prompt and new tokens per prompt for greedy_acceptance.

Our choice: 8 x 24 drafts per group give the acceptance to within about 7 points (two sigma)."""


@dataclass(frozen=True)
class Sample:
    """Held-out text of one group, packed into batches."""

    batches: tuple[Batch, ...]
    prompts: Tensor
    """[prompts, PROMPT_TOKENS] int64: the first tokens of documents."""
    num_bytes: int
    """Number of UTF-8 bytes of all predicted tokens."""


@dataclass(frozen=True)
class Scores:
    """A model's scores on one group (see the module's docstring). None where there was nothing to count."""

    bits_per_byte: float
    main_accuracy: float
    mtp_accuracy: float | None
    agreement: float | None
    greedy_acceptance: float | None
    num_tokens: int
    num_bytes: int
    sampling_overlap: float | None = None


@dataclass(frozen=True)
class HeldOut:
    """The fixed samples on which a model in training is measured."""

    samples: dict[str, Sample]

    def measure(self, model: MimoModel) -> dict[str, float]:
        """Return the scores of every sample, named `heldout/<group>/<score>`.

        All ranks call this, and each computes the same values.
        """
        was_training = model.training
        model.eval()
        found = {
            f"heldout/{group}/{name}": value
            for group, sample in self.samples.items()
            for name, value in asdict(heldout_scores(model, sample)).items()
            if value is not None and not name.startswith("num_")
        }
        model.train(was_training)
        return found


def open_heldout(root: str, recipe: Recipe, config: TrainConfig) -> HeldOut:
    """Read the samples of every held-out group, in rows of stage 1's sequence length.

    Raises ConfigError if the parallel layout splits rows or layers.
    """
    check_heldout_layout(config)
    return HeldOut(heldout_samples(root, recipe.stages[0].sequence_length, NUM_ROWS_IN_TRAINING))


def heldout_samples(root: str, length: int, num_rows: int) -> dict[str, Sample]:
    """Read up to `num_rows` rows of every held-out group, and prompts.

    Groups without a document are left out.
    """
    tokenizer = read_tokenizer(root)
    found = {}
    for group in GROUPS:
        table = tables.open_table(root, f"tokens/heldout/{group}")
        documents = list(_documents(table, limit=num_rows * length))
        if documents:
            found[group] = make_sample(documents, tokenizer, length)
        else:
            logger.warning("held-out %s: no document of at least two tokens; group not evaluated", group)
    return found


def read_tokenizer(root: str) -> Tokenizer:
    """Read the tokenizer of the run."""
    return Tokenizer.from_str(
        tables.read_bytes(tables.table_path(root, "tokenizer"), "tokenizer.json").decode()
    )


def _documents(table: tables.Table, limit: int) -> Iterator[list[int]]:
    """Yield documents' tokens without end markers, until `limit` tokens can be predicted.

    Raises ContractError if they are not what tokenize wrote.
    """
    total = 0
    for shard in open_token_files(table):
        for start, end in pairwise(shard.starts.tolist()):
            text = shard.read(np.arange(start, end - 1)).tolist()[: limit - total + 1]
            if total >= limit:
                return
            if len(text) > 1:
                total += len(text) - 1
                yield text


def make_sample(documents: Sequence[Sequence[int]], tokenizer: Tokenizer, length: int) -> Sample:
    """Pack documents (without end markers) one after the other into rows of `length`; pad the last row."""
    inputs, labels, starts, num_bytes = [], [], [], 0
    for text in documents:
        inputs += text[:-1]
        labels += text[1:]
        starts += [True] + [False] * (len(text) - 2)
        num_bytes += _num_bytes(tokenizer, text) - _num_bytes(tokenizer, text[:1])
    padding = -len(inputs) % length
    mask = [True] * len(inputs) + [False] * padding
    columns = (inputs + [0] * padding, labels + [0] * padding, mask, starts + [True] * padding)
    rows = [torch.tensor(column).view(-1, length) for column in columns]
    per_forward = max(1, TOKENS_PER_FORWARD // length)
    batches = tuple(make_batch(*parts) for parts in zip(*(r.split(per_forward) for r in rows), strict=True))
    prompts = [text[:PROMPT_TOKENS] for text in documents if len(text) >= PROMPT_TOKENS][:NUM_PROMPTS]
    return Sample(batches, torch.tensor(prompts, dtype=torch.int64), num_bytes)


def _num_bytes(tokenizer: Tokenizer, tokens: Sequence[int]) -> int:
    return len(tokenizer.decode(list(tokens), skip_special_tokens=False).encode())


@torch.no_grad()
def heldout_scores(model: MimoModel, sample: Sample, with_overlap: bool = False) -> Scores:
    """Compute the scores of one model on one group; the sampling overlap runs both heads a second time."""
    device = next(model.parameters()).device
    has_draft = model.mtp_process
    # nats, main right, tokens, MTP right, agreeing, drafts, overlap
    sums = torch.zeros(7, dtype=torch.float64)
    for batch in (batch.to(device) for batch in sample.batches):
        states = model(batch)
        nats, best = predict(model, states.hidden, batch.labels)
        mask = batch.loss_mask
        sums[:3] += torch.stack([nats[mask].sum(), (best == batch.labels)[mask].sum(), mask.sum()]).cpu()
        if has_draft:
            following = shift_within_documents(batch.tokens, batch.document_starts)
            targets, valid = mtp_targets(batch)
            drafted = model.draft(states, following)
            _, drafts = predict(model, drafted, targets)
            said = shift_within_documents(best, batch.document_starts)
            right, agree = (drafts == targets)[valid].sum(), (drafts == said)[valid].sum()
            sums[3:6] += torch.stack([right, agree, valid.sum()]).cpu()
            if with_overlap:
                sums[6] += overlap(model, states.hidden, drafted)[valid].sum().cpu()
    nats_sum, main_right, tokens, mtp_right, agreeing, drafts_checked, overlaps = sums.tolist()
    return Scores(
        bits_per_byte=nats_sum / math.log(2) / max(sample.num_bytes, 1),
        main_accuracy=main_right / tokens,
        mtp_accuracy=mtp_right / drafts_checked if drafts_checked else None,
        agreement=agreeing / drafts_checked if drafts_checked else None,
        greedy_acceptance=greedy_acceptance(model, sample.prompts.to(device)) if has_draft else None,
        num_tokens=int(tokens),
        num_bytes=sample.num_bytes,
        sampling_overlap=overlaps / drafts_checked if with_overlap and drafts_checked else None,
    )


def predict(model: MimoModel, hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the labels' loss in nats and the most probable tokens, [b, s] each, of hidden states [s, b, h].

    Logits are computed for HEAD_CHUNK_TOKENS positions at a time, to save memory.
    """
    length, batch, _ = hidden.shape
    nats, best = [], []
    flat_labels = labels.t().flatten()
    for part, label in zip(
        hidden.flatten(0, 1).split(HEAD_CHUNK_TOKENS), flat_labels.split(HEAD_CHUNK_TOKENS), strict=True
    ):
        logits = model.logits(part).float()
        nats.append(torch.nn.functional.cross_entropy(logits, label, reduction="none"))
        best.append(logits.argmax(-1))
    return torch.cat(nats).view(length, batch).t(), torch.cat(best).view(length, batch).t()


def overlap(model: MimoModel, hidden: Tensor, drafted: Tensor, places: int = 1) -> Tensor:
    """Return the sum over tokens of min(p, q), [b, s].

    q is the draft's distribution at a position, p the main head's `places` positions later. hidden and
    drafted, [s, b, h], are the inputs of the output layer for the main head and for the draft. The result is
    0 at the last `places` positions of a row.
    """
    length, batch, _ = hidden.shape
    found = []
    for main, draft in zip(
        hidden[places:].flatten(0, 1).split(HEAD_CHUNK_TOKENS),
        drafted[:-places].flatten(0, 1).split(HEAD_CHUNK_TOKENS),
        strict=True,
    ):
        p, q = (model.logits(part).float().softmax(-1) for part in (main, draft))
        found.append(torch.minimum(p, q).sum(-1))
    return torch.nn.functional.pad(torch.cat(found).view(length - places, batch).t(), (0, places))


@torch.no_grad()
def greedy_acceptance(model: MimoModel, prompts: Tensor) -> float | None:
    """Return the fraction of drafts that equal the main head's greedy token, on generated text.

    prompts: [n, p]. The drafts are those for x_{t+2} where x_{t+1} is a generated token. Returns None without
    a prompt.
    """
    if not prompts.numel():
        return None
    tokens, new = prompts, prompts
    cache, read = KeyValueCache(prompts.size(1) + NEW_TOKENS), []
    for _ in range(NEW_TOKENS):
        states = read_chunk(model, cache, new, tokens.size(1) - new.size(1))
        read.append(states.for_draft)
        new = model.logits(states.hidden[-1]).argmax(-1, keepdim=True)
        tokens = torch.cat([tokens, new], dim=1)
    first = prompts.size(1) - 1  # the position before the first generated token
    hidden = draft_chunk(model, cache, torch.cat(read), tokens[:, 1:], 0)[first:-1]
    drafts = model.logits(hidden).argmax(-1).t()  # [n, NEW_TOKENS - 1]
    return float((drafts == tokens[:, first + 2 :]).float().mean())
