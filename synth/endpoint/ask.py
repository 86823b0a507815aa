"""Send prompts to a model behind an OpenAI-compatible endpoint.

A journal records requests and answers, so that a run that was killed repeats no answered request.
"""

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import openai

from configs.loader import ConfigError
from configs.tables import hash_json
from synth.config import EndpointConfig
from synth.endpoint.journal import Journal, Usage
from synth.endpoint.rate_limit import TokenBucket
from synth.endpoint.read_answer import bound_body, text_of, usage_of

logger = logging.getLogger(__name__)

KEY_VARIABLE = "REASONMILL_API_KEY"


@dataclass(frozen=True)
class Prompt:
    """One request: the text, the number of the sample, and the JSON schema of the answer ("" for none)."""

    text: str
    sample: int = 0
    schema: str = ""

    def key(self, config: EndpointConfig) -> str:
        """Return the request's key in the journal: the hash of everything that the model sees."""
        return hash_json(
            [config.model, config.temperature, config.max_output_tokens, self.text, self.sample, self.schema]
        )


def ask(prompts: Sequence[Prompt], config: EndpointConfig, journal: Journal) -> list[str | None]:
    """Return the answers in order; None where every attempt failed.

    A prompt whose answer is in the journal is not sent again. Raises ConfigError if the API key is missing or
    refused, the model is unknown, or the budget of requests is used up.
    """
    return asyncio.run(_ask_all(prompts, config, journal))


def api_key(config: EndpointConfig) -> str:
    """Return the API key from the environment. Raises ConfigError if it is needed and not set."""
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
        max_retries=0,  # _ask_one counts the attempts
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
    """The state that all tasks of one `ask` call share."""

    client: openai.AsyncOpenAI
    config: EndpointConfig
    journal: Journal
    slots: asyncio.Semaphore
    bucket: TokenBucket
    fault: ConfigError | None = None
    """The error that stops further requests. Answers to requests in flight are still recorded."""


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
    """Send one request.

    Returns the kind of failure, the answer and the tokens used; only one of the first two. Raises ConfigError
    if a retry cannot help.
    """
    extra: dict[str, Any] = {}
    if prompt.schema:
        schema = {"name": "answer", "strict": True, "schema": json.loads(prompt.schema)}
        extra = {"response_format": {"type": "json_schema", "json_schema": schema}}
    try:
        async with asyncio.timeout(config.timeout_s):  # the client's own timeout restarts with every byte
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
    except (ValueError, RecursionError):  # the content type is JSON, the body is not
        return "malformed_body", None, None
    return *text_of(reply), usage_of(reply)


@cache
def read_prompt(name: str) -> str:
    """Read a prompt of synth/endpoint/prompts by its name; the text is cached."""
    return Path(__file__).with_name("prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")
