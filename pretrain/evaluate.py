"""How good each stage's checkpoint is on held-out text, and how good its draft head.

    python -m pretrain.evaluate --preset DIR

For every finished stage and every held-out group (math, code, prose), into <root>/evaluation.json:
- bits_per_byte: main head, nats of the predicted tokens / ln 2 / bytes of their text. A document's first
  token and its end marker are not predicted; all stages see the same windows, of stage 1's length.
- main_accuracy, mtp_accuracy: most probable word is the text's next / next but one.
- agreement: on the text, the draft for x_{t+2} is the main head's own most probable word there.
- greedy_acceptance: the same on the model's own greedy continuations of held-out prompts.
"""

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
from megatron.core.datasets.indexed_dataset import IndexedDataset
from tokenizers import Tokenizer
from torch import Tensor

from configs import tables
from configs.command import Place, main
from configs.contract import CONTRACT_VERSION
from configs.loader import load
from configs.recipe import NUM_STAGES, ModelConfig, StageConfig
from pretrain import checkpoint, compat
from pretrain.export_hf import finished_stages
from pretrain.generate import one_document
from pretrain.loss import CHUNK_TOKENS, Batch, make_batch, mtp_targets
from pretrain.model import MimoModel, build_model, start_single_process
from pretrain.mtp import shift_within_documents
from pretrain.train import TrainConfig

logger = logging.getLogger(__name__)

GROUPS = ("math", "code", "prose")
NUM_ROWS = 32
"""Rows of stage 1's sequence length a group is measured on. Ours: 262,144 tokens at 8,192; at tiny's 256 the
8,192 tokens that a minute of CPU affords for three groups and three stages."""
TOKENS_PER_FORWARD = 8192
NUM_PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 8, 32, 24
"""Continuations for greedy_acceptance. Ours: 8 x 24 drafts a group resolve about 7 points (two sigma)."""


@dataclass(frozen=True)
class Sample:
    """Held-out text of one group, cut and packed for the model."""

    batches: tuple[Batch, ...]
    prompts: Tensor
    """[prompts, PROMPT_TOKENS] int64: beginnings of documents."""
    num_bytes: int
    """UTF-8 bytes of the text of all predicted tokens."""


@dataclass(frozen=True)
class Scores:
    """One checkpoint on one group; fractions in [0, 1], None where nothing could be counted."""

    bits_per_byte: float
    main_accuracy: float
    mtp_accuracy: float | None
    agreement: float | None
    greedy_acceptance: float | None
    num_tokens: int
    num_bytes: int


def run(place: Place) -> dict[str, object]:
    """Evaluate every stage that has a checkpoint; skip if evaluation.json is of these inputs already."""
    started = time.monotonic()
    model_config = load(place.preset, "model", ModelConfig)
    stages = [load(place.preset, f"stage{n}", StageConfig) for n in range(1, NUM_STAGES + 1)]
    finished = finished_stages(place.input)
    mark = _fingerprint(place, model_config, stages, finished)
    done = _read(place.output)
    if done is not None and done.get("fingerprint") == mark and not place.overwrite:
        logger.info("evaluation is up to date")
        return done
    if place.dry_run:
        logger.info("would evaluate stages %s", list(finished))
        return {}
    compat.install()
    start_single_process()
    precision = load(place.preset, "train", TrainConfig).precision
    samples = {group: heldout_sample(place.input, group, stages[0].sequence_length) for group in GROUPS}
    results = []
    for number in finished:
        model = build_model(
            model_config,
            sequence_length=stages[0].sequence_length,
            rotary_base=stages[number - 1].rotary_base,
            bf16=precision == "bf16",
        )
        checkpoint.load_weights(place.input, number, model)
        scores = {group: asdict(score(model.eval(), sample)) for group, sample in samples.items() if sample}
        results.append({"stage": number, "groups": scores})
        logger.info("stage %d bits per byte: %s", number, _line(scores))
    report = {
        "contract_version": CONTRACT_VERSION,
        "job": "evaluate",
        "fingerprint": mark,
        "git_commit": tables.git_commit(),
        "seconds": round(time.monotonic() - started, 3),
        "stages": results,
    }
    tables.write_bytes(place.output, "evaluation.json", json.dumps(report, indent=1).encode())
    return report


def _line(scores: dict[str, dict[str, float]]) -> str:
    return ", ".join(
        f"{group} {values['bits_per_byte']:.3f} bits per byte" for group, values in scores.items()
    )


def _fingerprint(
    place: Place, model: ModelConfig, stages: Sequence[StageConfig], finished: dict[int, str]
) -> str:
    inputs = {f"tokens/heldout/{g}": tables.open_table(place.input, f"tokens/heldout/{g}") for g in GROUPS}
    inputs["tokenizer"] = tables.open_table(place.input, "tokenizer")
    digests = {name: table.manifest.digest for name, table in inputs.items()}
    digests |= {f"checkpoints/stage{number}": digest for number, digest in finished.items()}
    config = {"model": model.model_dump(), "stages": [stage.model_dump() for stage in stages]}
    modules = [f"pretrain.{name}" for name in ("evaluate", "generate", "loss", "model", "mtp", "attention")]
    return tables.fingerprint("evaluate", config, digests, modules)


