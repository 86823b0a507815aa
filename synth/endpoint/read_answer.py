"""Read an endpoint's reply: limit its size while it arrives, and check its form before it is used.

The openai client builds its reply objects from any JSON without checking it, and it would read an endless
body into memory.
"""

from collections.abc import AsyncIterator

import httpx2
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice

from synth.endpoint.journal import Usage

# Our choice: more than three times the 1.2 MB of 32,768 tokens of 6 bytes, each byte written as an escape.
MAX_BODY_BYTES = 4 << 20


class _Bounded(httpx2.AsyncByteStream):
    """A response's stream that raises ReadError after MAX_BODY_BYTES."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        num_bytes = 0
        async for chunk in self._stream:
            num_bytes += len(chunk)
            if num_bytes > MAX_BODY_BYTES:
                raise httpx2.ReadError(f"the answer has more than {MAX_BODY_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def bound_body(response: httpx2.Response) -> None:
    """Limit the size of a response's body before it is read. The client calls this as a hook.

    Raises ReadError if the body is compressed, because the requests do not allow that.
    """
    if "content-encoding" in response.headers:
        raise httpx2.ReadError("the answer is compressed, which was not asked for")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Bounded(response.stream)


def text_of(reply: object) -> tuple[str, str | None]:
    """Return the kind of failure and the answer of a reply; "" or None for the one that does not apply.

    Lone surrogates in the answer, which a table cannot store, become "?".
    """
    choices = reply.choices if isinstance(reply, ChatCompletion) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, Choice):
        return "no_choices", None
    if choice.finish_reason == "length":
        return "cut_at_max_output_tokens", None
    text = choice.message.content if isinstance(choice.message, ChatCompletionMessage) else None
    if not isinstance(text, str) or not text.strip():
        return "empty_answer", None
    return "", text.encode("utf-8", "replace").decode()


def usage_of(reply: object) -> Usage | None:
    """Return the token counts that a reply reports.

    Returns None unless both are integers from 0 to MAX_BODY_BYTES; servers differ in what they report.
    """
    usage = reply.usage if isinstance(reply, ChatCompletion) else None
    counts = [getattr(usage, name, None) for name in Usage._fields]
    whole = [count for count in counts if type(count) is int and 0 <= count <= MAX_BODY_BYTES]
    return Usage(*whole) if len(whole) == len(Usage._fields) else None
