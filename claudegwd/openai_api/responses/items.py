"""The output items of a running response: each produces its events and its JSON, from literals that are not decoded.

An event here is a pair: its type, and its fields as JSON without the outer braces.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.responses.tools import CUSTOM_INPUT, CallShape

Event: TypeAlias = tuple[str, bytes]


def _literal(pieces: list[bytes]) -> bytes:
    """Several string literals as one."""
    return b'"' + b"".join(piece[1:-1] for piece in pieces) + b'"'


class OutputItem(ABC):
    """One item. Call `opening`, then send a delta for each piece, then `closing`; `json` is its current state.

    `delta_type` and `delta_head` are the constant parts of a delta event: its literal follows the head. Without a type,
    the pieces only make sense together, and come in one delta at the end.
    """

    prefix = ""
    delta_type = ""
    delta_head = b""

    def __init__(self, token: str, index: int) -> None:
        self.ident = f"{self.prefix}_{token}{index:02x}"
        self.place = b'"output_index":%d' % index
        self.pieces: list[bytes] = []
        self._at = b'"item_id":"%b",%b' % (self.ident.encode("ascii"), self.place)

    @abstractmethod
    def json(self, status: bytes) -> bytes:
        """The item in its current state."""

    def opening(self) -> list[Event]:
        """Its first events, before any piece."""
        return [self._item("added", b"in_progress")]

    def closing(self, status: bytes) -> list[Event]:
        """Its last events; `status` is completed or incomplete."""
        return [self._item("done", status)]

    def _item(self, word: str, status: bytes) -> Event:
        return f"response.output_item.{word}", b'%b,"item":%b' % (self.place, self.json(status))


class MessageItem(OutputItem):
    """Text."""

    prefix = "msg"
    delta_type = "response.output_text.delta"

    def __init__(self, token: str, index: int) -> None:
        super().__init__(token, index)
        self._at += b',"content_index":0'
        self.delta_head = self._at + b',"logprobs":[],"delta":'
        self._annotations: list[bytes] = []

    def length(self) -> int:
        """The length of its text, in characters."""
        return len(json.loads(_literal(self.pieces).decode("utf-8", "replace"), strict=False))

    def annotate(self, annotation: Mapping[str, Any]) -> Event:
        """Add a source of its text so far."""
        self._annotations.append(encode(annotation))
        at = b'%b,"annotation_index":%d' % (self._at, len(self._annotations) - 1)
        return "response.output_text.annotation.added", b'%b,"annotation":%b' % (at, self._annotations[-1])

    def json(self, status: bytes) -> bytes:
        content = self._part() if self.pieces else b""
        head = b'{"id":"%b","type":"message","status":"%b","role":"assistant","content":[%b]}'
        return head % (self.ident.encode("ascii"), status, content)

    def opening(self) -> list[Event]:
        return [*super().opening(), ("response.content_part.added", b'%b,"part":%b' % (self._at, self._part()))]

    def closing(self, status: bytes) -> list[Event]:
        return [
            self._whole(),
            ("response.content_part.done", b'%b,"part":%b' % (self._at, self._part())),
            *super().closing(status),
        ]

    def _whole(self) -> Event:
        text = b'%b,"logprobs":[],"text":%b' % (self._at, _literal(self.pieces))
        return "response.output_text.done", text

    def _part(self) -> bytes:
        head = b'{"type":"output_text","annotations":[%b],"logprobs":[],"text":%b}'
        return head % (b",".join(self._annotations), _literal(self.pieces))


class RefusalItem(MessageItem):
    """The model's refusal: a message of its own, after what it said before."""

    delta_type = "response.refusal.delta"

    def __init__(self, token: str, index: int) -> None:
        super().__init__(token, index)
        self.delta_head = self._at + b',"delta":'

    def _whole(self) -> Event:
        return "response.refusal.done", b'%b,"refusal":%b' % (self._at, _literal(self.pieces))

    def _part(self) -> bytes:
        return b'{"type":"refusal","refusal":%b}' % _literal(self.pieces)


class ReasoningItem(OutputItem):
    """The model's thinking, as a summary: that is what it is, and what clients show."""

    prefix = "rs"
    delta_type = "response.reasoning_summary_text.delta"

    def __init__(self, token: str, index: int) -> None:
        super().__init__(token, index)
        self._at += b',"summary_index":0'
        self.delta_head = self._at + b',"delta":'

    def json(self, status: bytes) -> bytes:
        summary = self._part() if self.pieces else b""
        head = b'{"id":"%b","type":"reasoning","status":"%b","summary":[%b]}'
        return head % (self.ident.encode("ascii"), status, summary)

    def opening(self) -> list[Event]:
        part = b'%b,"part":%b' % (self._at, self._part())
        return [*super().opening(), ("response.reasoning_summary_part.added", part)]

    def closing(self, status: bytes) -> list[Event]:
        return [
            ("response.reasoning_summary_text.done", b'%b,"text":%b' % (self._at, _literal(self.pieces))),
            ("response.reasoning_summary_part.done", b'%b,"part":%b' % (self._at, self._part())),
            *super().closing(status),
        ]

    def _part(self) -> bytes:
        return b'{"type":"summary_text","text":%b}' % _literal(self.pieces)


