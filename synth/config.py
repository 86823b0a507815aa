"""synth.toml: problems and analyses, as in the report [2.1] (arXiv 2505.07608), which gives no numbers."""

import ipaddress
import urllib.parse
from typing import Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from configs.bounds import Fraction, NonNegative, NonNegativeFloat, Positive, PositiveFloat
from configs.loader import SECRET, Config


class ProblemConfig(Config):
    """Problems with checkable answers (synthetic data B of the report, [2.1])."""

    num_problems: NonNegative
    """Problems made, those that are rejected later included."""
    code_fraction: Fraction
    """Share that asks for a Python function; the rest is mathematics."""
    planted_error_fraction: Fraction
    """Share of the symbolic teacher's solutions spoiled on purpose: every run shows that checking bites."""
    heldout_fraction: Fraction
    """Share of the groups (family and parameter) kept out of training."""
    math_timeout_s: Positive
    """Seconds to parse, and again to compare, one answer."""
    test_timeout_s: Positive
    """Seconds for one program with all its tests."""


class SeedConfig(Config):
    """Which documents become seeds of analyses, written by the endpoint teacher only."""

    num_seeds: Positive
    """Documents analysed."""
    min_reasoning_depth: Fraction
    """Only documents scored at least this."""
    max_passage_chars: Positive
    """The passage is the document's beginning, up to this many characters."""


class EndpointConfig(Config):
    """A model behind an OpenAI-compatible endpoint; unused by the symbolic teacher."""

    base_url: str
    """e.g. http://localhost:8000/v1. Link-local addresses are refused, redirects not followed."""
    model: str
    needs_key: bool
    """Take the key from REASONMILL_API_KEY, and stop if it is not set. It is never written anywhere."""
    max_concurrent: Positive
    """Requests in flight."""
    requests_per_minute: PositiveFloat
    """Requests sent in a minute; after a pause up to max_concurrent leave at once."""
    timeout_s: PositiveFloat
    """Seconds for one request."""
    max_attempts: Positive
    """Requests for one prompt, over all runs that share the journal."""
    backoff_s: NonNegativeFloat
    """Wait before the second attempt; doubles each time."""
    max_requests: Positive
    """Budget of requests, over all runs that share the journal."""
    price_per_million_prompt_tokens: NonNegativeFloat
    """In any currency; 0 for a server of one's own."""
    price_per_million_completion_tokens: NonNegativeFloat
    max_output_tokens: Positive
    temperature: NonNegativeFloat
    samples_per_problem: Positive
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


class SynthConfig(Config):
    """Synthetic data [2.1]."""

    seed: NonNegative
    teacher: Literal["symbolic", "endpoint"]
    """symbolic: no model, worked solutions from families. endpoint: a model solves the same problems."""
    shard_rows: Positive
    """Problems or analyses in one shard, the unit of resume."""
    contamination_indexes: tuple[str, ...]
    """Files of filters.decontaminate.save_index, relative to the root read; problems found are rejected."""
    problems: ProblemConfig
    seeds: SeedConfig | None = None
    """Absent: nothing is analysed."""
    endpoint: EndpointConfig
