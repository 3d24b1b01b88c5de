"""What the older gateway's clients send, to ours."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import trio

from claudegwd.demo.replies import say
from claudegwd.demo.script import ScriptedReply, ScriptedUsage, Text, Wait
from tests.e2e.harness import MODEL, Running, running

pytestmark = pytest.mark.cli

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello."}]
# Two clients, so that what is one's can be looked for by the other.
KEYS = ("sk-false-client-key-0001", "sk-false-client-key-0002")
SHARED = {"config": "[auth]\nrequired = true\n", "env": {"API_KEYS": ",".join(KEYS)}}


class Client:
    """One client's raw requests."""

    def __init__(self, gateway: Running, key: str) -> None:
        self.http = gateway.http
        self.headers = {"authorization": f"Bearer {key}"}

    async def send(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = await self.http.request(method, path, json=body, headers=self.headers)
        assert response.status_code == status, response.text
        return response.json()

    async def chat(self, **fields: Any) -> httpx.Response:
        body = {"model": MODEL, "messages": HELLO, **fields}
        return await self.http.post(CHAT, json=body, headers=self.headers)


@pytest.fixture
def client(gateway: Running) -> Client:
    gateway.endpoint.script = lambda _: say("ok", usage=ScriptedUsage(1000, 500))
    return Client(gateway, KEYS[0])


@pytest.fixture
def stranger(gateway: Running) -> Client:
    return Client(gateway, KEYS[1])


def code(body: Any) -> str:
    return str(body["error"]["code"])


# -- projects ---------------------------------------------------------------------------------------------------------


async def test_a_projects_life(client: Client, stranger: Client) -> None:
    made = await client.send("POST", "/v1/projects", {"name": "site", "description": "ours", "path": "../../../etc"})
    assert UUID(made["id"])
    assert (made["name"], made["description"], made["path"]) == ("site", "ours", "../../../etc")
    assert made["is_active"]
    assert datetime.fromisoformat(made["created_at"]) == datetime.fromisoformat(made["updated_at"])
    path = f"/v1/projects/{made['id']}"
    assert await client.send("GET", path) == made
    assert made in (await client.send("GET", "/v1/projects"))["data"]
    assert code(await stranger.send("GET", path, status=404)) == "project_not_found"
    assert code(await stranger.send("DELETE", path, status=404)) == "project_not_found"
    assert (await stranger.send("GET", "/v1/projects"))["data"] == []
    assert await client.send("DELETE", path) == {"project_id": made["id"], "status": "deleted"}
    assert code(await client.send("GET", path, status=404)) == "project_not_found"


async def test_pages(client: Client) -> None:
    for number in range(3):
        await client.send("POST", "/v1/projects", {"name": f"page {number}"})
    listed = await client.send("GET", "/v1/projects?page=2&per_page=2")
    assert [project["name"] for project in listed["data"]] == ["page 0"]
    assert listed["pagination"] == {
        "page": 2, "per_page": 2, "total_items": 3, "total_pages": 2, "has_next": False, "has_prev": True,
    }  # fmt: skip
    for query in ("page=0", "per_page=1000", "page=x"):
        refused = await client.send("GET", f"/v1/projects?{query}", status=400)
        assert refused["error"]["param"] == query.partition("=")[0]
    for project in (await client.send("GET", "/v1/projects"))["data"]:
        await client.send("DELETE", f"/v1/projects/{project['id']}")


async def test_a_project_without_a_name_is_refused(client: Client) -> None:
    refused = await client.send("POST", "/v1/projects", {"description": "x"}, status=400)
    assert refused["error"]["param"] == "name"


# -- sessions ---------------------------------------------------------------------------------------------------------


async def test_a_sessions_life(client: Client, stranger: Client) -> None:
    wanted = {"project_id": "p1", "title": "Mine", "model": MODEL, "system_prompt": "Be brief."}
    made = await client.send("POST", "/v1/sessions", wanted)
    assert {name: made[name] for name in wanted} == wanted
    assert (made["total_tokens"], made["total_cost"], made["message_count"], made["is_active"]) == (0, 0.0, 0, True)
    path = f"/v1/sessions/{made['id']}"
    assert await client.send("GET", path) == made
    assert made in (await client.send("GET", "/v1/sessions?project_id=p1"))["data"]
    assert (await client.send("GET", "/v1/sessions?project_id=p2"))["data"] == []
    for method, where in (("GET", path), ("DELETE", path), ("GET", f"{CHAT}/{made['id']}/status"),
                          ("DELETE", f"{CHAT}/{made['id']}")):  # fmt: skip
        assert code(await stranger.send(method, where, status=404)) == "session_not_found"
    assert await client.send("DELETE", path) == {"session_id": made["id"], "status": "deleted"}
    assert code(await client.send("GET", path, status=404)) == "session_not_found"


async def test_a_session_for_no_model_of_ours_is_refused(client: Client) -> None:
    assert code(await client.send("POST", "/v1/sessions", {"model": "gpt-4"}, status=404)) == "model_not_found"
    made = await client.send("POST", "/v1/sessions", {})
    assert made["model"] == "sonnet"


async def test_a_chat_is_asked_with_its_sessions_prompt_and_counted_to_it(gateway: Running, client: Client) -> None:
    made = await client.send("POST", "/v1/sessions", {"project_id": "p1", "system_prompt": "Speak Latin."})
    answer = await client.chat(session_id=made["id"])
    assert answer.status_code == 200
    assert (answer.json()["session_id"], answer.json()["project_id"]) == (made["id"], "p1")
    assert (answer.headers["x-session-id"], answer.headers["x-project-id"]) == (made["id"], "p1")
    assert "Speak Latin." in json.dumps(gateway.upstream()[-1].body["system"])
    await client.chat(session_id=made["id"], messages=[{"role": "system", "content": "Speak Greek."}, *HELLO])
    assert "Speak Latin." not in json.dumps(gateway.upstream()[-1].body["system"])

    async def cost_is_known() -> bool:
        return bool((await client.send("GET", f"/v1/sessions/{made['id']}"))["total_cost"] >= 0.02)

    await gateway.until(cost_is_known)
    status = await client.send("GET", f"{CHAT}/{made['id']}/status")
    assert status["session_id"] == made["id"]
    assert (status["project_id"], status["model"], status["is_running"]) == ("p1", MODEL, False)
    assert (status["total_tokens"], status["message_count"]) == (3000, 4)
    # Two answers of 1000 and 500 tokens, at the CLI's own prices of 3 and 15 dollars a million.
    assert status["total_cost"] == pytest.approx(0.021)
    stats = await client.send("GET", "/v1/sessions/stats")
    assert stats["session_stats"]["total_tokens"] >= 3000
    assert MODEL in stats["session_stats"]["models_in_use"]
    assert (stats["active_claude_sessions"], stats["claude_sessions"]) == (0, [])


async def test_the_next_turn_of_a_session_goes_on_in_its_worker(client: Client) -> None:
    first = await client.chat(project_id="p1")
    session = first.json()["session_id"]
    assert UUID(session)
    assert first.headers["x-session-id"] == session
    said = {"role": "assistant", "content": "ok"}
    again = await client.chat(session_id=session, messages=[*HELLO, said, {"role": "user", "content": "More."}])
    assert again.headers["x-claudegw-worker"] == "warm"
    assert again.json()["project_id"] == "p1"
    kept = await client.send("GET", f"/v1/sessions/{session}")
    assert kept["title"].startswith("Chat of 20")
    assert kept["system_prompt"] is None


async def test_an_unknown_session_begins_and_two_clients_may_choose_the_same_id(
    client: Client, stranger: Client
) -> None:
    for each, chats in ((client, 1), (stranger, 2)):
        for _ in range(chats):
            answer = await each.chat(session_id="my own/../id")
            assert answer.json()["session_id"] == "my own/../id"
    listed = (await client.send("GET", "/v1/sessions"))["data"]
    [mine] = [session for session in listed if session["id"] == "my own/../id"]
    [theirs] = (await stranger.send("GET", "/v1/sessions"))["data"]
    assert (mine["message_count"], theirs["message_count"]) == (2, 4)


async def test_a_plain_chat_stays_openais(client: Client) -> None:
    for fields in ({}, {"session_id": "", "project_id": None}):
        answer = await client.chat(**fields)
        assert not answer.json().keys() & {"session_id", "project_id"}
        assert not answer.headers.keys() & {"x-session-id", "x-project-id"}


@pytest.mark.parametrize("name", ["session_id", "project_id"])
async def test_an_id_that_cannot_be_kept_is_refused(client: Client, name: str) -> None:
    for value in ("a\nb", "a" * 257):
        refused = await client.chat(**{name: value})
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == name


async def test_sessions_outlive_a_crash() -> None:
    async with running(lambda _: say("ok")) as gateway:
        await gateway.ask("one", extra_body={"session_id": "s1"})
        before = (await gateway.http.get("/v1/sessions/s1")).json()
        await gateway.crash_and_restart()
        assert (await gateway.http.get("/v1/sessions/s1")).json() == before


# -- stopping ---------------------------------------------------------------------------------------------------------


async def stopped(gateway: Running, client: Client, stranger: Client, how: str, session: str) -> None:
    """Stop the session that is being answered, as its own client and nobody else can."""

    async def is_asked() -> bool:
        return bool(gateway.upstream())

    await gateway.until(is_asked)
    assert (await client.send("GET", f"{CHAT}/{session}/status"))["is_running"]
    assert (await client.send("GET", "/v1/sessions/stats"))["claude_sessions"] == [session]
    assert (await stranger.send("GET", "/v1/sessions/stats"))["claude_sessions"] == []
    await stranger.send("DELETE", f"{how}/{session}", status=404)
    status = "stopped" if how == CHAT else "deleted"
    assert await client.send("DELETE", f"{how}/{session}") == {"session_id": session, "status": status}


@pytest.mark.parametrize("how", [CHAT, "/v1/sessions"])
async def test_delete_stops_a_stream(gateway: Running, client: Client, stranger: Client, how: str) -> None:
    never = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("begin",)), Wait(never)))
    session = f"stream-{how.count('/')}"
    lines: list[str] = []
    body = {"model": MODEL, "messages": HELLO, "session_id": session, "stream": True}
    async with gateway.http.stream("POST", CHAT, json=body, headers=client.headers) as response:
        assert response.status_code == 200
        async for line in response.aiter_lines():
            lines.append(line)
            if "begin" in line:
                await stopped(gateway, client, stranger, how, session)
    *_, error, done = [line for line in lines if line.startswith("data: ")]
    assert done == "data: [DONE]"
    assert code(json.loads(error[6:])) == "session_stopped"
    assert not any('"finish_reason":"stop"' in line for line in lines)
    await gateway.until_workers(busy=0)


