"""The one command line of every job: a preset, where to read, where to write.

    python -m pipeline.extract_documents --preset DIR [--input PATH] [--output PATH]
        [--overwrite] [--dry-run] [--accept-code]

A ConfigError or ContractError ends the job with one line and exit code 2 (75 if another process runs the same
job on the same root). Any other error is a fault of ours and shows its traceback.
"""

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from configs.contract import ContractError
from configs.lease import LeaseHeldError
from configs.loader import ConfigError

EXIT_REFUSED = 2
EXIT_HELD = 75  # EX_TEMPFAIL of sysexits.h: the same command may succeed later


@dataclass(frozen=True)
class Place:
    """What a command line says: which preset, which run folder to read and to write, and how."""

    preset: Path
    input: str
    """Root of the tables read (a folder or URI)."""
    output: str
    """Root of the tables written."""
    overwrite: bool = False
    """Redo the work even if a matching manifest exists."""
    dry_run: bool = False
    """Check config and inputs, print what would be done, write nothing."""
    accept_code: bool = False
    """Keep finished work that other code made from the same inputs and config; both hashes are recorded."""


PresetOption = Annotated[Path, typer.Option(help="folder of TOML files, e.g. configs/tiny")]
InputOption = Annotated[str | None, typer.Option(help="root of the tables read; default runs/<preset>")]
OutputOption = Annotated[str | None, typer.Option(help="root of the tables written; default the input")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="redo finished work")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="check and print, write nothing")]
AcceptCodeOption = Annotated[
    bool, typer.Option("--accept-code", help="keep finished work although the code has changed")
]


def place_of(
    preset: Path,
    input: str | None,
    output: str | None,
    overwrite: bool = False,
    dry_run: bool = False,
    accept_code: bool = False,
) -> Place:
    """Fill in the default root: runs/<preset name>. Raises ConfigError for a URI with a query."""
    root = f"runs/{preset.resolve().name}"
    written = _root_of(output or input or root)
    return Place(preset, _root_of(input) if input else written, written, overwrite, dry_run, accept_code)


def _root_of(path: str) -> str:
    """A root without a slash at its end."""
    if "://" in path and "?" in path:
        raise ConfigError(
            f"{path}: a root has no options after a question mark; remedy: set the variables of the "
            "environment, such as AWS_ENDPOINT_URL"
        )
    return path.rstrip("/") or "/"


def main(job: Callable[[Place], object]) -> None:
    """Parse the options, configure logging, run `job`, and turn users' mistakes into one line."""

    def command(
        preset: PresetOption,
        input: InputOption = None,
        output: OutputOption = None,
        overwrite: OverwriteOption = False,
        dry_run: DryRunOption = False,
        accept_code: AcceptCodeOption = False,
    ) -> None:
        configure_logging()
        with refusals_in_one_line():
            _as_imported(job)(place_of(preset, input, output, overwrite, dry_run, accept_code))

    command.__doc__ = sys.modules[job.__module__].__doc__
    run_command(command)


def run_command(command: Callable[..., None]) -> None:
    """Parse this process's arguments as the parameters of `command`, and call it."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(command)
    app()


def _as_imported(job: Callable[[Place], object]) -> Callable[[Place], object]:
    """The same function of its module under its own name, when that runs as `__main__`.

    What a job sends to Spark's workers by name must be found there, and `__main__` is another module there.
    """
    if job.__module__ != "__main__":
        return job
    running = sys.modules["__main__"]
    if running.__spec__ is not None:
        name = running.__spec__.name
    else:  # spark-submit runs the file by its path
        path = Path(str(running.__file__))
        name = f"{path.parent.name}.{path.stem}"
    imported: Callable[[Place], object] = getattr(importlib.import_module(name), job.__name__)
    return imported


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Turn a ConfigError or ContractError into one line on stderr and exit code 2; 75 for a held lease."""
    try:
        yield
    except (ConfigError, ContractError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(EXIT_HELD if isinstance(error, LeaseHeldError) else EXIT_REFUSED) from None


def configure_logging() -> None:
    """Plain lines on stderr: time, job, message. Called by main functions only."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    for noisy in ("py4j", "botocore", "trafilatura", "htmldate", "matplotlib", "megatron", "torch"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
