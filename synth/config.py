"""synth.toml: synthetic data [2.1: problems solved by a reasoning model, analyses; no numbers given]."""

import ipaddress
import urllib.parse
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import field_validator
from pydantic_core import PydanticCustomError

from configs.loader import SECRET, Config


class ProblemConfig(Config):
    """Problems with checkable answers (synthetic data B of the report, [2.1])."""

    num_problems: Annotated[int, Ge(0)]
    """Problems made, those that are rejected later included."""
    code_fraction: Annotated[float, Ge(0.0), Le(1.0)]
    """Share that asks for a Python function; the rest is mathematics."""
    planted_error_fraction: Annotated[float, Ge(0.0), Le(1.0)]
    """Share of the symbolic teacher's solutions spoiled on purpose: every run shows that checking bites."""
    heldout_fraction: Annotated[float, Ge(0.0), Le(1.0)]
    """Share of the groups (family and parameter) kept out of training."""
    math_timeout_s: Annotated[int, Gt(0)]
    """Seconds to parse, and again to compare, one answer."""
    test_timeout_s: Annotated[int, Gt(0)]
    """Seconds for one program with all its tests."""


class SeedConfig(Config):
    """Which documents become seeds of analyses, written by the endpoint teacher only."""

    num_seeds: Annotated[int, Ge(0)]
    """Documents analysed; 0 for none."""
    min_reasoning_depth: Annotated[float, Ge(0.0), Le(1.0)]
    """Only documents scored at least this."""
    max_passage_chars: Annotated[int, Gt(0)]
    """The passage is the document's beginning, up to this many characters."""


class EndpointConfig(Config):
    """A model behind an OpenAI-compatible endpoint; unused by the symbolic teacher."""

    base_url: str
    """e.g. http://localhost:8000/v1. Link-local addresses are refused, redirects not followed."""
    model: str
    needs_key: bool
    """Take the key from REASONMILL_API_KEY, and stop if it is not set. It is never written anywhere."""
    max_concurrent: Annotated[int, Gt(0)]
    """Requests in flight."""
    requests_per_minute: Annotated[float, Gt(0.0)]
    """Requests sent in a minute; after a pause up to max_concurrent leave at once."""
    timeout_s: Annotated[float, Gt(0.0)]
    """Seconds for one request."""
    max_attempts: Annotated[int, Gt(0)]
    """Requests for one prompt, over all runs that share the journal."""
    backoff_s: Annotated[float, Ge(0.0)]
    """Wait before the second attempt; doubles each time."""
    max_requests: Annotated[int, Gt(0)]
    """Budget of requests, over all runs that share the journal."""
    price_per_million_prompt_tokens: Annotated[float, Ge(0.0)]
    """In any currency; 0 for a server of one's own."""
    price_per_million_completion_tokens: Annotated[float, Ge(0.0)]
    max_output_tokens: Annotated[int, Gt(0)]
    temperature: Annotated[float, Ge(0.0)]
    samples_per_problem: Annotated[int, Gt(0)]
    """Solutions asked for each problem; the share of right ones is its pass_rate."""

    @field_validator("base_url")
    @classmethod
    def _is_reachable_kind(cls, url: str) -> str:
        parsed = urllib.parse.urlsplit(url)
        if parsed.scheme not in ("http", "https") or not parsed.hostname:
            raise ValueError("must be an http or https address")
        if "@" in parsed.netloc or parsed.query:
            raise PydanticCustomError(SECRET, "must hold no user, password or query: manifests repeat it")
        try:
            address = ipaddress.ip_address(parsed.hostname)
        except ValueError:
            return url
        if address.is_link_local:
            raise ValueError("link-local addresses are refused")
        return url


class LabelConfig(Config):
    """Which documents synth.label_documents labels by the rubric."""

    num_documents: Annotated[int, Ge(0)]
    min_source_fraction: Annotated[float, Ge(0.0), Le(1.0)]
    """Share of the sample that is split evenly over the sources; the rest follows their sizes."""
    max_document_chars: Annotated[int, Gt(0)]
    """Characters of a document that the teacher sees."""
    num_repeated: Annotated[int, Ge(0)]
    """Documents of the sample that are judged a second time, for the teacher's agreement with itself."""


class SynthConfig(Config):
    """Synthetic data [2.1]."""

    seed: Annotated[int, Ge(0)]
    teacher: Literal["symbolic", "endpoint"]
    """symbolic: no model, worked solutions from families. endpoint: a model solves the same problems."""
    shard_rows: Annotated[int, Gt(0)]
    """Problems or analyses in one shard, the unit of resume."""
    problems: ProblemConfig
    seeds: SeedConfig
    endpoint: EndpointConfig
    labels: LabelConfig