class CallItem(OutputItem):
    """A call of a client's function."""

    prefix = "fc"
    delta_type = "response.function_call_arguments.delta"

    def __init__(self, token: str, index: int, call_id: str, shape: CallShape) -> None:
        super().__init__(token, index)
        self.delta_head = self._at + b',"delta":'
        self._name = encode(shape.name)
        namespace = b',"namespace":' + encode(shape.namespace) if shape.namespace else b""
        self._called = b'"call_id":%b,"name":%b%b' % (encode(call_id), self._name, namespace)

    def json(self, status: bytes) -> bytes:
        head = b'{"id":"%b","type":"function_call","status":"%b",%b,"arguments":%b}'
        return head % (self.ident.encode("ascii"), status, self._called, _literal(self.pieces))

    def closing(self, status: bytes) -> list[Event]:
        fields = b'%b,"name":%b,"arguments":%b' % (self._at, self._name, _literal(self.pieces))
        return [("response.function_call_arguments.done", fields), *super().closing(status)]


class CustomCallItem(CallItem):
    """A call of a custom tool: its text is in the arguments of the function that the model sees."""

    prefix = "ctc"
    delta_type = ""

    def json(self, status: bytes) -> bytes:
        head = b'{"id":"%b","type":"custom_tool_call","status":"%b",%b,"input":%b}'
        return head % (self.ident.encode("ascii"), status, self._called, self._input())

    def closing(self, status: bytes) -> list[Event]:
        text = self._input()
        return [
            ("response.custom_tool_call_input.delta", b'%b,"delta":%b' % (self._at, text)),
            ("response.custom_tool_call_input.done", b'%b,"input":%b' % (self._at, text)),
            *OutputItem.closing(self, status),
        ]

    def _input(self) -> bytes:
        arguments = json.loads(_literal(self.pieces).decode("utf-8", "replace"), strict=False)
        try:
            text = json.loads(arguments)[CUSTOM_INPUT]
        except (ValueError, TypeError, KeyError, RecursionError):
            text = arguments  # the model's slip: the client sees it as written
        return encode(text if isinstance(text, str) else arguments)


class ToolSearchItem(CallItem):
    """A search of the client's tools, with its arguments as an object."""

    prefix = "tsc"
    delta_type = ""

    def __init__(self, token: str, index: int, call_id: str, shape: CallShape) -> None:
        super().__init__(token, index, call_id, shape)
        self._call_id = encode(call_id)

    def json(self, status: bytes) -> bytes:
        head = b'{"id":"%b","type":"tool_search_call","status":"%b","call_id":%b,"execution":"client","arguments":%b}'
        return head % (self.ident.encode("ascii"), status, self._call_id, self._arguments())

    def closing(self, status: bytes) -> list[Event]:
        return OutputItem.closing(self, status)

    def _arguments(self) -> bytes:
        if not self.pieces:
            return b"{}"
        text = json.loads(_literal(self.pieces).decode("utf-8", "replace"), strict=False)
        try:
            return encode(json.loads(text))
        except (ValueError, RecursionError):
            return encode(text)  # the model's slip: the client sees it as written


class WebSearchItem(OutputItem):
    """A search of the web. `sources`: list the pages that it finds, cited or not."""

    prefix = "ws"

    def __init__(self, token: str, index: int, *, sources: bool) -> None:
        super().__init__(token, index)
        self._wants_sources = sources
        self._state = "in_progress"
        self._action: dict[str, Any] = {"type": "search", "query": "", "queries": []}

    def json(self, status: bytes) -> bytes:  # noqa: ARG002 - it has its own
        return encode({"id": self.ident, "type": "web_search_call", "status": self._state, "action": self._action})

    def opening(self) -> list[Event]:
        return [*super().opening(), self._state_event()]

    def searching(self, query: object) -> list[Event]:
        """The query is known."""
        if isinstance(query, str):
            self._action |= {"query": query, "queries": [query]}
        self._state = "searching"
        return [self._state_event()]

    def found(self, pages: Sequence[str], *, failed: bool) -> list[Event]:
        """It is done: its last events."""
        if self._wants_sources:
            self._action["sources"] = [{"type": "url", "url": page} for page in pages]
        self._state = "failed" if failed else "completed"
        done = self._item("done", b"")
        return [done] if failed else [self._state_event(), done]

    def closing(self, status: bytes) -> list[Event]:  # noqa: ARG002 - it never finished
        return self.found((), failed=True)

    def _state_event(self) -> Event:
        return f"response.web_search_call.{self._state}", self._at


class CompactionItem(OutputItem):
    """A summary of the conversation so far, sealed. It comes whole."""

    prefix = "cmp"

    def __init__(self, token: str, index: int, sealed: str) -> None:
        super().__init__(token, index)
        self._sealed = encode(sealed)

    def json(self, status: bytes) -> bytes:  # noqa: ARG002 - OpenAI's has no status
        head = b'{"id":"%b","type":"compaction","encrypted_content":%b}'
        return head % (self.ident.encode("ascii"), self._sealed)


CALLS: dict[str, type[CallItem]] = {"function": CallItem, "custom": CustomCallItem, "tool_search": ToolSearchItem}