@pytest.mark.parametrize("how", [CHAT, "/v1/sessions"])
@pytest.mark.parametrize("stream", [False, True])
async def test_delete_stops_an_answer_before_its_first_token(
    gateway: Running, client: Client, stranger: Client, how: str, stream: bool
) -> None:
    never = trio.Event()
    gateway.endpoint.script = lambda _: ScriptedReply((Wait(never),))
    session = f"whole-{how.count('/')}-{stream}"
    answers: list[httpx.Response] = []

    async def ask() -> None:
        answers.append(await client.chat(session_id=session, stream=stream))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await stopped(gateway, client, stranger, how, session)
    [answer] = answers
    assert answer.status_code == 400
    assert code(answer.json()) == "session_stopped"
    await gateway.until_workers(busy=0)


async def test_stopping_what_is_not_there_is_404(client: Client) -> None:
    assert code(await client.send("DELETE", f"{CHAT}/nowhere", status=404)) == "session_not_found"
    assert code(await client.send("GET", f"{CHAT}/nowhere/status", status=404)) == "session_not_found"


# -- the rest ---------------------------------------------------------------------------------------------------------


async def test_debug_says_what_is_wrong_and_asks_nobody(gateway: Running, client: Client) -> None:
    sound = {"model": MODEL, "messages": HELLO, "stream": True}
    assert await client.send("POST", f"{CHAT}/debug", sound) == {
        "status": "success",
        "parsed_data": {"model": MODEL, "messages_count": 1, "stream": True},
    }
    for body, param in (
        ({**sound, "temperature": 9}, "temperature"),
        ({**sound, "model": "gpt-4"}, "model"),
        ({"model": MODEL}, "messages"),
        ({**sound, "session_id": "a" * 257}, "session_id"),
        ({**sound, "n": 8}, "n"),
        ([], None),
    ):
        answer = await client.send("POST", f"{CHAT}/debug", body)
        assert answer["status"] == "validation_error"
        [fault] = answer["errors"]
        assert fault["param"] == param
        assert fault["message"].startswith("cannot ")
    assert gateway.upstream() == []


async def test_control_has_moved_and_the_answer_says_where(client: Client) -> None:
    for method, path, command in (
        ("GET", "/v1/keys/status", "claudegwctl keys list"),
        ("POST", "/v1/keys/rotate", "claudegwctl rotate"),
    ):
        body = await client.send(method, path, {} if method == "POST" else None, status=404)
        assert command in body["error"]["message"]
        assert code(body) == "not_found"


async def test_all_of_it_needs_the_key(gateway: Running) -> None:
    for method, path in (
        ("GET", "/v1/projects"),
        ("POST", "/v1/projects"),
        ("GET", "/v1/projects/x"),
        ("DELETE", "/v1/projects/x"),
        ("GET", "/v1/sessions"),
        ("POST", "/v1/sessions"),
        ("GET", "/v1/sessions/stats"),
        ("GET", "/v1/sessions/x"),
        ("DELETE", "/v1/sessions/x"),
        ("POST", f"{CHAT}/debug"),
        ("GET", f"{CHAT}/x/status"),
        ("DELETE", f"{CHAT}/x"),
    ):
        response = await gateway.http.request(method, path, json={} if method == "POST" else None)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key"), path
