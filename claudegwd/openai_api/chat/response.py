"""The responses of POST /v1/chat/completions: one body, or a stream of chunks.

Source: OpenAI's ``CreateChatCompletionResponse`` and ``CreateChatCompletionStreamResponse``, and what the official SDKs
parse. `reasoning_content` is not a field of OpenAI's; servers of open models and their clients agreed on it.

Writing a stream is the hot path: it happens once for every few characters of the model. So a text chunk is three byte
strings joined: the prefix and suffix are built once per choice, and the text between them is the JSON string literal as
the CLI wrote it, never decoded.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import GatewayError
from claudegwd.openai_api.messages import ToolCall
from claudegwd.openai_api.sse import DONE as DONE
from claudegwd.openai_api.sse import KEEP_ALIVE as KEEP_ALIVE
from claudegwd.openai_api.sse import error_event
from claudegwd.openai_api.usage import Usage as Usage

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]

_USAGE_LATER = b',"usage":null'


class Citation(msgspec.Struct, frozen=True):
    """What a part of the answer is based on: a page, and a range of characters (end exclusive)."""

    start: int
    end: int
    url: str
    title: str

    def shape(self) -> dict[str, Any]:
        """OpenAI's annotation."""
        cited = {"start_index": self.start, "end_index": self.end, "title": self.title, "url": self.url}
        return {"type": "url_citation", "url_citation": cited}


class ChatChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One whole answer. `content` is None if there is none, as with only tool calls."""

    index: int
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    citations: tuple[Citation, ...] = ()


def completion_body(
    ident: str,
    created: int,
    model: str,
    choices: Sequence[ChatChoice],
    usage: Usage,
    extra: Mapping[str, Any] | None = None,
    *,
    legacy_functions: bool = False,
) -> bytes:
    """The body of an answer that is not streamed. `created` is in seconds since 1970.

    `extra` are further fields of the body (the older gateway's session_id, project_id). `legacy_functions` answers a
    request that used functions: `function_call` with the first call instead of `tool_calls`.
    """
    body = {
        "id": ident,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [_choice(choice, legacy_functions=legacy_functions) for choice in choices],
        "usage": usage.shape(),
        **(extra or {}),
    }
    return encode(body)


def _choice(choice: ChatChoice, *, legacy_functions: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.content, "refusal": choice.refusal}
    if choice.reasoning_content:
        message["reasoning_content"] = choice.reasoning_content
    if choice.citations:
        message["annotations"] = [citation.shape() for citation in choice.citations]
    if choice.tool_calls and legacy_functions:
        message["function_call"] = _function(choice.tool_calls[0])
    elif choice.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": _function(call)} for call in choice.tool_calls
        ]
    reason = _finish_reason(choice.finish_reason, legacy_functions=legacy_functions)
    return {"index": choice.index, "message": message, "logprobs": None, "finish_reason": reason}


def _function(call: ToolCall) -> dict[str, str]:
    return {"name": call.name, "arguments": call.arguments or "{}"}


def _finish_reason(reason: FinishReason, *, legacy_functions: bool) -> str:
    return "function_call" if legacy_functions and reason == "tool_calls" else reason


class ChatStream:
    """Writes the chunks of one answer; each method returns the bytes of the due server-sent events, for one write.

    The caller's duties: for each choice `role` first and once, then anything, then `finish` once; after the finishes
    `usage`, if `include_usage`; last DONE. After `error` only DONE. `raw` is a JSON string literal with its quotes, as
    bytes or msgspec.Raw, and goes out exactly as it was read.
    """

    __slots__ = ("_citations", "_head", "_legacy", "_tail", "_texts", "include_usage")
    done = DONE
    silence = KEEP_ALIVE

    def __init__(
        self, ident: str, created: int, model: str, include_usage: bool = False, *, legacy_functions: bool = False
    ) -> None:
        shared = {"id": ident, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + encode(shared)[:-1] + b',"choices":['
        # With include_usage, every chunk but the one with the usage says that it comes later.
        self._tail = b"]" + (_USAGE_LATER if include_usage else b"") + b"}\n\n"
        self._legacy = legacy_functions
        self._texts: dict[int, tuple[bytes, bytes]] = {}
        self._citations: dict[int, list[Citation]] = {}
        self.include_usage = include_usage

    def role(self, index: int) -> bytes:
        """The first chunk of a choice. Clients wait for its empty content to show that an answer began."""
        return self._chunk(index, b'{"role":"assistant","content":"","refusal":null}')

    def text(self, index: int, raw: bytes | msgspec.Raw) -> bytes:
        """A piece of the answer."""
        try:
            before, after = self._texts[index]
        except KeyError:
            before, after = self._texts[index] = self._frame(index)
        return b"".join((before, raw, after))

    def citation(self, index: int, citation: Citation) -> bytes:
        """What the text before it is based on. All come in one chunk, before the last: of several, the official Python
        client's accumulator raises an error at the second, and the Node client's keeps only the last."""
        self._citations.setdefault(index, []).append(citation)
        return b""

    def reasoning(self, index: int, raw: bytes | msgspec.Raw) -> bytes:
        """A piece of the model's thinking."""
        return self._chunk(index, b"".join((b'{"reasoning_content":', raw, b"}")))

    def refusal(self, index: int, raw: bytes | msgspec.Raw) -> bytes:
        """A piece of the model's refusal."""
        return self._chunk(index, b"".join((b'{"refusal":', raw, b"}")))

    def tool_start(self, index: int, call_index: int, ident: str, name: str) -> bytes:
        """A call begins: the only chunk with its id and name, as clients concatenate repetitions. With legacy functions
        there is room for the first call only."""
        function = {"name": name, "arguments": ""}
        if self._legacy:
            return self._chunk(index, encode({"function_call": function})) if call_index == 0 else b""
        call = {"index": call_index, "id": ident, "type": "function", "function": function}
        return self._chunk(index, encode({"tool_calls": [call]}))

    def tool_arguments(self, index: int, call_index: int, raw: bytes | msgspec.Raw) -> bytes:
        """A piece of a call's arguments. For a call without any, send one piece, `"{}"`."""
        if self._legacy and call_index > 0:
            return b""
        if self._legacy:
            return self._chunk(index, b"".join((b'{"function_call":{"arguments":', raw, b"}}")))
        before = b'{"tool_calls":[{"index":%d,"function":{"arguments":' % call_index
        return self._chunk(index, b"".join((before, raw, b"}}]}")))

    def finish(self, index: int, reason: FinishReason) -> bytes:
        """The last chunk of a choice, and the one with its citations."""
        end = self._chunk(index, b"{}", encode(_finish_reason(reason, legacy_functions=self._legacy)))
        citations = self._citations.pop(index, None)
        if not citations:
            return end
        return self._chunk(index, encode({"annotations": [citation.shape() for citation in citations]})) + end

    def usage(self, usage: Usage) -> bytes:
        """The chunk with the usage, after every finish; only if `include_usage`. No other is without choices."""
        return b'%b],"usage":%b}\n\n' % (self._head, encode(usage.shape()))

    def error(self, error: GatewayError) -> bytes:
        """An error after the stream has begun. No finish may follow, as it would mark the answer as complete."""
        return error_event(error)

    def _chunk(self, index: int, delta: bytes, reason: bytes = b"null") -> bytes:
        chunk = b'%b{"index":%d,"delta":%b,"logprobs":null,"finish_reason":%b}%b'
        return chunk % (self._head, index, delta, reason, self._tail)

    def _frame(self, index: int) -> tuple[bytes, bytes]:
        """What precedes and follows the text in every text chunk of a choice."""
        before, after = self._chunk(index, b'{"content":\0}').split(b"\0")
        return before, after
