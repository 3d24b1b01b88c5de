"""The responses of POST /v1/completions: one body, or a stream of chunks.

Source: OpenAI's ``CreateCompletionResponse``. Chunks have the same format, with a `finish_reason` of null until the
last one.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import GatewayError
from claudegwd.openai_api.sse import DONE as DONE
from claudegwd.openai_api.sse import KEEP_ALIVE as KEEP_ALIVE
from claudegwd.openai_api.sse import error_event
from claudegwd.openai_api.usage import Usage

TextFinishReason: TypeAlias = Literal["stop", "length", "content_filter"]


class TextChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One whole answer; with `echo`, `text` begins with the prompt."""

    index: int
    text: str
    finish_reason: TextFinishReason = "stop"


def text_completion_body(ident: str, created: int, model: str, choices: Sequence[TextChoice], usage: Usage) -> bytes:
    """The body of an answer that is not streamed. `created` is in seconds since 1970."""
    shown = [
        {"index": choice.index, "text": choice.text, "logprobs": None, "finish_reason": choice.finish_reason}
        for choice in choices
    ]
    shared = {"id": ident, "object": "text_completion", "created": created, "model": model}
    return encode({**shared, "choices": shown, "usage": usage.shape()})


class CompletionStream:
    """Writes the chunks of one answer; each method returns the bytes of one server-sent event.

    The caller's duties: for each choice anything, then `finish` once; after the finishes `usage`, if `include_usage`;
    last DONE. `raw` is a JSON string literal with its quotes, as bytes or msgspec.Raw; it goes out as it is.
    """

    __slots__ = ("_head", "_tail", "include_usage")
    done = DONE
    silence = KEEP_ALIVE

    def __init__(self, ident: str, created: int, model: str, include_usage: bool = False) -> None:
        shared = {"id": ident, "object": "text_completion", "created": created, "model": model}
        self._head = b"data: " + encode(shared)[:-1] + b',"choices":['
        self._tail = b"]" + (b',"usage":null' if include_usage else b"") + b"}\n\n"
        self.include_usage = include_usage

    def text(self, index: int, raw: bytes | msgspec.Raw) -> bytes:
        """A piece of the answer; with `echo`, the prompt is the first."""
        before = b'%b{"index":%d,"text":' % (self._head, index)
        return b"".join((before, raw, b',"logprobs":null,"finish_reason":null}', self._tail))

    def finish(self, index: int, reason: TextFinishReason) -> bytes:
        """The last chunk of a choice."""
        chunk = b'%b{"index":%d,"text":"","logprobs":null,"finish_reason":"%b"}%b'
        return chunk % (self._head, index, reason.encode(), self._tail)

    def usage(self, usage: Usage) -> bytes:
        """The chunk with the usage, after every finish; only if `include_usage` is true."""
        return b'%b],"usage":%b}\n\n' % (self._head, encode(usage.shape()))

    def error(self, error: GatewayError) -> bytes:
        """An error after the stream has begun. No finish may follow."""
        return error_event(error)
