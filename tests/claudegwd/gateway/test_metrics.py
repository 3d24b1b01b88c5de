"""What is counted, as Prometheus reads it."""

from collections.abc import Iterator

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from claudegwd.gateway.metrics import Asked, Metrics, written
from claudegwd.openai_api.usage import Usage

ANSWERED = Asked(
    operation="chat", model="sonnet", error="", duration=3.0, first_token=1.0, usage=Usage(10, 5), own=0.003,
    handed_on=0.0002,
)  # fmt: skip


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Name and label values of each sample, as Prometheus' own parser reads the text."""
    text = b"".join(written(family) for family in metrics.families()).decode()
    return {
        (sample.name, *(f"{label}={value}" for label, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


LABELS = ("gen_ai_operation_name=chat", "gen_ai_provider_name=anthropic", "gen_ai_request_model=sonnet")


def test_an_answer_is_counted_under_the_names_of_opentelemetry() -> None:
    metrics = Metrics()
    metrics.asked(ANSWERED)
    found = samples(metrics)
    assert found["gen_ai_server_request_duration_seconds_sum", "error_type=", *LABELS] == 3.0
    assert found["gen_ai_server_time_to_first_token_seconds_sum", *LABELS] == 1.0
    assert found["gen_ai_server_time_per_output_token_seconds_sum", *LABELS] == 0.5
    assert found["gen_ai_client_token_usage_sum", *LABELS, "gen_ai_token_type=input"] == 10
    assert found["gen_ai_client_token_usage_sum", *LABELS, "gen_ai_token_type=output"] == 5
    assert found["claudegwd_overhead_seconds_sum", "part=question"] == 0.003
    assert found["claudegwd_overhead_seconds_sum", "part=answer"] == 0.0002


def test_what_failed_counts_its_time_and_its_error_only() -> None:
    metrics = Metrics()
    metrics.asked(Asked("chat", "sonnet", "overloaded", 30.0, None, None, None, None))
    found = samples(metrics)
    assert found["gen_ai_server_request_duration_seconds_count", "error_type=overloaded", *LABELS] == 1
    assert not any(name[0].startswith("gen_ai_client_token_usage") for name in found)
    assert found["claudegwd_overhead_seconds_count", "part=question"] == 0


def bounds(metrics: Metrics, name: str) -> Iterator[float]:
    for sample in samples(metrics):
        if sample[0] == f"{name}_bucket":
            yield next(float(label[3:]) for label in sample if label.startswith("le="))


@pytest.mark.parametrize(
    "name", ["gen_ai_server_request_duration_seconds", "gen_ai_server_time_to_first_token_seconds"]
)
def test_buckets_reach_ten_minutes(name: str) -> None:
    metrics = Metrics()
    metrics.asked(ANSWERED)
    finite = [bound for bound in bounds(metrics, name) if bound != float("inf")]
    assert max(finite) >= 600


def test_requests_are_counted_by_route_and_status_and_no_method_is_made_up() -> None:
    metrics = Metrics()
    for method, status in (("GET", 200), ("GET", 200), ("BREW", 405), ("POST", 0)):
        metrics.responded(method, "/v1/models", status)
    found = {name: value for name, value in samples(metrics).items() if name[0] == "claudegwd_http_requests_total"}
    assert found == {
        ("claudegwd_http_requests_total", "method=GET", "route=/v1/models", "status=200"): 2,
        ("claudegwd_http_requests_total", "method=other", "route=/v1/models", "status=405"): 1,
        ("claudegwd_http_requests_total", "method=POST", "route=/v1/models", "status=0"): 1,
    }


def test_two_daemons_in_one_process_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.waited(1.0)
    assert samples(first)["claudegwd_queue_wait_seconds_count",] == 1
    assert samples(second)["claudegwd_queue_wait_seconds_count",] == 0


async def test_the_loop_is_looked_at_twice_a_second(autojump_clock: MockClock) -> None:
    metrics = Metrics()
    with trio.move_on_after(10.25):
        await metrics.watch_loop()
    found = samples(metrics)
    assert found["claudegwd_event_loop_lag_seconds_count",] == 20
    assert found["claudegwd_event_loop_lag_seconds_sum",] == pytest.approx(0, abs=1e-6)


def test_the_process_is_described() -> None:
    found = samples(Metrics())
    assert found["process_resident_memory_bytes",] > 0
    assert found["process_open_fds",] > 0
