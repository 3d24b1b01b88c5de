"""Gauges: current values, read from the gateway's own counts at each scrape, so that they cost requests nothing."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from claudegwd.gateway.status import condition
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.news import TOLD
from claudegwd.keys.states import KeyState
from claudegwd.workers.pool.choice import Way

if TYPE_CHECKING:
    from claudegwd.gateway.gateway import Gateway

# Labels that are present, as 0, from the first scrape: a rate over a series that has just appeared is wrong.
_HAD = tuple(way.value for way in Way)
_EXITS = ("ended", "fault", "start")
_KINDS = tuple(kind.value for kind in FailureKind)
_REASONS = ("asked", "changed", "recovered", "authentication", "billing", "rate_limit", "headroom", TOLD)


def families(gateway: "Gateway") -> Iterator[Metric]:
    """The state of workers, queue, keys and processes, as metrics."""
    info = InfoMetricFamily("claudegwd_build", "Versions of the gateway and of the CLI it drives.")
    info.add_metric((), {"version": gateway.life.version, "claude_version": gateway.launcher.cli.version})
    yield info
    yield GaugeMetricFamily(
        "claudegwd_ready", "1 if new requests should be sent here.", value=not condition(gateway).unready
    )
    yield GaugeMetricFamily(
        "claudegwd_requests_active", "Requests under way, of any kind.", value=gateway.counts.active
    )
    yield _counted("claudegwd_errors", "Answers that were errors.", "code", gateway.counts.failed)
    yield from _workers(gateway)
    yield from _keys(gateway)
    yield from _windows(gateway)


def _workers(gateway: "Gateway") -> Iterator[Metric]:
    pool = gateway.pool
    yield _gauge("claudegwd_workers", "CLI processes.", "state", pool.roster.counts())
    memory = sum(worker["rss_bytes"] or 0 for worker in pool.roster.describe())
    yield GaugeMetricFamily(
        "claudegwd_workers_resident_memory_bytes", "Memory of all CLI processes; shared pages count once for each.",
        value=memory,
    )  # fmt: skip
    yield _counted(
        "claudegwd_workers_had", "Workers given to requests, by how they were obtained.", "how", pool.had, _HAD
    )
    yield _counted(
        "claudegwd_cli_exits", "CLI processes that exited; fault: because of an error, start: before they were ready.",
        "kind", pool.roster.exits, _EXITS,
    )  # fmt: skip
    yield GaugeMetricFamily(
        "claudegwd_cli_starts_failed", "Consecutive failed starts of the CLI.", value=pool.roster.starts.failed
    )
    yield CounterMetricFamily(
        "claudegwd_orphans_reaped",
        "CLI processes that left children behind, which were killed.",
        value=pool.roster.orphans,
    )
    yield GaugeMetricFamily("claudegwd_queue_length", "Requests waiting for a worker.", value=pool.queued)


def _keys(gateway: "Gateway") -> Iterator[Metric]:
    states = Counter(row["state"] for row in gateway.ring.snapshot(time.time()))
    yield _gauge("claudegwd_keys", "Upstream keys.", "state", {state.value: states[state.value] for state in KeyState})
    yield _counted(
        "claudegwd_key_rotations",
        "Changes of the active upstream key.",
        "reason",
        gateway.ring.rotation.counts,
        _REASONS,
    )
    yield _counted(
        "claudegwd_attempts_failed", "Attempts that failed with a key, retried or not.", "kind",
        gateway.questions.failures, _KINDS,
    )  # fmt: skip


def _windows(gateway: "Gateway") -> Iterator[Metric]:
    used = GaugeMetricFamily(
        "claudegwd_limit_window_used", "Used share of an upstream limit, from 0 to 1.", labels=("key", "window")
    )
    resets = GaugeMetricFamily(
        "claudegwd_limit_window_reset_timestamp_seconds", "When the limit resets.", labels=("key", "window")
    )
    for row in gateway.ring.windows.rows(time.time()):
        place = (row["key"], row["window"])
        used.add_metric(place, row["used"])
        if row["resets"] is not None:
            resets.add_metric(place, row["resets"])
    yield from (used, resets)


def _gauge(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family


def _counted(name: str, text: str, label: str, values: Mapping[str, int], known: Iterable[str] = ()) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in ({**dict.fromkeys(known, 0), **values}).items():
        family.add_metric((value,), count)
    return family
