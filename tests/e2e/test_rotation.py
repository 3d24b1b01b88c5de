"""Upstream keys: passed over inside the live process, remembered, and spent on nobody twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import trio

from claudegwd.demo.replies import by_key, echo, say
from claudegwd.demo.script import (
    Answer,
    Fail,
    RecordedRequest,
    Script,
    ScriptedReply,
    Text,
    Wait,
    bad_request,
    forbidden,
    limited,
    overloaded,
    revoked,
    spent,
)
from tests.arrivals import arrived
from tests.cli_binary import find_cli
from tests.control_cli import ctl
from tests.e2e.harness import MODEL, as_messages, running, secret

pytestmark = pytest.mark.cli

REVOKED, SPENT, LIMITED, GOOD = KEYS = (
    "sk-false-revoked-key-1", "sk-false-spent-key-2", "sk-false-limited-key-3", "sk-false-good-key-4",
)  # fmt: skip
FAILING: dict[str, Answer | Script] = {REVOKED: revoked(), SPENT: spent(), LIMITED: limited(), GOOD: echo()}


def keys_of(requests: list[RecordedRequest]) -> list[str | None]:
    return [request.key for request in requests]


async def test_the_good_key_answers_as_if_nothing_were_wrong() -> None:
    async with running(by_key(FAILING), keys=KEYS) as gateway:
        conversation: list[dict[str, Any]] = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": secret("second")},
        ]
        answer = await gateway.ask(conversation)
        assert answer.text == secret("second")
        seen = gateway.upstream()
        assert keys_of(seen) == list(KEYS)
        # The identical conversation each time, nothing resent or added by the failures before.
        assert all(request.body["messages"] == seen[0].body["messages"] for request in seen)
        assert sum(row["uses"] for row in await gateway.workers()) == 1  # one CLI process

        states = {name: row["state"] for name, row in (await gateway.keys()).items()}
        assert states == {"k0": "invalid", "k1": "exhausted", "k2": "cooling", "k3": "active"}

        conversation += [{"role": "assistant", "content": answer.text}, {"role": "user", "content": "third"}]
        before = gateway.endpoint.count
        assert (await gateway.ask(conversation)).how == "warm"
        assert (await gateway.ask("another conversation")).text == "another conversation"
        assert keys_of(gateway.upstream(before)) == [GOOD, GOOD]

        before = gateway.endpoint.count
        await gateway.crash_and_restart()
        assert (await gateway.ask("after the crash")).text == "after the crash"
        assert keys_of(gateway.upstream(before)) == [GOOD]
        assert {name: row["state"] for name, row in (await gateway.keys()).items()} == states


async def test_a_stream_is_passed_on_before_its_first_token() -> None:
    async with running(by_key(FAILING), keys=KEYS) as gateway:
        chunks = await gateway.stream("streamed")
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == "streamed"
        assert keys_of(gateway.upstream()) == list(KEYS)


async def test_all_dead_is_502_and_never_the_upstreams_own_401() -> None:
    async with running(by_key({}), keys=KEYS[:2]) as gateway:
        for _ in range(2):
            error = await gateway.refused("Anybody?")
            assert (error.status_code, error.code) == (502, "upstream_credentials_exhausted")
        assert gateway.endpoint.count == 2  # the second request did not try dead keys again
        ready, health = await gateway.http.get("/readyz"), await gateway.http.get("/health")
        assert (ready.status_code, health.status_code, health.json()["status"]) == (503, 503, "degraded")
        status = await gateway.status()
        assert (status["state"], status["problem"]) == ("degraded", ready.text.strip())
        assert gateway.log.count("no usable upstream key is left") == 1
        gateway.endpoint.script = echo()
        tested = (await gateway.control("POST", "/v1/keys/k1/test")).json()
        assert (tested["ok"], (await gateway.http.get("/readyz")).status_code) == (True, 200)


async def test_all_limited_is_degraded_until_one_is_back() -> None:
    async with running(lambda _: limited(retry_after=3000), keys=KEYS[:2]) as gateway:
        assert (await gateway.refused("Anybody?")).status_code == 429
        ready, health = await gateway.http.get("/readyz"), await gateway.http.get("/health")
        assert (ready.status_code, health.status_code, health.json()["status"]) == (503, 503, "degraded")
        status = await gateway.status()
        assert (status["state"], status["problem"]) == ("degraded", ready.text.strip())
        assert "the first that is rate limited is back at 20" in status["problem"]
        assert "claudegwd_ready 0.0" in (await gateway.http.get("/metrics")).text
        doctor = await ctl(gateway.daemon.socket, "doctor")
        assert (doctor.status, "is degraded" in doctor.out) == (1, True)
        gateway.endpoint.script = echo()
        assert (await gateway.control("POST", "/v1/keys/k1/test")).json()["ok"]
        assert (await gateway.http.get("/readyz")).status_code == 200
        assert (await gateway.status())["state"] == "ready"


async def test_while_requests_wait_for_a_key_they_may_be_sent_here() -> None:
    async with running(lambda _: limited(retry_after=15), config="[keys]\nhold_seconds = 20\n") as gateway:

        async def is_degraded() -> bool:
            return (await gateway.status())["state"] == "degraded"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.ask, "I can wait.")
            await gateway.until(is_degraded)
            ready, health = await gateway.http.get("/readyz"), await gateway.http.get("/health")
            assert (ready.status_code, health.status_code, health.json()["status"]) == (200, 200, "degraded")
            nursery.cancel_scope.cancel()


UNREACHABLE = [
    ("https://no.such.host.invalid", "name not resolved (ENOTFOUND)"),
    ("http://127.0.0.1:1", "connection refused (ECONNREFUSED)"),
]


@pytest.mark.parametrize(("base_url", "cause"), UNREACHABLE)
async def test_the_cause_of_a_lost_connection_is_recorded(base_url: str, cause: str) -> None:
    async with running(echo(), keys=[{"token": GOOD, "base_url": base_url}]) as gateway:
        tested = (await gateway.control("POST", "/v1/keys/k0/test")).json()
        assert tested["error"] == f"upstream unavailable: {cause}"
        assert (await gateway.keys())["k0"]["last_error"] == tested["error"]
        assert cause in gateway.log


async def test_what_the_upstream_says_of_a_request_reaches_its_client() -> None:
    answers = {GOOD: bad_request("messages.0: no sk-ant-api03-false-0009 here")}
    async with running(by_key(answers), keys=[GOOD, SPENT]) as gateway:
        error = await gateway.refused("Is it?")
        assert (error.status_code, error.code) == (400, "invalid_value")
        assert "as invalid: messages.0: no [redacted] here" in error.message
        assert (await gateway.keys())["k0"][
            "last_error"
        ] == "request rejected as invalid (400): messages.0: no [redacted] here"
        assert gateway.log.count("messages.0: no [redacted] here") == 1


async def test_what_it_says_of_the_account_is_the_keys_matter() -> None:
    answers: dict[str, Answer | Script] = {
        SPENT: bad_request("Third-party apps now draw from your extra usage, not your plan limits."), GOOD: echo(),
    }  # fmt: skip
    async with running(by_key(answers), keys=[SPENT, GOOD]) as gateway:
        assert (await gateway.ask("Whose fault?")).text == "Whose fault?"
        row = (await gateway.keys())["k0"]
        assert (row["state"], "extra usage" in row["last_error"]) == ("exhausted", True)


async def test_an_overload_says_so() -> None:
    async with running(lambda _: overloaded(), keys=[GOOD]) as gateway:
        assert (await gateway.refused("Now?")).status_code == 503
        assert (await gateway.keys())["k0"]["last_error"] == "upstream unavailable (529): overloaded_error"


async def test_a_path_that_is_not_there_forbids_no_model() -> None:
    async with running(lambda _: Fail(404, "", "", body=b"<html>no page</html>")) as gateway:
        error = await gateway.refused("Anybody?")
        assert error.status_code == 503
        row = (await gateway.keys())["k0"]
        assert (row["forbidden_models"], "check base_url" in row["last_error"]) == ([], True)


async def test_a_test_of_a_key_never_waits_and_marks_it_as_a_request_would() -> None:
    async with running(lambda _: limited(retry_after=4), keys=KEYS[:1]) as gateway:
        for _ in range(2):
            tested = (await gateway.control("POST", "/v1/keys/k0/test")).json()
            assert (tested["ok"], tested["state"]) == (False, "cooling")
            assert "rate limited (429)" in tested["error"]
            assert tested["seconds"] < 3
        assert (await gateway.keys())["k0"]["last_error"] == tested["error"]
        assert gateway.log.count("upstream key tested") == 2


async def test_a_test_says_nothing_of_a_token_that_comes_while_it_runs() -> None:
    release = trio.Event()
    tests: list[Any] = []

    def script(request: RecordedRequest) -> ScriptedReply | Fail:
        return ScriptedReply((Wait(release),)) if request.key == GOOD else revoked()

    async with running(script, keys=[GOOD]) as gateway, trio.open_nursery() as nursery:

        async def run_test() -> None:
            tests.append((await gateway.control("POST", "/v1/keys/k0/test")).json())

        nursery.start_soon(run_test)
        await arrived(gateway.endpoint, 1)
        gateway.daemon.write_keys([{"name": "k0", "token": REVOKED}])
        await gateway.control("POST", "/v1/reload")
        assert (await gateway.refused("Anybody?")).status_code == 502
        release.set()
        await gateway.until_workers(busy=0)
    assert (tests[0]["ok"], tests[0]["state"]) == (False, "invalid")
    assert "replaced" in tests[0]["error"]


async def test_tests_of_all_keys_say_why_each_fails() -> None:
    answers: dict[str, Answer | Script] = {
        "spent": spent(), "good": echo(), "dead": revoked(), "limited": limited(retry_after=4000),
    }  # fmt: skip
    elsewhere = {"unnamed": "https://upstream.invalid", "closed": "http://127.0.0.1:1"}
    script = by_key({f"sk-false-{name}": answer for name, answer in answers.items()})
    keys = [{"name": name, "token": f"sk-false-{name}"} for name in answers]
    async with running(script, keys=keys) as gateway:
        for name, url in elsewhere.items():
            added = {"name": name, "token": "sk-false-1", "base_url": url}
            assert (await gateway.control("POST", "/v1/keys", added)).status_code == 201
        tested = await ctl(gateway.daemon.socket, "keys", "test", "--json")
        assert tested.status == 1
        found = {row["name"]: row for row in tested.json["keys"]}
        assert {name: row["ok"] for name, row in found.items()} == {
            "spent": False, "good": True, "dead": False, "limited": False, **dict.fromkeys(elsewhere, False),
        }  # fmt: skip
        assert "attempt=2" not in gateway.log, "a test answers at once"
        for name, says in (
            ("spent", "out of credit"), ("dead", "rejected as invalid (401)"), ("limited", "rate limited (429)"),
            ("unnamed", "name not resolved"), ("closed", "connection refused"),
        ):  # fmt: skip
            assert says in found[name]["error"]
            assert (await gateway.keys())[name]["last_error"] == found[name]["error"]
            assert found[name]["error"] in gateway.log
        assert found["limited"]["until"] == pytest.approx(time.time() + 4000, abs=60)
        for_people = await ctl(gateway.daemon.socket, "keys", "test", "limited")
        assert "rate limited (429)" in for_people.err
        assert ", until 20" in for_people.err


async def test_all_spent_is_429_insufficient_quota() -> None:
    async with running(lambda _: spent(), keys=KEYS[:2]) as gateway:
        error = await gateway.refused("Anybody?")
        assert (error.status_code, error.code) == (429, "insufficient_quota")


async def test_all_cooling_is_429_with_the_true_wait() -> None:
    config = "[keys]\ncooldown_seconds = 100\nhold_seconds = 5"
    async with running(lambda _: limited(), keys=KEYS[:2], config=config) as gateway:
        first = await gateway.refused("Anybody?")
        assert (first.status_code, first.code) == (429, "rate_limit_exceeded")
        second = await gateway.refused("And now?")
        soonest = min(row["cooling_until"] for row in (await gateway.keys()).values())
        assert abs(float(second.response.headers["retry-after"]) - (soonest - time.time())) < 3
        assert gateway.endpoint.count == 2


async def test_the_wait_that_an_upstream_names_is_the_keys() -> None:
    waits: dict[str, Answer | Script] = {
        KEYS[0]: limited(retry_after=300),
        KEYS[1]: limited(reset_at=time.time() + 200),
    }
    config = "[keys]\ncooldown_seconds = 100\nhold_seconds = 5"
    async with running(by_key(waits), keys=KEYS[:2], config=config) as gateway:
        error = await gateway.refused("Anybody?")
        assert 190 < float(error.response.headers["retry-after"]) <= 201
        latest = max(row["cooling_until"] for row in (await gateway.keys()).values())
        assert 290 < latest - time.time() <= 301
        assert gateway.endpoint.count == 2


async def test_a_request_is_held_for_as_long_as_the_upstream_names() -> None:
    answers: Iterator[Answer] = iter([limited(retry_after=2), say("here again")])
    config = "[keys]\ncooldown_seconds = 100\nhold_seconds = 10"
    async with running(lambda _: next(answers), keys=KEYS[:1], config=config) as gateway:
        begun = time.monotonic()
        assert (await gateway.ask("Wait for it.")).text == "here again"
        assert time.monotonic() - begun > 1.5


def write_cli(path: Path, before: str = "") -> Path:
    """The real one, behind a line of shell."""
    path.write_text(f'#!/bin/sh\n{before}\nexec {find_cli()} "$@"\n')
    path.chmod(0o755)
    return path


NO_LOG = 'case " $* " in *" --debug-to-stderr "*) echo "error: unknown option" >&2; exit 1;; esac'


async def test_a_cli_without_a_log_of_its_client_serves_too(tmp_path: Path) -> None:
    later = write_cli(tmp_path / "claude", NO_LOG)
    answers: Iterator[Answer] = iter([say("well"), limited(retry_after=300)])
    config = "[keys]\ncooldown_seconds = 100\nhold_seconds = 5"
    async with running(lambda _: next(answers), keys=KEYS[:1], config=config, cli=later) as gateway:
        assert (await gateway.ask("How are you?")).text == "well"
        error = await gateway.refused("Are you sure?")
        assert 90 < float(error.response.headers["retry-after"]) <= 100


async def test_also_one_that_comes_while_the_daemon_runs(tmp_path: Path) -> None:
    cli = write_cli(tmp_path / "claude")
    async with running(echo(), keys=KEYS[:1], config="[workers]\nspares = 0", cli=cli) as gateway:
        write_cli(cli, NO_LOG)

        async def answers() -> bool:
            return (await gateway.post({"model": MODEL, "messages": as_messages("Are you new?")})).status_code == 200

        await gateway.until(answers)
        for number in range(3):
            assert (await gateway.ask(f"And now, {number}?")).text == f"And now, {number}?"


async def test_a_request_is_held_for_a_key_that_is_back_soon() -> None:
    answers: Iterator[Answer] = iter([limited(), say("here again")])
    config = "[keys]\ncooldown_seconds = 1\nhold_seconds = 10"
    async with running(lambda _: next(answers), keys=KEYS[:1], config=config) as gateway:
        assert (await gateway.ask("Wait for it.")).text == "here again"


async def test_all_waits_of_a_request_together_are_bounded() -> None:
    # The waits double: 1 s and 2 s are within the bound, each alone; so would be 4 s.
    config = "[keys]\ncooldown_seconds = 1\nhold_seconds = 5"
    async with running(lambda _: limited(), keys=KEYS[:1], config=config) as gateway:
        assert (await gateway.refused("Again and again?")).status_code == 429
        assert gateway.endpoint.count == 3


async def test_a_key_that_died_while_a_request_was_queued_is_not_asked() -> None:
    go_on = trio.Event()
    answers: Iterator[Answer] = iter([ScriptedReply((Wait(go_on), Text(("first",)))), say("second")])
    config = "[workers]\nmax = 1\nspares = 0"
    async with running(lambda _: next(answers), keys=KEYS[:2], config=config) as gateway:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.ask, "It takes the only worker.")
            await arrived(gateway.endpoint, 1)
            nursery.start_soon(gateway.ask, "It waits in the queue.")

            async def queued() -> bool:
                return bool((await gateway.status())["requests"]["queued"] == 1)

            await gateway.until(queued)
            assert (await gateway.control("PATCH", "/v1/keys/k0", {"status": "disabled"})).status_code == 200
            go_on.set()
        assert keys_of(gateway.upstream()) == [KEYS[0], KEYS[1]]


async def test_an_overload_counts_against_no_key() -> None:
    answers: Iterator[Answer] = iter([overloaded(), overloaded(), say("at last")])
    async with running(lambda _: next(answers), keys=KEYS[:2]) as gateway:
        assert (await gateway.ask("Busy?")).text == "at last"
        assert set(keys_of(gateway.upstream())) == {KEYS[0]}
        assert [row["state"] for row in (await gateway.keys()).values()] == ["active", "ready"]


async def test_a_forbidden_model_is_that_keys_matter_only() -> None:
    opus = "claude-opus-4-20250514"

    def script(request: RecordedRequest) -> Answer:
        return forbidden() if request.key == KEYS[0] and "opus" in request.model else say(str(request.key)[-1])

    async with running(script, keys=KEYS[:2]) as gateway:
        assert (await gateway.ask("Opus?", model=opus)).text == "2"
        assert (await gateway.ask("Sonnet?")).text == "1"
        assert (await gateway.ask("Opus again?", model=opus)).text == "2"
        assert keys_of(gateway.upstream()) == [KEYS[0], KEYS[1], KEYS[0], KEYS[1]]


async def test_nothing_is_passed_on_after_the_first_token() -> None:
    gone = trio.Event()
    steps = (Text(("begun",)), Wait(gone))
    async with running(lambda _: ScriptedReply(steps), keys=KEYS[:2]) as gateway:
        wanted: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Break."}], "stream": True}
        stream = await gateway.client.chat.completions.create(**wanted)
        while not (await anext(stream)).choices[0].delta.content:
            pass
        [worker] = await gateway.workers("busy")
        await gateway.kill(worker["pid"])
        with pytest.raises(openai.APIError):
            [chunk async for chunk in stream]
        assert gateway.endpoint.count == 1


async def test_a_conversation_keeps_its_key_while_the_key_lives() -> None:
    async with running(echo(), keys=KEYS[:2]) as gateway:
        conversation: list[dict[str, Any]] = [{"role": "user", "content": "one"}]
        first = await gateway.ask(conversation)
        assert (await gateway.control("POST", "/v1/rotate", {"to": "k1"})).status_code == 200
        conversation += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "two"}]
        assert (await gateway.ask(conversation)).how == "warm"
        await gateway.ask("a new one")
        assert keys_of(gateway.upstream()) == [KEYS[0], KEYS[0], KEYS[1]]


async def test_key_and_kind_and_host_go_together() -> None:
    """Nothing of the last key leaks into the next: each has its own kind of header."""
    answers: dict[str, Answer | Script] = {"sk-false-bearer": revoked(), "sk-false-x-api-key": echo()}
    keys = [{"token": "sk-false-bearer"}, {"token": "sk-false-x-api-key", "kind": "api_key"}]
    async with running(by_key(answers), keys=keys) as gateway:
        assert (await gateway.ask("Which header?")).text == "Which header?"
        bearer, plain = gateway.upstream()
        assert bearer.headers["authorization"] == "Bearer sk-false-bearer"
        assert "x-api-key" not in bearer.headers
        assert plain.headers["x-api-key"] == "sk-false-x-api-key"
        assert "authorization" not in plain.headers


# Each starts a CLI, on four places: on a busy machine the last one waits longer than the default of 30 s.
REQUESTS = 14
PATIENT = "[workers]\nmax = 4\nspares = 2\n[limits]\nqueue_seconds = 180"


async def test_keys_dying_under_many_requests_lose_none() -> None:
    dying = {KEYS[0]: (3, revoked()), KEYS[1]: (6, spent()), KEYS[2]: (9, limited())}
    count = 0

    def script(request: RecordedRequest) -> Answer:
        nonlocal count
        count += 1
        after, failure = dying.get(request.key or "", (1000, revoked()))
        return failure if count > after else echo()(request)

    async with running(script, keys=KEYS, config=PATIENT) as gateway:
        answered = []

        async def one(number: int) -> None:
            answered.append((await gateway.ask(f"number {number}")).text)

        async with trio.open_nursery() as nursery:
            for number in range(REQUESTS):
                nursery.start_soon(one, number)
        assert sorted(answered, key=lambda text: int(str(text)[7:])) == [f"number {n}" for n in range(REQUESTS)]
        states = [row["state"] for row in (await gateway.keys()).values()]
        assert states == ["invalid", "exhausted", "cooling", "active"]
