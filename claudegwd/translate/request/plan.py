"""Turns a request into the plan of a turn: everything that any worker needs to serve it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from claudegwd.openai_api.chat.request import ChatRequest
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.web_search import WebSearch
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.answer_format import AnswerFormat, answer_format
from claudegwd.translate.answer.text_filters import FilterChain, ObjectFilter, StopsFilter
from claudegwd.translate.answer.turn import TextFilter, Turn
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.history import (
    Begun,
    Entry,
    base_digest,
    canonical_answer,
    chain,
    entries_of,
    system_text,
)
from claudegwd.translate.request.parameters import WEB_SEARCH, TurnSettings, turn_settings
from claudegwd.translate.request.tools import ToolSet, tool_set, tools_of_history

# Replaces an answer without a usable part in the conversation in which a better one is asked for.
NO_OBJECT = "(words without JSON)"


@dataclass(frozen=True, slots=True)
class Plan:
    """One question. `base` is the digest of all but the messages; plans of different clients never share one.

    `owner` keeps conversations of different client keys apart, whatever their names.
    """

    client: str
    owner: str
    model: Model
    system: str
    tools: ToolSet
    entries: tuple[Entry, ...]
    base: bytes
    settings: TurnSettings
    format: AnswerFormat | None = None
    own_stops: tuple[str, ...] = ()  # stop sequences that the upstream does not accept
    max_tokens: int | None = None  # the client's limit for the answer
    # Tools that run upstream, in its own form.
    server_tools: tuple[Mapping[str, Any], ...] = ()
    # The body of a client of the Messages API: it is passed on unchanged, and so is the answer.
    own_body: Mapping[str, Any] | None = None
    # The same question to the operator's fallback for when this model is unavailable.
    fallback: "Callable[[], Plan] | None" = None
    stands_in_for: str = ""  # the name that was asked for, if this is such a fallback
    # The way of sending requests that this was planned for: whole, or as a transcript. None: right for both.
    whole: bool | None = None
    # The same request planned for how requests are sent at the time. Raises the errors of planning.
    anew: "Callable[[], Plan] | None" = None

    @property
    def is_prefill(self) -> bool:
        """Whether the model is to continue a last message of its own."""
        return self.entries[-1].role == "assistant"

    def base_of(self, *, whole: bool, system: bool, share: bool) -> bytes:
        """The digest of what a worker must be started with to serve this plan.

        `whole`: it gets each request whole, with `system` including the system prompt, and with `share` it serves all
        clients. Otherwise it was told everything but the messages beforehand.
        """
        if not whole:
            return self.base
        return base_digest("whole", "" if share else self.owner, "" if system else self.system)

    def anew_for(self, *, whole: bool) -> "Callable[[], Plan] | None":
        """How to plan this again before it is sent, `whole` or as a transcript; None if it is right for that."""
        return None if self.whole in (None, whole) else self.anew

    def turn(self) -> Turn:
        """A new turn, for one attempt at this question."""
        if self.own_body is not None:
            return Turn(self.tools, verbatim=True)
        filters: list[TextFilter] = []
        if self.format is not None:
            # Even if the upstream has structured output: a relay in between may not support it.
            filters.append(ObjectFilter())
        if self.own_stops:
            filters.append(StopsFilter(self.own_stops))
        if len(filters) > 1:
            return Turn(self.tools, FilterChain(filters))
        return Turn(self.tools, filters[0] if filters else None)

    def fault(self, answer: Answer) -> str | None:
        """What is wrong with a whole answer that should be JSON, before the client is told that it is finished.

        An answer that was cut off shows that by its finish reason.
        """
        if self.format is None or answer.calls or answer.finished is None or answer.finished.reason != "stop":
            return None
        return self.format.fault(answer.text)

    def corrected(self, answer: Answer, fault: str) -> "Plan | None":
        """A follow-up that asks for a better answer than the one with this fault; None if that is impossible."""
        if self.format is None or self.is_prefill:
            return None
        text = answer.text
        given = Entry(
            "assistant",
            ({"type": "text", "text": text if text.strip() else NO_OBJECT},),
            (),
            chain(self.entries[-1].digest, canonical_answer(text, ())),
        )
        asked = self.format.correction(fault)
        again = Entry("user", ({"type": "text", "text": asked},), (), chain(given.digest, ["u", ["t" + asked], []]))
        return replace(self, entries=(*self.entries, given, again), fallback=None, anew=None)


def make_plan(request: ChatRequest, model: Model, client: str, owner: str = "", begun: Begun | None = None) -> Plan:
    """Plan a chat request of `client`, as the status calls it.

    `owner` (or else `client`) keeps conversations of different client keys apart: a name may pass to another key.
    `begun`: what it may continue from.

    Raises the CallerError that names the field at fault.
    """
    wanted = answer_format(request.response_format, structured=model.structured)
    declared = request.tools or tools_of_history(request.messages)
    tools = tool_set(declared)
    system = system_text(request.messages, request.system_prompt)
    if wanted is not None and wanted.instruction:
        system = f"{system}\n\n{wanted.instruction}" if system else wanted.instruction
    base = base_digest(owner or client, model.cli_name, system, tools.manifest, request.project_id, request.session_id)
    entries = entries_of(request.messages, base, prefills=model.prefills, begun=begun)
    return Plan(
        client=client,
        owner=owner or client,
        model=model,
        system=system,
        tools=tools,
        entries=entries,
        base=base,
        settings=turn_settings(
            request,
            model,
            output=wanted.output if wanted else None,
            prefill=entries[-1].role == "assistant",
            no_calls=bool(declared) and not request.tools,
        ),
        format=wanted,
        own_stops=tuple(stop for stop in request.stop if not stop.strip()),
        max_tokens=request.max_tokens,
        server_tools=(_web_search(request.web_search, tools),) if request.web_search is not None else (),
        whole=True if request.web_search is not None else None,  # a transcript would leave the search out
    )


# The upstream's original search: later versions run code to filter what they find.
_WEB_SEARCH_TYPE = "web_search_20250305"


def _web_search(wanted: WebSearch, tools: ToolSet) -> Mapping[str, Any]:
    if WEB_SEARCH in tools.names:
        raise InvalidRequest(f"cannot search with a tool of yours named {WEB_SEARCH}: rename it", param=wanted.param)
    where = {"user_location": {"type": "approximate", **wanted.location}} if wanted.location else {}
    most = {"max_uses": wanted.most} if wanted.most is not None else {}
    return {"type": _WEB_SEARCH_TYPE, "name": WEB_SEARCH, **wanted.domains, **most, **where}
