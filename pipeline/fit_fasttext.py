"""Train one quantised fastText classifier, in a process of its own.

fasttext 0.9.3 fills only a part of its input matrix when it trains with fewer than ten threads; the rest is
whatever the memory held. Under MALLOC_PERTURB_=255 glibc hands out zeroed memory, which is what the library
assumes; the variable is read when a process starts, so training is a child. With one thread and a seed the
model is the same on every run.

    python -m pipeline.fit_fasttext LINES OUTPUT SETTINGS_JSON     (LINES: "__label__<x> <tokens>" each)
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.loader import ConfigError


@dataclass(frozen=True)
class FitSettings:
    """fastText's training and quantisation options, with its names."""

    dim: int
    epoch: int
    lr: float
    wordNgrams: int  # noqa: N815 (fastText's name)
    minCount: int  # noqa: N815
    seed: int
    cutoff: int
    """Features kept by quantisation, those with the largest vectors."""


def fit(lines: Iterable[str], output: Path, settings: FitSettings) -> None:
    """Train on labelled lines and write a .ftz model. Raises ConfigError if the child fails."""
    with tempfile.TemporaryDirectory() as folder:
        examples = Path(folder, "lines.txt")
        examples.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        child = subprocess.run(
            [sys.executable, "-m", "pipeline.fit_fasttext", examples, output, json.dumps(asdict(settings))],
            env=os.environ | {"MALLOC_PERTURB_": "255"},
            cwd=Path(__file__).resolve().parents[1],
            capture_output=True,
            text=True,
        )
    if child.returncode:
        fault = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        raise ConfigError(f"labels: fastText cannot train: {fault[0]}; remedy: give more labelled documents")


def main(examples: str, output: str, settings: str) -> None:
    """The child: train, check that every vector is finite, quantise, save."""
    import fasttext
    import numpy as np

    options = json.loads(settings)
    cutoff = options.pop("cutoff")
    model = fasttext.train_supervised(examples, thread=1, verbose=0, **options)
    for matrix in (model.get_input_matrix(), model.get_output_matrix()):
        if not np.isfinite(matrix).all():
            raise RuntimeError("a vector is not finite")
    model.quantize(examples, cutoff=cutoff, qnorm=True, dsub=2, thread=1, verbose=0)
    model.save_model(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