def _read(root: str) -> dict[str, object] | None:
    """evaluation.json, or None where there is none or half of one."""
    try:
        return json.loads(tables.read_bytes(root, "evaluation.json"))
    except (FileNotFoundError, ValueError):
        return None


def heldout_sample(root: str, group: str, length: int) -> Sample | None:
    """Rows of one held-out group, and prompts; None (and a log line) if it has no document to predict."""
    table = tables.open_table(root, f"tokens/heldout/{group}")
    tokenizer = Tokenizer.from_str(
        tables.read_bytes(tables.table_path(root, "tokenizer"), "tokenizer.json").decode()
    )
    documents = list(_documents(table, limit=NUM_ROWS * length))
    if not documents:
        logger.warning("held-out %s: no document of two tokens; not evaluated", group)
        return None
    return make_sample(documents, tokenizer, length)


def _documents(table: tables.Table, limit: int) -> Iterator[list[int]]:
    """Documents' tokens without their end marker, until `limit` of them can be predicted."""
    total = 0
    for prefix in table.manifest.facts["prefixes"]:
        dataset = IndexedDataset(f"{table.path}/{prefix}")
        for tokens in (dataset[number] for number in range(len(dataset))):
            text = tokens[:-1].tolist()[: limit - total + 1]
            if total >= limit:
                return
            if len(text) > 1:
                total += len(text) - 1
                yield text


def make_sample(documents: Sequence[Sequence[int]], tokenizer: Tokenizer, length: int) -> Sample:
    """Pack documents (without end markers) one after the other into rows of `length`; the rest is padding."""
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
def score(model: MimoModel, sample: Sample) -> Scores:
    """Every figure of one model on one group."""
    device = next(model.parameters()).device
    has_draft = model.mtp_process
    # nats, main right, tokens, MTP right, agreeing, drafts
    sums = torch.zeros(6, dtype=torch.float64)
    for batch in (batch.to(device) for batch in sample.batches):
        states = model(batch)
        nats, best = predict(model, states.hidden, batch.labels)
        mask = batch.loss_mask
        sums[:3] += torch.stack([nats[mask].sum(), (best == batch.labels)[mask].sum(), mask.sum()]).cpu()
        if has_draft:
            following = shift_within_documents(batch.tokens, batch.document_starts)
            targets, valid = mtp_targets(batch)
            _, drafts = predict(model, model.draft(states, following), targets)
            said = shift_within_documents(best, batch.document_starts)
            right, agree = (drafts == targets)[valid].sum(), (drafts == said)[valid].sum()
            sums[3:] += torch.stack([right, agree, valid.sum()]).cpu()
    nats_sum, main_right, tokens, mtp_right, agreeing, drafts_checked = sums.tolist()
    return Scores(
        bits_per_byte=nats_sum / math.log(2) / max(sample.num_bytes, 1),
        main_accuracy=main_right / tokens,
        mtp_accuracy=mtp_right / drafts_checked if drafts_checked else None,
        agreement=agreeing / drafts_checked if drafts_checked else None,
        greedy_acceptance=greedy_acceptance(model, sample.prompts.to(device)) if has_draft else None,
        num_tokens=int(tokens),
        num_bytes=sample.num_bytes,
    )


def predict(model: MimoModel, hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """[s, b, h] -> nats of the labels and most probable words, [b, s] each; logits exist chunk by chunk."""
    length, batch, _ = hidden.shape
    nats, best = [], []
    flat_labels = labels.t().flatten()
    for part, label in zip(
        hidden.flatten(0, 1).split(CHUNK_TOKENS), flat_labels.split(CHUNK_TOKENS), strict=True
    ):
        logits = model.logits(part).float()
        nats.append(torch.nn.functional.cross_entropy(logits, label, reduction="none"))
        best.append(logits.argmax(-1))
    return torch.cat(nats).view(length, batch).t(), torch.cat(best).view(length, batch).t()


@torch.no_grad()
def greedy_acceptance(model: MimoModel, prompts: Tensor) -> float | None:
    """Fraction of drafts for x_{t+2}, t+1 a generated token, that the main head then says greedily.

    prompts: [n, p]; None if there is none.
    """
    if not prompts.numel():
        return None
    tokens = prompts
    for _ in range(NEW_TOKENS):
        states = model(one_document(tokens))
        tokens = torch.cat([tokens, model.logits(states.hidden[-1]).argmax(-1, keepdim=True)], dim=1)
    states = model(one_document(tokens))
    following = torch.cat([tokens[:, 1:], torch.zeros_like(tokens[:, :1])], dim=1)
    first = prompts.size(1) - 1  # its next token is the first generated one
    hidden = model.draft(states, following)[first:-2]
    drafts = model.logits(hidden).argmax(-1).t()  # [n, NEW_TOKENS - 1]
    return float((drafts == tokens[:, first + 2 :]).float().mean())


if __name__ == "__main__":
    main(run)
