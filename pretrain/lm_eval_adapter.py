"""Run benchmarks of lm-evaluation-harness on a checkpoint, without an export.

    python -m pretrain.lm_eval_adapter --preset DIR --tasks TASK,TASK [--task-folder DIR] [--limit N]

The model is that of the last finished stage and runs in this process; results go to <root>/lm_eval.json. The
harness is not among this project's requirements: `pip install lm_eval==0.4.13` (144 MB) adds it and changes
no package of requirements.lock. Its tasks download their data from a hub. A task of your own is a YAML file
in the folder of --task-folder; it sets `dataset_path: json` and
`dataset_kwargs: {data_files: {test: FILE.jsonl}}`. A text without a context is read after an end-of-document
token; in training, attention never crosses that token. Generation uses drafts of the MTP layer, which gives
the same text in fewer passes.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer
from tokenizers import Tokenizer
from torch import Tensor

from configs import tables
from configs.command import configure_logging, place_of, refusals_in_one_line, run_command
from configs.loader import ConfigError
from pretrain.complete import load_last
from pretrain.decoding.generate import generate, one_document
from pretrain.model.mimo import MimoModel
from pretrain.run.heldout import TOKENS_PER_FORWARD, predict

logger = logging.getLogger(__name__)

MAX_NEW_TOKENS = 256  # the harness's own default


def adapter(model: MimoModel, tokenizer: Tokenizer, eod_id: int, max_length: int) -> object:
    """Wrap the model as the harness's TemplateLM. Raises ConfigError if lm_eval is not installed."""
    with _harness():
        from lm_eval.api.model import TemplateLM
        from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    class Adapter(TemplateLM):
        eot_token_id = eod_id

        def tok_encode(
            self, string: str, add_special_tokens: bool | None = None, **options: object
        ) -> list[int]:
            return tokenizer.encode(string, add_special_tokens=False).ids

        def _loglikelihood_tokens(self, requests: list, **options: object) -> list[tuple[float, bool]]:
            return loglikelihoods(model, [(context, new) for _, context, new in requests], max_length)

        def loglikelihood_rolling(self, requests: list, disable_tqdm: bool = False) -> list[float]:
            found = []
            for request in requests:
                tokens = self.tok_encode(request.args[0])
                windows = get_rolling_token_windows(tokens, eod_id, max_length, context_len=1)
                pairs = [make_disjoint_window(window) for window in windows]
                found.append(sum(value for value, _ in loglikelihoods(model, pairs, max_length)))
            return found

        def generate_until(self, requests: list, disable_tqdm: bool = False) -> list[str]:
            texts = []
            for request in requests:
                context, wanted = request.args
                texts.append(
                    continuation(model, tokenizer, self.tok_encode(context), wanted, eod_id, max_length)
                )
            return texts

    return Adapter()


@contextmanager
def _harness() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"lm_eval: cannot be imported ({error}); remedy: pip install lm_eval==0.4.13"
        ) from None


def known_tasks(names: Sequence[str], folder: Path | None) -> tuple[object, list[str]]:
    """Return the harness's TaskManager, with the tasks in `folder`, and the names with `*` expanded.

    Raises ConfigError for a name that the harness does not know, or if lm_eval is not installed.
    """
    with _harness():
        from lm_eval.tasks import TaskManager
    manager = TaskManager(include_path=str(folder) if folder else None)
    found = {name: manager.match_tasks([name]) for name in names}
    if unknown := [name for name, matches in found.items() if not matches]:
        raise ConfigError(
            f"--tasks {unknown[0]}: the harness has no such task; "
            "remedy: choose one of `lm_eval ls tasks`, or give the folder of your own task with --task-folder"
        )
    return manager, [match for matches in found.values() for match in matches]


@torch.no_grad()
def loglikelihoods(
    model: MimoModel, requests: Sequence[tuple[Sequence[int], Sequence[int]]], max_length: int
) -> list[tuple[float, bool]]:
    """Return, per (context, continuation), the log probability in nats and whether it is the greedy one.

    A context has at least one token. Where a text is longer than `max_length`, its first tokens are cut off.
    """
    texts = [([*context, *new][-max_length - 1 :], len(new)) for context, new in requests]
    found: list[tuple[float, bool]] = [(0.0, True)] * len(texts)
    for numbers in _batches([len(text) - 1 for text, _ in texts]):
        longest = max(len(texts[number][0]) for number in numbers)
        rows = torch.zeros(len(numbers), longest, dtype=torch.int64)
        for row, number in zip(rows, numbers, strict=True):
            row[: len(texts[number][0])] = torch.tensor(texts[number][0])
        tokens = rows.to(next(model.parameters()).device)
        # Padding after a text does not change its values: attention is causal.
        nats, best = predict(model, model(one_document(tokens[:, :-1])).hidden, tokens[:, 1:])
        right: Tensor = best == tokens[:, 1:]
        for place, number in enumerate(numbers):
            text, num_new = texts[number]
            new = slice(max(len(text) - 1 - num_new, 0), len(text) - 1)
            found[number] = (-float(nats[place, new].sum()), bool(right[place, new].all()))
    return found


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the indices of texts per forward pass, longest first: TOKENS_PER_FORWARD tokens with padding."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > TOKENS_PER_FORWARD:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def continuation(
    model: MimoModel, tokenizer: Tokenizer, prompt: list[int], wanted: dict, eod_id: int, max_length: int
) -> str:
    """Generate a continuation of `prompt` and cut it before the first of the strings `wanted["until"]`."""
    until = wanted.get("until") or []
    stops = [until] if isinstance(until, str) else list(until)
    num_new = min(int(wanted.get("max_gen_toks", MAX_NEW_TOKENS)), max_length - 1)
    temperature = float(wanted.get("temperature") or 0.0) if wanted.get("do_sample") else 0.0
    made = generate(
        model,
        prompt[-(max_length - num_new) :] or [eod_id],
        num_new,
        num_drafts=int(model.mtp_process),
        temperature=temperature,
        eod_id=eod_id,
        is_done=lambda new: any(stop in tokenizer.decode(list(new)) for stop in stops),
    )
    tokens = made.tokens[:-1] if made.tokens[-1:] == (eod_id,) else made.tokens
    text = tokenizer.decode(list(tokens))
    return text[: min((text.index(stop) for stop in stops if stop in text), default=len(text))]


def main(
    preset: Annotated[Path, typer.Option(help="folder of TOML files, e.g. configs/tiny")],
    tasks: Annotated[str, typer.Option(help="names of the harness's tasks, separated by commas")],
    input: Annotated[str | None, typer.Option(help="root of the run; default runs/<preset>")] = None,
    output: Annotated[str | None, typer.Option(help="folder of lm_eval.json; default: the input")] = None,
    task_folder: Annotated[Path | None, typer.Option(help="folder of your own task definitions")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="questions per task; default all")] = None,
) -> None:
    """Run lm-evaluation-harness on the last finished stage."""
    configure_logging()
    with refusals_in_one_line():
        place = place_of(preset, input, output, overwrite=False, dry_run=False)
        manager, names = known_tasks(tasks.split(","), task_folder)
        lm = adapter(*load_last(preset, place.input))
    import lm_eval

    report = lm_eval.simple_evaluate(lm, tasks=names, limit=limit, task_manager=manager, log_samples=False)
    results = {name: report[name] for name in ("results", "versions", "n-shot", "n-samples")}
    tables.write_bytes(place.output, "lm_eval.json", json.dumps(results, indent=1, default=str).encode())
    for task, values in report["results"].items():
        logger.info("%s: %s", task, values)


if __name__ == "__main__":
    run_command(main)
