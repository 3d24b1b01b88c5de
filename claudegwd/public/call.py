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
    """What is known of a request when it ends, for its one line in the log. Nothing of its content."""

    request_id: str
    method: str
    route: str
    started: float
    client: str = ""
    status: int = 0  # 0: the client went away before there was one
    code: str | None = None
    model: str | None = None
    key: str | None = None
    how: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    asks: bool = False  # it is to ask a model, and its client is known
    booked: bool = False  # its answer writes the ledger's entry
    part_of: tuple[str, str] | None = None  # the model and route of a client's request that it is made for
    address: str | None = None  # of the client, as far as it can be known

    def write(self) -> None:
        """Log it: work at info, looks at health and the like at debug."""
        fields = {name: value for name in _LOGGED if (value := getattr(self, name)) is not None}
        level = logging.INFO if self.method != "GET" else logging.DEBUG
        log_event(log, level, "request", milliseconds=milliseconds_since(self.started), **fields)


@dataclass(slots=True)
class Call:
    """One request: each handler gets its own. `ending` closes what it holds; `read_at` is when its body was there.

    `admitted` is set for those that count against limits, `grant` for those that come from inside a workspace.
    """

    gateway: Gateway
    record: Record
    ending: ExitStack
    client: Client = ANONYMOUS
    admitted: Admission | None = None
    read_at: float = 0.0
    grant: Grant | None = None
    limited: bool = False  # its answer tells of limits

    @property
    def admission(self) -> Admission:
        """What it may use. Only for a request that was let in to be answered."""
        if self.admitted is None:
            raise RuntimeError("this request was not let in")
        return self.admitted


def begin_call(gateway: Gateway, record: Record) -> Call:
    """The call of the request in whose task we are, from now on."""
    g.call = call = Call(gateway, record, _at_end.get())
    return call


def this_call() -> Call:
    """That of the request in whose task we are."""
    call: Call = g.call
    return call


@contextmanager
def ending() -> Iterator[ExitStack]:
    """What is registered by `at_end` inside is closed at its end."""
    with ExitStack() as stack:
        _at_end.set(stack)
        yield stack


def at_end(close: Callable[[], object]) -> None:
    """Call `close` when this request is over: answered, refused, or its client gone. It must not wait."""
    _at_end.get().callback(close)


def during(holding: AbstractContextManager[object]) -> None:
    """Hold a context until this request is over."""
    _at_end.get().enter_context(holding)


def over(gateway: Gateway, record: Record) -> None:
    """Write down that a request has ended."""
    record.write()
    if record.asks and not record.booked and not record.part_of and not 0 < record.status < FAILED:
        _book_refusal(gateway, record)
    gateway.metrics.responded(record.method, record.route, record.status)


def _book_refusal(gateway: Gateway, record: Record) -> None:
    """It was refused, or its client left, before a model was asked. Only a name that we know is written down."""
    line = Line(
        minute_of(gateway.ledger.clock()), record.client, "", record.model or "", "", record.route, "",
        record.status or CLIENT_GONE,
    )  # fmt: skip
    gateway.ledger.note(line, Sums(requests=1, all_ms=milliseconds_since(record.started)))


def milliseconds_since(start: float) -> int:
    """For `openai-processing-ms`."""
    return int((trio.current_time() - start) * 1000)
