"""Label a sample of documents by the rubric, through the endpoint teacher: training data of the taggers.

Reads labels.toml, and of synth.toml [endpoint], which is the teacher. Reads `filtered`, writes
`labels/labels.jsonl`: one line per document with its labels and the judged text. Answers follow a JSON schema
and are validated; the journal (labels-journal.jsonl) makes a killed run resume, and no text is sent twice for
the same judgement, whatever table it comes from. Some documents are judged a second time: the manifest states
the agreement, and what it all cost in requests, failures, tokens and money.
"""

import json
import logging
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, ValidationError

from configs import tables
from configs.bounds import Fraction, NonNegative, Positive
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import DOMAINS, ContractError, Manifest
from configs.job import Job, commit, make_table
from configs.loader import Config, load
from configs.storage.shard_log import Record, ShardLog
from configs.tables import hash_json
from synth.config import EndpointConfig, SynthConfig
from synth.endpoint.ask import Prompt, ask, read_prompt
from synth.endpoint.journal import Journal, journal_path, open_journal

logger = logging.getLogger(__name__)

TABLE = "labels"
Mark = Annotated[int, Ge(0), Le(5)]
# Our choice: more failures than this mean a broken endpoint or prompt, not odd documents.
MAX_ERROR_FRACTION = 0.2
REPEATED_SAMPLE = 2
"""Samples 0 and 1 are the first judgement and its one retry."""


class Labels(BaseModel):
    """What the rubric asks about one document."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    domain: Literal[DOMAINS]  # type: ignore[valid-type]  # mypy wants the strings themselves
    quality: Mark
    knowledge_density: Mark
    reasoning_depth: Mark


class LabelConfig(Config):
    """labels.toml."""

    seed: NonNegative
    """Draws the sample."""
    num_documents: NonNegative
    min_source_fraction: Fraction
    """Share of the sample that is split evenly over the sources; the rest follows their sizes."""
    max_document_chars: Positive
    """Characters of a document that the teacher sees."""
    num_repeated: NonNegative
    """Documents of the sample that are judged a second time, for the teacher's agreement with itself."""


@dataclass(frozen=True)
class Document:
    """A document to label: id, source, the excerpt that is judged."""

    doc_id: str
    source: str
    excerpt: str


def run(place: Place) -> Manifest | None:
    """Label the sample; None on a dry run. Raises ContractError if too many answers are unusable."""
    config = load(place.preset, "labels", LabelConfig)
    endpoint = load(place.preset, "synth", SynthConfig).endpoint
    table = tables.open_table(place.input, "filtered")
    inputs = {"filtered": table.manifest.digest, "rubric": tables.hash_bytes(read_prompt("rubric").encode())}
    settings = {"labels": config.model_dump(mode="json"), "endpoint": endpoint.model_dump(mode="json")}
    job = Job("labels", TABLE, code_hash(__name__), settings, inputs)
    documents = select_documents(table, config)
    path = journal_path(place.output, "labels-journal.jsonl")

    def work() -> Manifest:
        started = time.monotonic()
        journal = open_journal(path)
        labels = label(documents, endpoint, journal)
        again = judge_again(documents, endpoint, journal, config.num_repeated)
        record = _write_labels(place.output, documents, labels, again, endpoint.model)
        facts = {
            "teacher": endpoint.model,
            "agreement": agreement(labels, again),
            "cost": cost(endpoint, journal),
        }
        return commit(place.output, job, ShardLog.of({"": record}), started, facts=facts)

    what = f"label {len(documents)} documents with {endpoint.model}"
    return make_table(place, job, what, work)


def _write_labels(
    root: str,
    documents: list[Document],
    labels: list[Labels | None],
    again: list[Labels | None],
    teacher: str,
) -> Record:
    """Write the labelled documents and count the others. Raises ContractError if those are too many."""
    lines = [
        {
            "id": document.doc_id,
            "source": document.source,
            **found.model_dump(),
            "label_sets": [judged.model_dump() for judged in (found, second) if judged is not None],
            "teacher": teacher,
            "text": document.excerpt,
        }
        for document, found, second in zip(documents, labels, again, strict=True)
        if found is not None
    ]
    lost = len(documents) - len(lines)
    if lost > MAX_ERROR_FRACTION * len(documents):
        raise ContractError(
            f"labels: {lost} of {len(documents)} documents have no usable label; remedy: see "
            f"{root}/labels-journal.jsonl"
        )
    data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    part = tables.write_bytes(tables.table_path(root, TABLE), "labels.jsonl", data, len(lines))
    rejected = {"unusable_label": lost} if lost else {}
    return Record("", (part,), rows_out=len(lines), rejected=rejected)


