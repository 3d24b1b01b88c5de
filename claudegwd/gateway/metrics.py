"""Prometheus counters for events. Current values (workers, keys, queue) are read at each scrape: see gauges.py.

Names are OpenTelemetry's for generative AI where they exist, in Prometheus's spelling. The values of every label are
bounded: models are those offered, routes those of the route table; nothing from a client becomes a label.

An answered request costs some 30 us here, a stream event nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import trio
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from claudegwd.openai_api.usage import Usage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# OpenTelemetry's own buckets end at 82 s; a long answer takes minutes, and limits.request_seconds is ten minutes.
_DURATION = tuple(0.01 * 2**power for power in range(17))  # to 655 s
_FIRST_TOKEN = (
    0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
_PER_TOKEN = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)
_WAIT = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0)
_OVERHEAD = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.512)
_LAG = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)

# How often the lag of the event loop is measured: rarely enough to cost nothing, and a stall of half a second shows.
LAG_SECONDS = 0.5

_ASKED = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_PROVIDER = "anthropic"
_METHODS = frozenset({"GET", "POST", "DELETE", "OPTIONS", "HEAD"})
_OTHER_METHOD = "other"


@dataclass(frozen=True, slots=True)
class Asked:
    """One finished request that asked a model. Times are in seconds; None: it did not get that far."""

    operation: str  # "chat", "text_completion"
    model: str  # one of those offered
    error: str  # the error's code, "" for an answer
    duration: float
    first_token: float | None  # came from the CLI so long after the request began, streamed or not
    usage: Usage | None
    own: float | None  # from the body read to the question written, without the wait for a worker
    handed_on: float | None  # from the CLI's first token to its first write to the client


def known_method(method: str) -> str:
    """A request's method as it is counted and logged: any other than ours is whatever its client has made up."""
    return method if method in _METHODS else _OTHER_METHOD


class Metrics:
    """The daemon's own registry. All methods except `watch_loop` are quick."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a useless timestamp per series
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, GCCollector, PlatformCollector):
            collector(registry=self.registry)
        self._duration = self._histogram(
            "gen_ai_server_request_duration_seconds",
            "From the request head to the end of the answer.",
            _DURATION,
            (*_ASKED, "error_type"),
        )
        self._first_token = self._histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "From the request head to the first token from the CLI, whether the answer is streamed or not.",
            _FIRST_TOKEN,
            _ASKED,
        )
        self._per_token = self._histogram(
            "gen_ai_server_time_per_output_token_seconds",
            "Average time between two tokens of an answer.",
            _PER_TOKEN,
            _ASKED,
        )
        self._tokens = self._histogram(
            "gen_ai_client_token_usage",
            "Tokens of a request; input includes cache reads and writes.",
            _TOKENS,
            (*_ASKED, "gen_ai_token_type"),
        )
        self._overhead = self._histogram(
            "claudegwd_overhead_seconds",
            "The gateway's own share. question: from the complete request to the question written to the CLI, "
            "without waiting for a worker; answer: from the CLI's first token to the first write to the client.",
            _OVERHEAD,
            ("part",),
        )
        self._question, self._answer = self._overhead.labels("question"), self._overhead.labels("answer")
        self._wait = self._histogram("claudegwd_queue_wait_seconds", "Time in the queue, waiting for a worker.", _WAIT)
        self._lag = self._histogram("claudegwd_event_loop_lag_seconds", "How late the event loop wakes a task.", _LAG)
        self._responses: Counter[tuple[str, str, int]] = Counter()
        self.registry.register(_Responses(self._responses))

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def responded(self, method: str, route: str, status: int) -> None:
        """A request of any kind is over. `route`: as in the route table; status 0: its client had left."""
        self._responses[known_method(method), route, status] += 1

    def asked(self, asked: Asked) -> None:
        """A request that asked a model is over, however it ended."""
        labels = (asked.operation, _PROVIDER, asked.model)
        self._duration.labels(*labels, asked.error).observe(asked.duration)
        if asked.own is not None:
            self._question.observe(asked.own)
        if asked.handed_on is not None:
            self._answer.observe(asked.handed_on)
        if asked.first_token is not None:
            self._first_token.labels(*labels).observe(asked.first_token)
        if asked.usage is None:
            return
        self._tokens.labels(*labels, "input").observe(asked.usage.prompt_tokens)
        self._tokens.labels(*labels, "output").observe(asked.usage.completion_tokens)
        if asked.first_token is not None and asked.usage.completion_tokens > 1:
            after_first = asked.duration - asked.first_token
            self._per_token.labels(*labels).observe(after_first / (asked.usage.completion_tokens - 1))

    def waited(self, seconds: float) -> None:
        """A request has left the queue, with or without a worker."""
        self._wait.observe(seconds)

    async def watch_loop(self) -> None:
        """Measure how late the event loop is, forever. Run it as a task."""
        while True:
            due = trio.current_time() + LAG_SECONDS
            await trio.sleep_until(due)
            self._lag.observe(trio.current_time() - due)

    def families(self) -> Iterable[Metric]:
        """Everything counted, for `written`."""
        return self.registry.collect()


def written(family: Metric) -> bytes:
    """One family in Prometheus's text format."""
    return generate_latest(_Only(family))


class _Responses(Collector):
    """A plain counter, to keep requests cheap; it becomes a metric at each scrape."""

    def __init__(self, counted: Counter[tuple[str, str, int]]) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "claudegwd_http_requests", "Requests, by route and status (0: the client disconnected).",
            labels=("method", "route", "status"),
        )  # fmt: skip
        for (method, route, status), count in sorted(self._counted.items()):
            family.add_metric((method, route, str(status)), count)
        yield family


class _Only(Collector):
    """One family, already collected."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family
