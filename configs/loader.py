"""Preset files: one TOML per job, read into a frozen, strict pydantic model.

A preset is a folder (`configs/tiny`). `load(preset, "ingest", IngestConfig)` reads `ingest.toml` there.
An unknown key, a missing key or a wrong type stops the job with one line: file, key, value, remedy.
"""

import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(Exception):
    """A preset, a path or a plan cannot be used; the message names file, value and remedy. Exit code 2."""


class Config(BaseModel):
    """Base of every configuration model: frozen, strict types, no unknown key."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


SECRET = "secret"
"""Type of a validation fault whose value must not be repeated in the message."""

C = TypeVar("C", bound=Config)


def load(preset: str | Path, name: str, model: type[C]) -> C:
    """Read `<preset>/<name>.toml` into `model`.

    Raises ConfigError if the folder or file is missing, is not TOML, or does not fit the model.
    """
    path = Path(preset) / f"{name}.toml"
    if not Path(preset).is_dir():
        raise ConfigError(
            f"{preset}: no such preset folder; remedy: pass --preset configs/tiny, h200 or mimo7b"
        )
    if not path.is_file():
        raise ConfigError(f"{path}: missing; remedy: copy it from configs/tiny/{name}.toml and adapt it")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number or a nesting without end
        raise ConfigError(f"{path}: not valid TOML ({error}); remedy: fix the syntax") from None
    try:
        # JSON mode keeps strictness but accepts what TOML can write: lists for tuples.
        return model.model_validate_json(json.dumps(values))
    except (TypeError, RecursionError) as error:
        raise ConfigError(
            f"{path}: {error}; remedy: use strings, numbers, booleans, lists and tables only"
        ) from None
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_fault(error)}") from None


def _first_fault(error: ValidationError) -> str:
    """The first fault of a validation as `key: what is wrong (got value); remedy`."""
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"]) or "(whole file)"
    remedies = {"missing": "add the key", "extra_forbidden": "remove or rename the key"}
    remedy = remedies.get(fault["type"], "correct the value")
    got = "" if fault["type"] in ("missing", SECRET) else f" (got {fault['input']!r})"
    return f"{key}: {fault['msg']}{got}; remedy: {remedy}"
