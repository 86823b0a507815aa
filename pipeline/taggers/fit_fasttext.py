"""Train the models of the fastText student in torch; they share word vectors until each is saved as a file.

1. `vocabulary` chooses the words that occur in most documents.
2. `train` uses fastText's architecture: a document is the mean of its tokens' vectors, followed by a linear
   layer and a softmax. fastText itself trains one model from one label per document. Here all models train
   the word vectors together, from distributions over labels, and the vectors can start from given ones.
3. `fit` saves each model as a quantised file (pipeline.taggers.save_fasttext).
The same seed gives the same models on the CPU of one machine.
Cost: 20 s on one core for 1,460 labelled documents and 18,208 pseudo-labelled ones.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import torch
from torch.nn import functional

from configs.loader import ConfigError
from pipeline.taggers.save_fasttext import END, Matrix, save


@dataclass(frozen=True)
class FitSettings:
    """The settings of the training."""

    dim: int
    """Length of a word vector."""
    epochs: int
    batch_documents: int
    """Documents per step."""
    vector_rate: float
    """First learning rate of the word vectors; it falls linearly to 0."""
    output_rate: float
    """First learning rate of the output layers; it falls linearly to 0."""
    vector_scale: float
    """Root mean square of a word vector's entries at the start."""
    max_words: int
    """Largest size of the vocabulary."""
    min_documents: int
    """Words in fewer documents are left out of the vocabulary."""
    seed: int


@dataclass(frozen=True)
class Examples:
    """The documents to train on."""

    lines: Sequence[str]
    """The line of tokens that the models read, per document."""
    targets: Mapping[str, Matrix]
    """Per model, the distributions over its labels, [n, labels]."""


def fit(
    examples: Examples,
    labels: Mapping[str, Sequence[str]],
    vectors: Mapping[str, Matrix],
    folder: Path,
    settings: FitSettings,
) -> None:
    """Train the models and write NAME.ftz for each name of `labels`.

    labels: per model, the names of its labels in the order of the targets' columns. vectors: the words'
    starting vectors; a word without one starts at random. Raises ConfigError if the vocabulary is empty.
    """
    words = vocabulary(examples.lines, settings)
    if not words:
        raise ConfigError("labels: no word is in enough documents; remedy: give more labelled documents")
    inputs, outputs = train(examples, words, vectors, settings)
    with ThreadPoolExecutor() as children:
        files = [folder / f"{name}.ftz" for name in labels]
        layers = [outputs[name] for name in labels]
        list(children.map(save, files, repeat(words), repeat(inputs), labels.values(), layers))


def vocabulary(lines: Sequence[str], settings: FitSettings) -> list[str]:
    """Return END, then the words by falling number of documents; equal lines count as one document.

    Returns [] if no word is in at least min_documents documents.
    """
    documents = Counter(word for line in dict.fromkeys(lines) for word in set(line.split(" ")) if word)
    ordered = sorted(documents, key=lambda word: (-documents[word], word))
    kept = [word for word in ordered[: settings.max_words] if documents[word] >= settings.min_documents]
    return [END, *kept] if kept else []


def train(
    examples: Examples, words: Sequence[str], vectors: Mapping[str, Matrix], settings: FitSettings
) -> tuple[Matrix, dict[str, Matrix]]:
    """Train the word vectors [words, dim] and each model's output layer [labels, dim]."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    drawn = torch.Generator().manual_seed(settings.seed)
    inputs = torch.nn.Parameter(_starting_vectors(words, vectors, settings, drawn).to(device))
    targets = {name: torch.from_numpy(target).to(device) for name, target in examples.targets.items()}
    outputs = {
        name: torch.nn.Parameter(torch.zeros(t.shape[1], settings.dim, device=device))
        for name, t in targets.items()
    }
    groups = [
        {"params": [inputs], "lr": settings.vector_rate},
        {"params": list(outputs.values()), "lr": settings.output_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0, fused=True)
    documents = _index(examples.lines, words)
    num_steps = settings.epochs * math.ceil(len(documents) / settings.batch_documents)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 - step / num_steps)
    for _ in range(settings.epochs):
        order = torch.randperm(len(documents), generator=drawn)
        for rows in order.split(settings.batch_documents):
            means = _mean_vectors(inputs, [documents[row] for row in rows])
            losses = [
                functional.cross_entropy(means @ outputs[name].T, target[rows.to(device)])
                for name, target in targets.items()
            ]
            optimizer.zero_grad()
            torch.stack(losses).sum().backward()
            optimizer.step()
            decay.step()
    return inputs.detach().cpu().numpy(), {
        name: layer.detach().cpu().numpy() for name, layer in outputs.items()
    }


def _starting_vectors(
    words: Sequence[str], vectors: Mapping[str, Matrix], settings: FitSettings, drawn: torch.Generator
) -> torch.Tensor:
    start = torch.randn(len(words), settings.dim, generator=drawn)
    for row, word in enumerate(words):
        if word in vectors:
            start[row] = torch.from_numpy(vectors[word])
    return start * settings.vector_scale


def _index(lines: Sequence[str], words: Sequence[str]) -> list[torch.Tensor]:
    """Return the word numbers of each line, with END (0) last; unknown words are skipped."""
    number = {word: row for row, word in enumerate(words)}
    return [torch.tensor([*(number[w] for w in line.split(" ") if w in number), 0]) for line in lines]


def _mean_vectors(inputs: torch.Tensor, documents: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the mean vector of each document, [documents, dim]."""
    lengths = torch.tensor([len(document) for document in documents])
    owners = torch.repeat_interleave(torch.arange(len(documents)), lengths).to(inputs.device)
    tokens = inputs.index_select(0, torch.cat(list(documents)).to(inputs.device))
    sums = torch.zeros(len(documents), inputs.shape[1], device=inputs.device).index_add(0, owners, tokens)
    return sums / lengths.to(inputs.device)[:, None]
