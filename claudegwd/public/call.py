"""What is known about an incoming request, and what to close when it ends, however it ends."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import trio
from quart import g

from claudegwd.gateway.gateway import Gateway
from claudegwd.ledger.entry import CLIENT_GONE, FAILED, Line, Sums, minute_of
from claudegwd.limits.clients import ANONYMOUS, Client
from claudegwd.limits.meter import Admission
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.workspaces.grants import Grant

_LOGGED = (
    "request_id", "method", "route", "status", "code", "client", "model", "key", "how", "prompt_tokens",
    "completion_tokens", "address",
)  # fmt: skip
_at_end: ContextVar[ExitStack] = ContextVar("at_end")


@dataclass(slots=True)
class Record:
    """What is known about a request when it ends, for its line in the log. No content."""

    request_id: str
    method: str
    route: str
    started: float
    client: str = ""
    status: int = 0  # 0: the client left before there was one
    code: str | None = None
    model: str | None = None
    key: str | None = None
    how: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    asks: bool = False  # it asks a model, and its client is known
    booked: bool = False  # its answer writes the ledger entry
    part_of: tuple[str, str] | None = None  # model and route of the client's request that it serves
    address: str | None = None  # of the client, if known

    def write(self) -> None:
        """Log it: work at info, health checks and the like at debug."""
        fields = {name: value for name in _LOGGED if (value := getattr(self, name)) is not None}
        level = logging.INFO if self.method != "GET" else logging.DEBUG
        log_event(log, level, "request", milliseconds=milliseconds_since(self.started), **fields)


@dataclass(slots=True)
class Call:
    """One request: each handler gets its own. `ending` closes what it holds; `read_at`: when its body was complete.

    `admitted` is set for requests that count against limits, `grant` for those from inside a workspace.
    """

    gateway: Gateway
    record: Record
    ending: ExitStack
    client: Client = ANONYMOUS
    admitted: Admission | None = None
    read_at: float = 0.0
    grant: Grant | None = None
    limited: bool = False  # its answer reports limits

    @property
    def admission(self) -> Admission:
        """What it may use. Only for an admitted request."""
        if self.admitted is None:
            raise RuntimeError("this request was not let in")
        return self.admitted


def begin_call(gateway: Gateway, record: Record) -> Call:
    """Create the call for the current task's request."""
    g.call = call = Call(gateway, record, _at_end.get())
    return call


def this_call() -> Call:
    """The call of the current task's request."""
    call: Call = g.call
    return call


@contextmanager
def ending() -> Iterator[ExitStack]:
    """At the end, close what was registered inside with `at_end`."""
    with ExitStack() as stack:
        _at_end.set(stack)
        yield stack


def at_end(close: Callable[[], object]) -> None:
    """Call `close` when this request is over: answered, refused, or abandoned by its client. It must not wait."""
    _at_end.get().callback(close)


def during(holding: AbstractContextManager[object]) -> None:
    """Hold a context until this request is over."""
    _at_end.get().enter_context(holding)


def over(gateway: Gateway, record: Record) -> None:
    """Record that a request has ended."""
    record.write()
    if record.asks and not record.booked and not record.part_of and not 0 < record.status < FAILED:
        _book_refusal(gateway, record)
    gateway.metrics.responded(record.method, record.route, record.status)


def _book_refusal(gateway: Gateway, record: Record) -> None:
    """It was refused, or its client left, before a model was asked. Only a name that we know is recorded."""
    line = Line(
        minute_of(gateway.ledger.clock()), record.client, "", record.model or "", "", record.route, "",
        record.status or CLIENT_GONE,
    )  # fmt: skip
    gateway.ledger.note(line, Sums(requests=1, all_ms=milliseconds_since(record.started)))


def milliseconds_since(start: float) -> int:
    """For `openai-processing-ms`."""
    return int((trio.current_time() - start) * 1000)
