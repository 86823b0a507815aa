"""The configuration of synthetic data, synth.toml (report: arXiv 2505.07608).

Section 2.1 of the report names problems solved by a reasoning model and analyses
of documents; it gives no numbers. [2.1] below refers to it.
"""

import ipaddress
import urllib.parse
from typing import Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from configs.bounds import Fraction, NonNegative, NonNegativeFloat, Positive, PositiveFloat
from configs.loader import SECRET, Config


class ProblemConfig(Config):
    """Problems with answers that can be checked: the report's solved problems [2.1], our synthetic kind B."""

    num_problems: NonNegative
    """Number of problems that are made, including those that are rejected later."""
    code_fraction: Fraction
    """Fraction of the problems that ask for a Python function; the others are mathematics."""
    planted_error_fraction: Fraction
    """Fraction of the symbolic teacher's solutions with a planted error.

    They test the checks in every run.
    """
    heldout_fraction: Fraction
    """Fraction of the groups (family and parameter) that are held out from training."""
    math_timeout_s: Positive
    """Time limit in seconds for parsing one answer, and again for comparing it."""
    test_timeout_s: Positive
    """Time limit in seconds for one program with all its tests."""


class SeedConfig(Config):
    """Which documents become seeds of analyses. Only the endpoint teacher writes analyses."""

    num_seeds: Positive
    """Number of documents that are analysed."""
    min_reasoning_depth: Fraction
    """Documents with a lower `reasoning_depth` score are not analysed."""
    max_passage_chars: Positive
    """Characters of a document, from its beginning, that the teacher sees."""


class EndpointConfig(Config):
    """A model behind an OpenAI-compatible endpoint. The symbolic teacher does not use it."""

    base_url: str
    """Address such as http://localhost:8000/v1.

    Link-local addresses are refused; redirects are not followed.
    """
    model: str
    """Name of the model, as the endpoint knows it."""
    needs_key: bool
    """True: read the API key from REASONMILL_API_KEY, and stop if it is not set. The key is never written."""
    max_concurrent: Positive
    """Largest number of requests at a time."""
    requests_per_minute: PositiveFloat
    """Largest number of requests per minute; after a pause, up to max_concurrent are sent at once."""
    timeout_s: PositiveFloat
    """Time limit in seconds for one request."""
    max_attempts: Positive
    """Largest number of requests per prompt, over all runs that share the journal."""
    backoff_s: NonNegativeFloat
    """Seconds before the second attempt; the wait doubles with every further attempt."""
    max_requests: Positive
    """Largest number of requests in total, over all runs that share the journal."""
    price_per_million_prompt_tokens: NonNegativeFloat
    """Price in any currency; 0 for your own server."""
    price_per_million_completion_tokens: NonNegativeFloat
    """Price in the same currency."""
    max_output_tokens: Positive
    """Largest number of tokens per answer; a longer answer counts as a failure."""
    temperature: NonNegativeFloat
    """Sampling temperature."""
    samples_per_problem: Positive
    """Number of solutions requested per problem; the fraction of correct ones is its pass_rate."""

    @field_validator("base_url")
    @classmethod
    def _is_reachable_kind(cls, url: str) -> str:
        parsed = urllib.parse.urlsplit(url)
        if parsed.scheme not in ("http", "https") or not parsed.hostname:
            raise ValueError("must be an http or https address")
        if "@" in parsed.netloc or parsed.query:
            raise PydanticCustomError(SECRET, "must not hold a user, password or query: manifests contain it")
        try:
            address = ipaddress.ip_address(parsed.hostname)
        except ValueError:
            return url
        if address.is_link_local:
            raise ValueError("link-local addresses are refused")
        return url


class SynthConfig(Config):
    """The keys of synth.toml [2.1]."""

    seed: NonNegative
    """Seed of the problems, their solutions and held-out groups, and of the choice of documents."""
    teacher: Literal["symbolic", "endpoint"]
    """symbolic: worked solutions of the families, no model. endpoint: a model solves the same problems."""
    shard_rows: Positive
    """Problems or analyses per shard. A killed run repeats only its unfinished shards."""
    problems: ProblemConfig
    seeds: SeedConfig | None = None
    """Absent: nothing is analysed."""
    endpoint: EndpointConfig
