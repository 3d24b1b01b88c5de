"""The response object of the Responses API, and the pages of a response's input items.

Source: OpenAI's ``Response``, ``ResponseItemList`` and ``ItemResource``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.errors import CallerError, GatewayError, UpstreamUnavailable
from claudegwd.openai_api.fields import refuse
from claudegwd.openai_api.usage import Usage

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
# OpenAI's own limit for lists of input items.
DEFAULT_PAGE = 20
MAX_PAGE = 100
# The error code that ends an answer when its client cancels it.
CANCELLED = "response_cancelled"
# Finish reasons of a truncated answer, in this API's words.
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}

# Not in OpenAI's list of codes, but agents act on them: they compact their history, or tell their user.
_TOLD_CODES = ("context_length_exceeded", "insufficient_quota", "rate_limit_exceeded")


class ResponseObject:
    """The fields that stay the same from the first event of a response to its last."""

    __slots__ = ("_head",)

    def __init__(self, ident: str, created: int, model: str, echo: Mapping[str, Any]) -> None:
        """`created` is in seconds since 1970; `echo` are the fields that repeat the request."""
        shared = {"id": ident, "object": "response", "created_at": created, "model": model, **echo}
        self._head = encode(shared)[:-1]

    def json(
        self,
        status: Status,
        output: Sequence[bytes] = (),
        *,
        error: GatewayError | None = None,
        incomplete: str | None = None,
        usage: Usage | None = None,
    ) -> bytes:
        """The object; `output` are its items as JSON, `incomplete` is why it was truncated."""
        state: dict[str, Any] = {
            "status": status,
            "error": _error(error) if error is not None else None,
            "incomplete_details": {"reason": incomplete} if incomplete else None,
        }
        if usage is not None:
            state["usage"] = usage.response_shape()
        return b'%b,%b,"output":[%b]}' % (self._head, encode(state)[1:-1], b",".join(output))


# What a client gets that polls a response from before a restart, of which only the start is known.
_UNKNOWN: dict[str, Any] = {
    "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto",
    "tools": [], "top_p": 1.0, "background": True, "store": True, "previous_response_id": None,
}  # fmt: skip


def lost_body(ident: str, created: int, model: str) -> bytes:
    """The object of a response that was begun in the background before the gateway was restarted."""
    error = UpstreamUnavailable(
        "cannot return this response: the gateway was restarted before it was complete, or did not store it on disk; "
        "send the request again"
    )
    return ResponseObject(ident, created, model, _UNKNOWN).json("failed", error=error)


def _error(error: GatewayError) -> dict[str, str]:
    code = error.code or ""
    if code not in _TOLD_CODES:
        code = "invalid_prompt" if isinstance(error, CallerError) else "server_error"
    return {"code": code, "message": error.message}


class ItemsPage(msgspec.Struct, frozen=True):
    """The wanted part of a response's input items."""

    limit: int = DEFAULT_PAGE
    newest_first: bool = True
    after: str | None = None


def parse_items_page(query: Mapping[str, str]) -> ItemsPage:
    """Read the query of a list of input items; raises InvalidRequest."""
    limit, order = query.get("limit", ""), query.get("order", "desc")
    if order not in ("asc", "desc"):
        refuse("order", "it must be asc or desc")
    # Length first: int() of a megabyte of digits takes a while.
    if limit and not (limit.isascii() and limit.isdigit() and len(limit) < 10 and 1 <= int(limit) <= MAX_PAGE):
        refuse("limit", f"it must be a whole number from 1 to {MAX_PAGE}")
    return ItemsPage(int(limit) if limit else DEFAULT_PAGE, order == "desc", query.get("after") or None)


def page_of_items(items: Sequence[Mapping[str, Any]], page: ItemsPage) -> bytes:
    """One page of the items, which are given as sent, with ids. Raises InvalidRequest."""
    ordered = list(reversed(items)) if page.newest_first else list(items)
    places = {item["id"]: place for place, item in enumerate(ordered)}
    if page.after is not None and page.after not in places:
        refuse("after", "no input item of this response has this id")
    start = places[page.after] + 1 if page.after is not None else 0
    found = ordered[start : start + page.limit]
    return encode(
        {
            "object": "list",
            "data": [shown_item(item) for item in found],
            "first_id": found[0]["id"] if found else "",
            "last_id": found[-1]["id"] if found else "",
            "has_more": start + len(found) < len(ordered),
        }
    )


def compaction_body(
    ident: str, created: int, words: Sequence[Mapping[str, Any]], compaction: bytes, usage: Usage
) -> bytes:
    """The answer of /v1/responses/compact: the user's messages that stay, then the summary as an item in JSON."""
    head = encode({"id": ident, "object": "response.compaction", "created_at": created})
    items = [*(encode(shown_item(item)) for item in words), compaction]
    return b'%b,"output":[%b],"usage":%b}' % (head[:-1], b",".join(items), encode(usage.response_shape()))


def shown_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item with all fields of OpenAI's description, however few were sent."""
    kind = item.get("type") or "message"
    full = {"status": "completed", **item, "type": kind}
    if kind != "message":
        return full
    spoken = item.get("role") == "assistant"
    content = item.get("content") or []
    if isinstance(content, str):
        content = [{"type": "output_text" if spoken else "input_text", "text": content}]
    return {**full, "content": [_part(part, spoken=spoken) for part in content]}


def _part(part: Mapping[str, Any], *, spoken: bool) -> dict[str, Any]:
    kind = part["type"]
    if kind in ("input_text", "output_text", "text"):
        if spoken:
            return {"annotations": [], "logprobs": [], **part, "type": "output_text"}
        return {**part, "type": "input_text"}
    return {"detail": "auto", **part} if kind == "input_image" else dict(part)
