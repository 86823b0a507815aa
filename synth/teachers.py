"""Who writes: the symbolic teacher (no model, deterministic) or a model behind an OpenAI-compatible endpoint.

The symbolic teacher makes problem `index` of a seed and writes its solution from the worked steps. The
endpoint teacher is asked prompts; requests and answers pass a journal, so a killed run asks nothing twice.
"""

import asyncio
import ipaddress
import json
import logging
import os
import random
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import openai
from annotated_types import Ge, Gt
from pydantic import field_validator
from pydantic_core import PydanticCustomError

from configs.loader import SECRET, Config, ConfigError
from configs.tables import hash_json
from synth import (
    families_algebra,
    families_arithmetic,
    families_combinatorics,
    families_number_theory,
    families_python,
    families_python_algorithms,
    families_python_lists,
)
from synth.journal import Journal, Usage
from synth.problems import LEVELS, Problem, flawed_answer
from synth.rate_limit import TokenBucket
from synth.read_answer import bound_body, text_of, usage_of

logger = logging.getLogger(__name__)

MATH_FAMILIES = (*families_arithmetic.FAMILIES, *families_algebra.FAMILIES, *families_number_theory.FAMILIES,
                 *families_combinatorics.FAMILIES)  # fmt: skip
CODE_FAMILIES = (
    *families_python.FAMILIES,
    *families_python_lists.FAMILIES,
    *families_python_algorithms.FAMILIES,
)

# Ours: all tests are run, three are printed; more would be lists of numbers rather than reasoning.
SHOWN_TESTS = 3

KEY_VARIABLE = "REASONMILL_API_KEY"


def make_problem(seed: int, index: int, code_fraction: float) -> Problem:
    """Problem number `index` of a seed: the same in every run, whatever was made before."""
    rng = random.Random(f"problem:{seed}:{index}")
    family = rng.choice(CODE_FAMILIES if rng.random() < code_fraction else MATH_FAMILIES)
    return family(rng, rng.choice(LEVELS))


def write_solution(problem: Problem, seed: int, index: int, is_flawed: bool) -> str:
    """The symbolic teacher's solution in Markdown: steps, then a boxed answer or code with its tests.

    `is_flawed` plants an error: the wrong last number, or the code with a bug.
    """
    rng = random.Random(f"solution:{seed}:{index}")
    if problem.is_code:
        steps = "\n".join(f"{n}. {step}" for n, step in enumerate(problem.steps, 1))
        lead = rng.choice(["The idea:", "How it works:", "Reasoning step by step:", "Plan:"])
        code = problem.flawed_code if is_flawed else problem.code
        shown = rng.sample(problem.tests, min(SHOWN_TESTS, len(problem.tests)))
        checks = "\n".join(f"assert {test.call} == {test.expected}" for test in shown)
        closing = rng.choice(["These checks hold:", "Tests:", "It passes these tests:", "Checked on:"])
        return f"{lead}\n\n{steps}\n\n```python\n{code}```\n\n{closing}\n\n```python\n{checks}\n```"
    steps = rng.choice(["\n\n", "\n"]).join(problem.steps)
    answer = flawed_answer(problem.answer, rng) if is_flawed else problem.answer
    closing = rng.choice(
        ["The answer is", "Hence the result:", "So the answer is", "Final answer:", "Therefore, in short,"]
    )
    return f"{steps}\n\n{closing} $\\boxed{{{answer}}}$."


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


@dataclass(frozen=True)
class Prompt:
    """One request: the text, which sample of it, and the JSON schema that the answer must follow, if any."""

    text: str
    sample: int = 0
    schema: str = ""

    def key(self, config: EndpointConfig) -> str:
        """What identifies the request in the journal: everything that the model sees."""
        return hash_json(
            [config.model, config.temperature, config.max_output_tokens, self.text, self.sample, self.schema]
        )


def ask(prompts: Sequence[Prompt], config: EndpointConfig, journal: Journal) -> list[str | None]:
    """Answers in order, None where every attempt failed; what the journal holds is not asked again.

    Raises ConfigError if the key is missing or refused, the model unknown, or the budget used up.
    """
    return asyncio.run(_ask_all(prompts, config, journal))


