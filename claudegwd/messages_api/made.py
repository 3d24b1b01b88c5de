"""A message composed here from what Claude says and does in a workspace: the events of its stream.

The upstream's own messages are several in that case, with calls of tools that are not the client's.
"""

from typing import Any

from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.usage import Usage

Event = tuple[str, bytes]

# Signs what is shown as thinking. No upstream would accept it back: this identifies it, to be left out of a history.
SIGNATURE = "claudegwd+workspaces"

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


class MadeMessage:
    """Each method returns the due events, as name and JSON; `message_stop` is the stream's own.

    The caller's duties: `opening` first, `finish` last. `raw` is a JSON string literal with its quotes, as it was read.
    """

    def __init__(self, ident: str, model: str) -> None:
        self._ident = ident
        self._model = model
        self._index = -1
        self._open = ""  # the type of the open block

    def opening(self) -> list[Event]:
        """The first event. The prompt's tokens are known at the end."""
        message: dict[str, Any] = {
            "id": self._ident, "type": "message", "role": "assistant", "model": self._model, "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": _usage(Usage()),
        }  # fmt: skip
        return [_event("message_start", message=message)]

    def text(self, raw: bytes) -> list[Event]:
        """A piece of the answer."""
        return [*self._in("text", text=""), self._delta(b'"text_delta","text":' + raw)]

    def thinking(self, raw: bytes) -> list[Event]:
        """A piece of what Claude thinks or does."""
        return [*self._in("thinking", thinking="", signature=""), self._delta(b'"thinking_delta","thinking":' + raw)]

    def tool_start(self, ident: str, name: str) -> list[Event]:
        """A call of the client's tool begins."""
        return [*self._close(), *self._begin("tool_use", id=ident, name=name, input={})]

    def tool_arguments(self, raw: bytes) -> list[Event]:
        """A piece of its arguments."""
        return [self._delta(b'"input_json_delta","partial_json":' + raw)]

    def finish(self, reason: str, usage: Usage) -> list[Event]:
        """The answer is complete. `reason` is OpenAI's finish reason."""
        delta = {"stop_reason": _STOP_REASONS.get(reason, "end_turn"), "stop_sequence": None}
        return [*self._close(), _event("message_delta", delta=delta, usage=_usage(usage))]

    def _in(self, kind: str, **block: object) -> list[Event]:
        return [] if self._open == kind else [*self._close(), *self._begin(kind, **block)]

    def _begin(self, kind: str, **block: object) -> list[Event]:
        self._index += 1
        self._open = kind
        return [_event("content_block_start", index=self._index, content_block={"type": kind, **block})]

    def _close(self) -> list[Event]:
        if not self._open:
            return []
        signed = [self._delta(b'"signature_delta","signature":' + encode(SIGNATURE))] * (self._open == "thinking")
        self._open = ""
        return [*signed, _event("content_block_stop", index=self._index)]

    def _delta(self, rest: bytes) -> Event:
        head = b'{"type":"content_block_delta","index":%d,"delta":{"type":' % self._index
        return "content_block_delta", head + rest + b"}}"


def without_made(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages without what was shown as thinking, and without those that were nothing else."""
    if not any(map(_is_made, (block for message in messages for block in _blocks(message)))):
        return messages
    kept = []
    for message in messages:
        blocks = [block for block in _blocks(message) if not _is_made(block)]
        if len(blocks) == len(_blocks(message)):
            kept.append(message)
        elif blocks:
            kept.append({**message, "content": blocks})
    return kept


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else []


def _is_made(block: dict[str, Any]) -> bool:
    return block.get("type") == "thinking" and block.get("signature") == SIGNATURE


def _event(name: str, **fields: object) -> Event:
    return name, encode({"type": name, **fields})


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": max(0, usage.prompt_tokens - usage.cached_tokens - usage.written_tokens),
        "cache_creation_input_tokens": usage.written_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }
