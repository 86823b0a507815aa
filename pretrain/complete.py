"""Complete a prompt with a checkpoint or a model folder, and log how much the drafts saved.

    python -m pretrain.complete --preset DIR --prompt TEXT [--drafts 3] [--temperature 0.8] [--weights FOLDER]

The text goes to standard output, everything else to the log. With drafts, the prompt is completed a second
time without them: greedy tokens must be the same, and the ratio of the two speeds is logged. One process
decodes one text.
"""

import logging
from pathlib import Path
from typing import Annotated

import typer
from tokenizers import Tokenizer

from configs import tables
from configs.command import configure_logging, place_of, refusals_in_one_line, run_command
from configs.loader import ConfigError, load
from configs.recipe import ModelConfig, StageConfig
from pretrain.decoding.acceptance import MAX_DRAFTS, compare
from pretrain.decoding.generate import Generation, generate
from pretrain.import_hf import load_folder
from pretrain.model.mimo import MimoModel
from pretrain.plan.layout import TrainConfig
from pretrain.run import launch
from pretrain.run.finished import finished_model, finished_stages, whole_model
from pretrain.run.heldout import read_tokenizer

logger = logging.getLogger(__name__)


def load_last(preset: Path, root: str, weights: str | None = None) -> tuple[MimoModel, Tokenizer, int, int]:
    """Load the model, tokenizer, end-of-document id and sequence length of the last finished stage.

    weights: a model folder in MiMo's layout (`export`, `extended`), whose weights replace the checkpoint's.
    """
    settings = load(preset, "train", TrainConfig)
    launch.start_alone(settings)
    stage = max(finished_stages(root))
    trained = load(preset, f"stage{stage}", StageConfig)
    shape = load(preset, "model", ModelConfig)
    if weights is None:
        model = finished_model(root, stage, shape, trained, settings)
    else:
        model = whole_model(shape, trained, settings)
        load_folder(weights, model)
    table = tables.open_table(root, "tokenizer")
    tokenizer = read_tokenizer(root)
    logger.info("stage %d of %s", stage, weights or root)
    return model.eval(), tokenizer, int(table.manifest.facts["eod_id"]), trained.sequence_length


def describe(plain: Generation | None, drafted: Generation, temperature: float) -> str:
    """Describe a completion in one line.

    `plain` is that of the same prompt without drafts, if there is one.
    """
    line = f"{len(drafted.tokens)} tokens in {drafted.forward_passes} passes"
    if plain is None or plain.forward_passes < 2 or not drafted.drafted or not drafted.verified[0]:
        return line
    one = compare([plain], [drafted], len(drafted.verified), temperature)
    rates = ", ".join("-" if value is None else f"{value:.2f}" for value in one.acceptance)
    return (
        f"{line}; accepted drafts per position: {rates}; a draft costs {one.draft_cost:.2f} passes; speed-up "
        f"{one.measured_speedup:.2f} ({one.modelled_speedup:.2f} by tokens per pass and draft cost)"
    )


def complete(
    model: MimoModel, prompt: list[int], num_new: int, drafts: int, temperature: float, seed: int, eod_id: int
) -> Generation:
    """Return the completion of a prompt and log how much the drafts saved.

    A warning is logged if greedy tokens differ from those of decoding without drafts.
    """
    asked = {"temperature": temperature, "seed": seed, "eod_id": eod_id}
    drafted = generate(model, prompt, num_new, num_drafts=drafts, **asked)
    plain = generate(model, prompt, num_new, **asked) if drafts else None
    logger.info("%s", describe(plain, drafted, temperature))
    if plain is not None and not temperature and plain.tokens != drafted.tokens:
        logger.warning("tokens differ from plain decoding: the logits of two tokens are equal up to rounding")
    return drafted


def main(
    preset: Annotated[Path, typer.Option(help="folder of TOML files, e.g. configs/tiny")],
    prompt: Annotated[str, typer.Option(help="text to complete")],
    input: Annotated[str | None, typer.Option(help="root of the run; default runs/<preset>")] = None,
    weights: Annotated[str | None, typer.Option(help="model folder, e.g. runs/tiny/extended")] = None,
    num_new: Annotated[int, typer.Option(min=1, help="largest number of new tokens")] = 64,
    drafts: Annotated[int, typer.Option(min=0, max=MAX_DRAFTS, help="drafted tokens per pass")] = 1,
    temperature: Annotated[float, typer.Option(min=0.0, help="sampling temperature; 0 is greedy")] = 0.0,
    seed: Annotated[int, typer.Option(help="seed of the sampling")] = 0,
) -> None:
    """Complete a prompt."""
    configure_logging()
    with refusals_in_one_line():
        root = place_of(preset, input, None, overwrite=False, dry_run=False).input
        model, tokenizer, eod_id, _ = load_last(preset, root, weights)
        tokens = tokenizer.encode(prompt, add_special_tokens=False).ids
        if not tokens:
            raise ConfigError("--prompt: the prompt is empty; remedy: give at least one word")
        made = complete(model, tokens, num_new, drafts, temperature, seed, eod_id)
    print(prompt + tokenizer.decode(list(made.tokens)))


if __name__ == "__main__":
    run_command(main)
