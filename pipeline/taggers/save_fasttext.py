"""Save words, labels and matrices that were trained elsewhere as a quantised fastText model.

A fastText model of the same words and labels is trained, and then gets the matrices. This happens in a child
process: fasttext 0.9.3 uses uninitialised memory in new matrices, and stops if that memory holds NaN. With
MALLOC_PERTURB_=255, glibc returns zeroed memory; glibc reads the variable only when a process starts.

    python -m pipeline.taggers.save_fasttext ARRAYS.npz OUTPUT.ftz     (the child; 1 s)
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from configs.loader import ConfigError

Matrix = npt.NDArray[np.float32]

END = "</s>"
"""The token that fastText reads at the end of every line, and so in every document."""


def save(output: Path, words: Sequence[str], inputs: Matrix, labels: Sequence[str], outputs: Matrix) -> None:
    """Write a quantised fastText model. Raises ConfigError if the child process fails."""
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder, "arrays.npz")
        np.savez(arrays, words="\n".join(words), inputs=inputs, labels="\n".join(labels), outputs=outputs)
        child = subprocess.run(
            [sys.executable, "-m", "pipeline.taggers.save_fasttext", arrays, output],
            env=os.environ | {"MALLOC_PERTURB_": "255"},
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
        )
    if child.returncode:
        fault = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        raise ConfigError(f"labels: fastText cannot train: {fault[0]}; remedy: give more labelled documents")


def main(arrays: str, output: str) -> None:
    """Run the child: train a model of the words and labels, set its matrices, quantise and save it."""
    import fasttext

    given = np.load(arrays)
    words, labels = str(given["words"]).split("\n"), str(given["labels"]).split("\n")
    for matrix in (given["inputs"], given["outputs"]):
        if not np.isfinite(matrix).all():
            raise RuntimeError("a vector is not finite")
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "lines.txt")
        text = " ".join(word for word in words if word != END)
        lines.write_text("".join(f"__label__{label} {text}\n" for label in labels), encoding="utf-8")
        dim = given["inputs"].shape[1]
        model = fasttext.train_supervised(
            str(lines), dim=dim, epoch=1, lr=0.0, minCount=1, thread=1, verbose=0
        )
    rows = _places(model.words, words)
    columns = _places([label.removeprefix("__label__") for label in model.labels], labels)
    model.set_matrices(given["inputs"][rows], given["outputs"][columns])
    model.quantize(qnorm=True, dsub=2, thread=1)
    model.save_model(output)


def _places(order: Sequence[str], given: Sequence[str]) -> list[int]:
    place = {name: number for number, name in enumerate(given)}
    return [place[name] for name in order]


if __name__ == "__main__":
    main(*sys.argv[1:])
