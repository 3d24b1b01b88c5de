"""Bedrock and Vertex AI as the upstream, by the variables of the daemon's environment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from claudegwd.demo.replies import last_user_text, say
from claudegwd.demo.script import Answer, Pause, ScriptedReply, Text, no_such_model
from tests.e2e.clouds import CLOUDS, CloudEndpoint
from tests.e2e.harness import Daemon, Messages, Running, as_messages, secret, started

pytestmark = [pytest.mark.cli, pytest.mark.parametrize("name", CLOUDS)]

# Sooner than any real model.
THINKS = (Pause(0.1),)
HISTORY: Messages = [
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": "second"},
]
# All that follows comes in one piece.
ENDS: dict[str, tuple[Answer, int, str]] = {
    "a plain end": (ScriptedReply((Text(("done",)),), before=THINKS), 200, "stop"),
    "max_tokens": (ScriptedReply((Text(("cut",)),), stop_reason="max_tokens", before=THINKS), 200, "length"),
    "no content": (ScriptedReply((), before=THINKS), 200, "stop"),
    "white space": (ScriptedReply((Text((" ",)),), before=THINKS), 200, "stop"),
    "no such model": (replace(no_such_model(), before=THINKS), 404, ""),
}


@asynccontextmanager
async def on_cloud(name: str) -> AsyncIterator[Running]:
    """A gateway without keys whose CLI uses this cloud."""
    cloud = CLOUDS[name]
    async with trio.open_nursery() as nursery:
        endpoint = CloudEndpoint(cloud, lambda _: say("done"))
        upstream = await nursery.start(endpoint.serve)
        daemon = Daemon(upstream, keys=(), env={**cloud.env, cloud.address: upstream})
        async with started(daemon, endpoint) as gateway:
            yield gateway
        nursery.cancel_scope.cancel()


async def test_a_conversation_goes_on_in_one_process(name: str) -> None:
    async with on_cloud(name) as gateway:
        messages = as_messages(secret("Hello."))
        first = await gateway.ask(messages)
        messages += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "And then?"}]
        second = await gateway.ask(messages)
        assert (first.text, second.text, second.how) == ("done", "done", "continued")
        asked = gateway.upstream()
        assert last_user_text(asked[0]).endswith(secret("Hello."))  # after what the CLI says of its surroundings
        assert (last_user_text(asked[1]), len(asked[1].messages)) == ("And then?", 3)


async def test_each_question_is_one_request_however_its_answer_ends(name: str) -> None:
    async with on_cloud(name) as gateway:
        await gateway.ask(HISTORY)
        for end, (answer, status, reason) in ENDS.items():
            gateway.endpoint.script = lambda _, answer=answer: answer
            before = gateway.endpoint.count
            response = await gateway.post({"model": "sonnet", "messages": HISTORY})
            assert response.status_code == status, (end, response.text)
            if status == 200:
                assert response.json()["choices"][0]["finish_reason"] == reason, end
            await gateway.until_workers(busy=0, settling=0)
            assert gateway.endpoint.count == before + 1, end
            # None of these costs the process, and what it is asked next reaches the upstream.
            gateway.endpoint.script = lambda _: say("still here")
            after = await gateway.ask(HISTORY)
            assert (after.text, after.how) == ("still here", "rewound"), end
