"""The events of a response while it is created; responses that are not streamed are built from them as well.

Source: OpenAI's ``ResponseStreamEvent``, and what the official SDKs and Codex parse. As in chat/response.py, a piece of
text is a few bytes around the JSON string literal that the CLI wrote.
"""

from collections.abc import Mapping, Sequence

from claudegwd.openai_api.errors import GatewayError
from claudegwd.openai_api.responses.items import (
    CALLS,
    CallItem,
    CompactionItem,
    Event,
    MessageItem,
    OutputItem,
    ReasoningItem,
    RefusalItem,
    WebSearchItem,
)
from claudegwd.openai_api.responses.response import CANCELLED, INCOMPLETE, ResponseObject
from claudegwd.openai_api.responses.tools import CallShape
from claudegwd.openai_api.sse import KEEP_ALIVE
from claudegwd.openai_api.usage import Usage


class ResponsesStream:
    """Each method returns the bytes of the due events: mostly one, several where an item begins or ends.

    The caller's duties: `opening` first, then anything, then `finish` and `complete`, or `error` at any time. `raw` is
    a JSON string literal with its quotes, as it was read.
    """

    include_usage = True  # the last event always has it
    done = b""  # that event is the end: OpenAI sends no [DONE] here
    silence = KEEP_ALIVE

    def __init__(
        self, made: ResponseObject, token: str, shapes: Mapping[str, CallShape], *, sources: bool = False
    ) -> None:
        """`token` is for the ids of the items; `shapes` are the client's tools by the model's names for them;
        `sources`: list all pages that a search finds."""
        self._made = made
        self._token = token
        self._shapes = shapes
        self._number = 0
        self._items: list[OutputItem] = []
        self._calls: list[CallItem] = []
        self._sources = sources
        self._searches: dict[str, WebSearchItem] = {}  # running, by the upstream's ids
        self._starts: dict[MessageItem, int] = {}  # where messages with citations begin in the answer
        self._open: list[OutputItem] = []  # the last of them takes texts
        self._reason = "stop"
        self._delta: tuple[OutputItem, bytes] | None = None
        self.body = b""  # the response object, once complete

    def opening(self) -> list[bytes]:
        """The first two events."""
        response = b'"response":' + self._made.json("in_progress")
        return [self._event("response.created", response), self._event("response.in_progress", response)]

    def text(self, raw: bytes) -> bytes:
        """A piece of the answer."""
        return self._said(MessageItem, raw)

    def reasoning(self, raw: bytes) -> bytes:
        """A piece of the model's thinking."""
        return self._said(ReasoningItem, raw)

    def refusal(self, raw: bytes) -> bytes:
        """A piece of the model's refusal."""
        return self._said(RefusalItem, raw)

    def tool_start(self, ident: str, name: str) -> bytes:
        """A call begins."""
        shape = self._shapes.get(name) or CallShape("function", name)
        item = CALLS[shape.kind](self._token, len(self._items), ident, shape)
        self._calls.append(item)
        return self._begin(item)

    def tool_arguments(self, call: int, raw: bytes) -> bytes:
        """A piece of the arguments of call number `call`, from 0."""
        return self._piece(self._calls[call], raw)

    def search_start(self, ident: str) -> bytes:
        """A search of the web begins."""
        item = WebSearchItem(self._token, len(self._items), sources=self._sources)
        begun = self._begin(item)
        self._open.remove(item)  # text does not wait for its end
        self._searches[ident] = item
        return begun

    def search_input(self, ident: str, query: object) -> bytes:
        """Its query."""
        item = self._searches.get(ident)
        return self._events(item.searching(query)) if item is not None else b""

    def search_result(self, ident: str, pages: Sequence[str], *, failed: bool) -> bytes:
        """What it found."""
        item = self._searches.pop(ident, None)
        return self._events(item.found(pages, failed=failed)) if item is not None else b""

    def citation(self, start: int, end: int, url: str, title: str) -> bytes:
        """A source of the text before it; positions are those in the text of the whole answer."""
        messages = [item for item in self._items if type(item) is MessageItem]
        if not messages:
            return b""
        last = messages[-1]
        if last not in self._starts:
            self._starts[last] = sum(item.length() for item in messages[:-1])
        before = self._starts[last]
        place = {"start_index": max(0, start - before), "end_index": max(0, end - before)}
        return self._events([last.annotate({"type": "url_citation", "url": url, "title": title, **place})])

    def compaction(self, sealed: str) -> bytes:
        """The conversation so far was summarised."""
        item = CompactionItem(self._token, len(self._items), sealed)
        begun = self._begin(item)
        self._open.remove(item)
        return begun + self._events(item.closing(b"completed"))

    def finish(self, reason: str) -> bytes:
        """The answer has ended with this finish reason: its items end."""
        self._reason = reason
        waiting = [*self._searches.values(), *self._open]
        events = [event for item in waiting for event in item.closing(self._status_of(item))]
        self._open = []
        self._searches.clear()
        return self._events(events)

    def complete(self, usage: Usage) -> None:
        """Make the response object; call after `finish`."""
        output = [item.json(self._status_of(item)) for item in self._items]
        why = INCOMPLETE.get(self._reason)
        self.body = self._made.json("incomplete" if why else "completed", output, incomplete=why, usage=usage)

    def usage(self, usage: Usage) -> bytes:
        """The last event of a response that has one."""
        if not self.body:
            self.complete(usage)
        word = "incomplete" if self._reason in INCOMPLETE else "completed"
        return self._event(f"response.{word}", b'"response":' + self.body)

    def error(self, error: GatewayError) -> bytes:
        """The last event of one that failed after it had begun."""
        for search in self._searches.values():
            search.found((), failed=True)
        ended = [item.json(b"incomplete" if item in self._open else b"completed") for item in self._items]
        if error.code == CANCELLED:
            # OpenAI has no event for this; every client takes this one as the last.
            self.body = self._made.json("cancelled", ended)
            return self._event("response.incomplete", b'"response":' + self.body)
        self.body = self._made.json("failed", ended, error=error)
        return self._event("response.failed", b'"response":' + self.body)

    def so_far(self) -> bytes:
        """The response object in its current state."""
        items = [item.json(b"in_progress" if item in self._open else b"completed") for item in self._items]
        return self.body or self._made.json("in_progress", items)

    def queued(self) -> bytes:
        """The response object before it starts."""
        return self._made.json("queued")

    @property
    def item_ids(self) -> list[str]:
        """The ids of its items so far."""
        return [item.ident for item in self._items]

    def _status_of(self, item: OutputItem) -> bytes:
        cut = self._reason in INCOMPLETE and item is self._items[-1]
        return b"incomplete" if cut else b"completed"

    def _said(self, kind: type[MessageItem | ReasoningItem], raw: bytes) -> bytes:
        if self._open and type(self._open[-1]) is kind:
            return self._piece(self._open[-1], raw)
        item = kind(self._token, len(self._items))
        return self._begin(item) + self._piece(item, raw)

    def _begin(self, item: OutputItem) -> bytes:
        # A call without arguments may still get them at the end of the message, if they come in one piece.
        ended = [one for one in self._open if one.pieces]
        self._open = [*(one for one in self._open if not one.pieces), item]
        self._items.append(item)
        return self._events([*(event for one in ended for event in one.closing(b"completed")), *item.opening()])

    def _piece(self, item: OutputItem, raw: bytes) -> bytes:
        item.pieces.append(raw)
        if not item.delta_type:
            return b""
        if self._delta is None or self._delta[0] is not item:
            kind = item.delta_type.encode("ascii")
            self._delta = item, b'event: %b\ndata: {"type":"%b",%b' % (kind, kind, item.delta_head)
        number = b',"sequence_number":%d}\n\n' % self._number
        self._number += 1
        return b"".join((self._delta[1], raw, number))

    def _events(self, events: Sequence[Event]) -> bytes:
        return b"".join(self._event(*event) for event in events)

    def _event(self, kind: str, fields: bytes) -> bytes:
        name = kind.encode("ascii")
        number = self._number
        self._number += 1
        return b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b}\n\n' % (name, name, number, fields)