def select_documents(table: tables.Table, config: LabelConfig) -> list[Document]:
    """A sample stratified by source: an even share for each, the rest by size; order drawn by the seed."""
    by_source: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for batch in table.batches(("doc_id", "source"), tables.SHORT_BATCH_ROWS):
        for row in batch.to_pylist():
            by_source[row["source"]].append((hash_json([config.seed, row["doc_id"]]), row["doc_id"]))
    even = int(config.num_documents * config.min_source_fraction / max(1, len(by_source)))
    chosen: list[tuple[str, str]] = []
    rest: list[tuple[str, str]] = []
    for source in sorted(by_source):
        order = sorted(by_source[source])
        chosen += order[:even]
        rest += order[even:]
    chosen += sorted(rest)[: config.num_documents - len(chosen)]
    return _read_documents(table, {doc_id: order for order, doc_id in chosen}, config.max_document_chars)


def _read_documents(table: tables.Table, order: dict[str, str], max_chars: int) -> list[Document]:
    documents = []
    for batch in table.batches(("doc_id", "source", "text")):
        for row in batch.to_pylist():
            if row["doc_id"] in order:
                documents.append(Document(row["doc_id"], row["source"], row["text"][:max_chars]))
    return sorted(documents, key=lambda document: order[document.doc_id])


def label(documents: list[Document], endpoint: EndpointConfig, journal: Journal) -> list[Labels | None]:
    """Labels in order; None where no attempt gave labels that the rubric allows.

    A document whose first answer does not fit is asked once more, as another sample.
    """
    found: dict[str, Labels] = {}
    for sample in range(2):
        left = [document for document in documents if document.doc_id not in found]
        prompts = [prompt_for(document, sample) for document in left]
        for document, answer in zip(left, ask(prompts, endpoint, journal), strict=True):
            labels = parse_labels(answer)
            if labels is not None:
                found[document.doc_id] = labels
            else:
                logger.warning("label: answer on %s does not follow the rubric", document.doc_id)
    return [found.get(document.doc_id) for document in documents]


def judge_again(
    documents: list[Document], endpoint: EndpointConfig, journal: Journal, num_repeated: int
) -> list[Labels | None]:
    """Second judgements of the first `num_repeated` documents (in random order), None for the others."""
    prompts = [prompt_for(document, REPEATED_SAMPLE) for document in documents[:num_repeated]]
    found = [parse_labels(answer) for answer in ask(prompts, endpoint, journal)] if prompts else []
    return [*found, *(None for _ in documents[len(found) :])]


def agreement(labels: list[Labels | None], again: list[Labels | None]) -> dict[str, float]:
    """Of the documents judged twice: how many, kappa of the domain, quadratic kappa of each dimension."""
    pairs = [
        (one, two) for one, two in zip(labels, again, strict=True) if one is not None and two is not None
    ]
    figures: dict[str, float] = {"num_documents": len(pairs)}
    for name in Labels.model_fields if pairs else ():
        marks = [(getattr(one, name), getattr(two, name)) for one, two in pairs]
        seen = fmean(_distance(a, b) for a, b in marks)
        chance = fmean(_distance(a, b) for a, _ in marks for _, b in marks)
        figures[name] = round(1.0 - seen / chance, 3) if chance else 1.0
    return figures


def _distance(one: str | int, two: str | int) -> float:
    if isinstance(one, int) and isinstance(two, int):
        return float((one - two) ** 2)
    return float(one != two)


def cost(endpoint: EndpointConfig, journal: Journal) -> dict[str, object]:
    """What the journal's requests took in all runs: their number, failures by kind, tokens, the price.

    Tokens and price are of the replies that stated their tokens, failures among them.
    """
    failures = Counter(kind for kinds in journal.failures.values() for kind in kinds)
    prices = (endpoint.price_per_million_prompt_tokens, endpoint.price_per_million_completion_tokens)
    return {
        "requests": journal.num_sent,
        "answers": len(journal.answers),
        "failures": dict(sorted(failures.items())),
        "replies_with_usage": journal.num_reported,
        **journal.used._asdict(),
        "price": sum(tokens * price for tokens, price in zip(journal.used, prices, strict=True)) / 1e6,
    }


def prompt_for(document: Document, sample: int) -> Prompt:
    """The rubric with the excerpt between boundaries that it cannot contain: they hash it."""
    boundary = f"=== {hash_json(document.excerpt)[:16]} ==="
    text = read_prompt("rubric").replace("{boundary}", boundary).replace("{document}", document.excerpt)
    return Prompt(text, sample, json.dumps(Labels.model_json_schema(), sort_keys=True))


def parse_labels(answer: str | None) -> Labels | None:
    """The labels of an answer, or None if it is not exactly the JSON object that was asked for."""
    try:
        return Labels.model_validate_json(answer or "")
    except ValidationError:
        return None


if __name__ == "__main__":
    main(run)