def api_key(config: EndpointConfig) -> str:
    """The key from the environment. Raises ConfigError if it is needed and absent."""
    key = os.environ.get(KEY_VARIABLE, "")
    if config.needs_key and not key:
        raise ConfigError(
            f"synth.toml: endpoint.needs_key is true, but {KEY_VARIABLE} is not set; remedy: export it"
        )
    return key or "unused"


async def _ask_all(prompts: Sequence[Prompt], config: EndpointConfig, journal: Journal) -> list[str | None]:
    open_prompts = {prompt.key(config): prompt for prompt in prompts}
    for key in journal.answers.keys() & open_prompts.keys():
        del open_prompts[key]
    async with openai.AsyncOpenAI(
        api_key=api_key(config),
        base_url=config.base_url,
        timeout=config.timeout_s,
        max_retries=0,  # attempts are ours to count
        http_client=openai.DefaultAsyncHttpxClient(
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [bound_body]},
        ),
    ) as client:
        bucket = TokenBucket(config.requests_per_minute, config.max_concurrent)
        run = _Run(client, config, journal, asyncio.Semaphore(config.max_concurrent), bucket)
        tasks = [_ask_one(run, key, prompt) for key, prompt in open_prompts.items()]
        await asyncio.gather(*tasks)
    if run.fault is not None:
        raise run.fault
    return [journal.answers.get(prompt.key(config)) for prompt in prompts]


@dataclass
class _Run:
    """What the tasks of one call of `ask` share."""

    client: openai.AsyncOpenAI
    config: EndpointConfig
    journal: Journal
    slots: asyncio.Semaphore
    bucket: TokenBucket
    fault: ConfigError | None = None
    """Why no further request is sent; those in flight are still answered and recorded."""


async def _ask_one(run: _Run, key: str, prompt: Prompt) -> None:
    config, journal = run.config, run.journal
    while len(journal.failures.get(key, [])) < config.max_attempts:
        async with run.slots:
            await asyncio.sleep(run.bucket.take())
            if run.fault is None and journal.num_sent >= config.max_requests:
                run.fault = ConfigError(
                    f"{journal.path}: the budget of {config.max_requests} requests is used up; "
                    "remedy: raise endpoint.max_requests"
                )
            if run.fault is not None:
                return
            journal.record("sent", key)
            try:
                fault, text, usage = await _request(run.client, prompt, config)
            except ConfigError as error:
                run.fault = error
                return
        if text is not None:
            journal.record("answered", key, text, usage)
            return
        journal.record("failed", key, fault, usage)
        logger.warning("request %s failed: %s", key[:12], fault)
        await asyncio.sleep(config.backoff_s * 2 ** (len(journal.failures[key]) - 1))


async def _request(
    client: openai.AsyncOpenAI, prompt: Prompt, config: EndpointConfig
) -> tuple[str, str | None, Usage | None]:
    """One request: the kind of failure, or an answer; the tokens it took.

    Raises ConfigError where no retry can help.
    """
    extra: dict[str, Any] = {}
    if prompt.schema:
        schema = {"name": "answer", "strict": True, "schema": json.loads(prompt.schema)}
        extra = {"response_format": {"type": "json_schema", "json_schema": schema}}
    try:
        async with asyncio.timeout(config.timeout_s):  # the client's own starts anew with every byte
            reply = await client.chat.completions.create(
                model=config.model,
                messages=[{"role": "user", "content": prompt.text}],
                temperature=config.temperature,
                max_tokens=config.max_output_tokens,
                seed=prompt.sample,
                **extra,
            )
    except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
        raise ConfigError(
            f"endpoint {config.base_url}: status {error.status_code} for model {config.model!r}; remedy: "
            f"check base_url, model and {KEY_VARIABLE}"
        ) from None
    except openai.APIStatusError as error:
        return f"status {error.status_code}", None, None
    except openai.APIError as error:  # time-outs, dropped connections, bodies that do not fit the schema
        return type(error).__name__, None, None
    except TimeoutError:
        return "APITimeoutError", None, None
    except (ValueError, RecursionError):  # a body that says it is JSON and is not
        return "malformed_body", None, None
    return *text_of(reply), usage_of(reply)


@cache
def read_prompt(name: str) -> str:
    """A prompt of synth/prompts, by its name; read once."""
    return Path(__file__).with_name("prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")
