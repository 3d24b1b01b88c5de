"""A model that stands in for another, by the operator's word alone, and told wherever an answer is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from claudegwd.demo.replies import obey, say
from claudegwd.demo.script import (
    Answer,
    Drop,
    Event,
    Fail,
    RecordedRequest,
    ScriptedReply,
    forbidden,
    limited,
    no_such_model,
    overloaded,
)
from tests.e2e.ends import BRIEF
from tests.e2e.harness import GOOD_KEY, Daemon, Running, running

pytestmark = pytest.mark.cli

WANTED, OTHER = "claude-3-5-sonnet-20241022", "claude-3-5-haiku-20241022"
CONFIG = f'[claude]\nfallback = {{ "{WANTED}" = ["{OTHER}"] }}\n'
VERSION = {"anthropic-version": "2023-06-01"}
MESSAGES = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/responses": {"input": "hello"},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 100},
    "/v1/completions": {"prompt": "hello"},
}


def only_the_other(fail: Fail) -> Any:
    def script(request: RecordedRequest) -> Answer:
        return fail if request.model == WANTED else obey(request, "hello")

    return script


@pytest.fixture
async def gateway() -> AsyncIterator[Running]:
    async with running(only_the_other(forbidden()), keys=(GOOD_KEY, "sk-false-second"), config=CONFIG) as started:
        yield started


def model_told(answer: httpx.Response) -> str:
    """In one piece, or in the first event that tells it."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return str(answer.json()["model"])
    return answer.text.partition('"model":"')[2].partition('"')[0]


@pytest.mark.parametrize("stream", [False, True])
async def test_every_face_tells_which_model_answers(gateway: Running, stream: bool) -> None:
    for path, body in BODIES.items():
        answer = await gateway.post({"model": WANTED, "stream": stream, **body}, path, headers=VERSION)
        assert (answer.status_code, answer.headers.get("x-claudegw-fallback")) == (200, OTHER), path
        assert model_told(answer) == OTHER, path
        straight = await gateway.post({"model": OTHER, **body}, path, headers=VERSION)
        assert straight.status_code == 200
        assert "x-claudegw-fallback" not in straight.headers
    asked = [(sent.model, sent.key) for sent in gateway.upstream() if sent.model == WANTED]
    assert {key for _, key in asked} == {GOOD_KEY, "sk-false-second"}  # all keys, before the other model


async def test_a_response_in_the_background_tells_it_as_well(gateway: Running) -> None:
    made = await gateway.client.responses.create(model=WANTED, input="hello", background=True)

    async def completed() -> bool:
        return (await gateway.client.responses.retrieve(made.id)).status == "completed"

    await gateway.until(completed)
    assert (await gateway.client.responses.retrieve(made.id)).model == OTHER
    told = (await gateway.http.get(f"/v1/responses/{made.id}?stream=true")).text
    assert f'"model":"{OTHER}"' in told
    assert WANTED not in told


@pytest.mark.parametrize("fail", [overloaded(), no_such_model()])
async def test_what_it_stands_in_for(gateway: Running, fail: Fail) -> None:
    gateway.endpoint.script = only_the_other(fail)
    answer = await gateway.ask("hello", model=WANTED)
    assert answer.headers["x-claudegw-fallback"] == answer.completion.model == OTHER


OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}


@pytest.mark.parametrize("steps", [(Event("error", OVERLOADED),), (Drop(),)], ids=["an error", "a cut"])
@pytest.mark.parametrize("path", BODIES)
async def test_a_stream_that_breaks_before_its_first_token_goes_to_the_other(
    gateway: Running, path: str, steps: tuple[Any, ...]
) -> None:
    gateway.endpoint.script = lambda request: ScriptedReply(steps) if request.model == WANTED else say("ok")
    answer = await gateway.post({"model": WANTED, "stream": True, **BODIES[path]}, path, headers=VERSION)
    assert (answer.status_code, answer.headers.get("x-claudegw-fallback")) == (200, OTHER), answer.text
    assert model_told(answer) == OTHER
    assert "error" not in answer.text.replace('"error":null', "")


async def test_a_limited_key_is_followed_by_the_next_key_and_by_no_other_model(gateway: Running) -> None:
    gateway.endpoint.script = lambda request: limited() if request.key == GOOD_KEY else obey(request, "hello")
    answer = await gateway.ask("hello", model=WANTED)
    assert answer.completion.model == WANTED
    assert {sent.model for sent in gateway.upstream()} == {WANTED}


async def test_what_it_does_not_stand_in_for(gateway: Running) -> None:
    gateway.endpoint.script = only_the_other(Fail(400, "invalid_request_error", "messages: no"))
    assert (await gateway.refused("hello", model=WANTED)).status_code == 400
    # Something of an answer has come and is paid for: the same model is asked once more, and no other.
    gateway.endpoint.script = lambda request: ScriptedReply((*say("one", "two").steps, BRIEF, Drop()))
    with pytest.raises(openai.APIError):
        await gateway.stream("hello", model=WANTED)
    assert {sent.model for sent in gateway.upstream()} == {WANTED}


async def test_a_client_gets_no_model_that_it_may_not_use(gateway: Running) -> None:
    created = await gateway.control("POST", "/v1/clients", {"name": "one", "models": [WANTED]})
    headers = {"authorization": f"Bearer {created.json()['key']}"}
    answer = await gateway.post({"model": WANTED, "messages": MESSAGES}, headers=headers)
    assert answer.status_code == 404


async def test_the_ledger_has_the_model_that_answered(gateway: Running) -> None:
    await gateway.ask("hello", model=WANTED)

    async def counted() -> bool:
        rows = (await gateway.control("GET", "/v1/usage?by=model")).json()["rows"]
        return [row["model"] for row in rows if row["requests"]] == [OTHER]

    await gateway.until(counted)


async def test_models_that_there_are_not_are_a_bad_configuration(gateway: Running) -> None:
    gateway.daemon.write_config('[claude]\nfallback = { opus = ["sonet"] }')
    refused = await gateway.control("POST", "/v1/reload")
    assert refused.status_code == 422
    assert 'claude.fallback names a model that is not offered, \\"sonet\\": use sonnet' in refused.text
    assert (await gateway.ask("hello", model=WANTED)).completion.model == OTHER  # all is as it was


def test_the_daemon_does_not_start_with_them() -> None:
    daemon = Daemon("http://127.0.0.1:9", env={"CLAUDEGWD_CLAUDE__FALLBACK": '{"opus": ["nowhere"]}'})
    try:
        assert daemon.spawn().wait(30) == 78
        assert "cannot use the environment: CLAUDEGWD_CLAUDE__FALLBACK names a model" in daemon.log()
    finally:
        daemon.remove()
