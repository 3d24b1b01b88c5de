"""Without keys: the credentials of the daemon's own environment, else the CLI's login, which nobody has here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import by_key, echo, say
from claudegwd.demo.script import Answer, RecordedRequest, Script, limited, revoked
from tests.control_cli import ctl
from tests.e2e.harness import Daemon, Running, secret, started

pytestmark = pytest.mark.cli

TOKEN = "sk-false-of-the-environment-1"


@asynccontextmanager
async def without_keys(*variables: str, config: str = "") -> AsyncIterator[Running]:
    """A gateway without keys; `variables` of its environment hold TOKEN, and its endpoint takes no other."""
    async with trio.open_nursery() as nursery:
        endpoint = ScriptedEndpoint(by_key({TOKEN: echo()}))
        upstream = await nursery.start(endpoint.serve)
        env = {"ANTHROPIC_BASE_URL": upstream} | dict.fromkeys(variables, TOKEN)
        daemon = Daemon(upstream, keys=(), config=config, env=env)
        daemon.secrets.add(TOKEN)
        async with started(daemon, endpoint) as gateway:
            yield gateway
        nursery.cancel_scope.cancel()


async def until_ready(gateway: Running) -> None:
    async def is_ready() -> bool:
        return (await gateway.http.get("/readyz")).status_code == 200

    await gateway.until(is_ready)


@pytest.mark.parametrize("variable", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
async def test_the_daemons_environment_is_used_and_named(variable: str) -> None:
    async with without_keys(variable) as gateway:
        assert (await gateway.ask(secret("Hello."))).text == secret("Hello.")
        (request,) = gateway.upstream()
        assert [message["role"] for message in request.messages] == ["user"]
        header = {"ANTHROPIC_AUTH_TOKEN": "authorization", "ANTHROPIC_API_KEY": "x-api-key"}[variable]
        assert TOKEN in request.headers[header]
        status = await ctl(gateway.daemon.socket, "status")
        assert f"none: {variable} from the daemon's environment is used" in status.out
        doctor = await ctl(gateway.daemon.socket, "doctor")
        assert f"no keys; the daemon uses {variable} in its environment" in doctor.out
        assert "PROBLEM login" not in doctor.out


async def test_tools_reach_the_model_under_a_login_too() -> None:
    """Without --bare, that is: what the CLI edits of a tool is not the same there."""
    parameters = {"properties": {"filter[id]": {"type": "string", "title": None}, "q": {"items": [{}]}},
                  "anyOf": [{"required": ["q"]}]}  # fmt: skip
    names = ("read", "ToolSearch", "mcp__ide__x")
    tools = [{"type": "function", "function": {"name": name, "description": "One.\n\nTwo.", "parameters": parameters}}
             for name in names]  # fmt: skip
    async with without_keys("CLAUDE_CODE_OAUTH_TOKEN") as gateway:
        await gateway.ask([{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "(no content)"},
                           {"role": "user", "content": "Go on."}], tools=tools)  # fmt: skip
        (request,) = gateway.upstream()
    assert [message["role"] for message in request.messages] == ["user", "assistant", "user"]
    found = request.body["tools"]
    assert len(found) == len(names)
    for tool in found:
        assert tool["description"] == "One.\n \nTwo."
        schema = Draft202012Validator(tool["input_schema"])
        assert schema.is_valid({"q": [1], "filter[id]": "a"})
        assert not schema.is_valid({"filter[id]": "a"})
        assert not schema.is_valid({"q": [], "filter[id]": 1})


async def test_without_any_login_the_answer_says_what_to_do() -> None:
    async with without_keys() as gateway:
        error = await gateway.refused("Anybody?")
        assert (error.status_code, error.code) == (502, "upstream_credentials_exhausted")
        assert "no key is configured" in error.message
        assert "claudegwctl keys add" in error.message
        assert gateway.endpoint.count == 0
        status = await ctl(gateway.daemon.socket, "status")
        assert "none: the login of the Claude Code CLI is used" in status.out
        assert "claudegwctl keys add" in (await gateway.http.get("/readyz")).text


async def test_a_limit_of_the_login_ends_with_the_login() -> None:
    async with without_keys("CLAUDE_CODE_OAUTH_TOKEN") as gateway:
        gateway.endpoint.script = lambda _: limited(retry_after=3600)
        assert (await gateway.refused("Now?")).status_code == 429
        status = await ctl(gateway.daemon.socket, "status")
        assert "login         failed" in status.out
        assert "log in again" in status.out
        failure = (await gateway.status())["login_failure"]
        assert (failure["kind"], failure["until"] > failure["at"]) == ("rate_limit", True)
        gateway.endpoint.script = echo()
        assert (await gateway.refused("And now?")).status_code == 429
        await gateway.control("POST", "/v1/reload")
        assert "Under the other one." in ((await gateway.ask("Under the other one.")).text or "")
        assert (await gateway.status())["login_failure"] is None


async def test_what_the_users_settings_say_of_paying_is_followed() -> None:
    async with without_keys() as gateway:
        claude = gateway.home / ".claude"
        claude.mkdir(exist_ok=True)
        helper = gateway.home / "helper"
        helper.write_text(f"#!/bin/sh\necho {TOKEN}\n")
        helper.chmod(0o700)
        settings = {"apiKeyHelper": str(helper), "env": {"ANTHROPIC_CUSTOM_HEADERS": "x-team: blue"}}
        (claude / "settings.json").write_text(json.dumps(settings))

        await until_ready(gateway)
        assert "Hello." in ((await gateway.ask("Hello.")).text or "")
        (request,) = gateway.upstream()
        assert (request.headers["x-team"], TOKEN in request.headers["authorization"]) == ("blue", True)
        assert (await gateway.status())["login"] == "apiKeyHelper"
        assert "apiKeyHelper from the CLI's settings is used" in (await ctl(gateway.daemon.socket, "status")).out
        helper.unlink()


async def test_a_login_that_comes_is_noticed() -> None:
    async with without_keys() as gateway:
        assert (await gateway.http.get("/readyz")).status_code == 503
        credentials = gateway.home / ".claude" / ".credentials.json"
        credentials.parent.mkdir(exist_ok=True)
        credentials.write_text("{}")

        await until_ready(gateway)


def renewing(renew: Callable[[], object], *, old: str, new: str) -> Script:
    """The upstream rejects `old`, which is just then replaced by `new`."""

    def rejected(_: RecordedRequest) -> Answer:
        renew()
        return revoked()

    return by_key({old: rejected, new: say("two")})


async def test_a_login_that_was_renewed_meanwhile_is_used_for_the_same_question() -> None:
    """By another program of the user."""

    def credentials(token: str) -> str:
        login = {"accessToken": token, "refreshToken": "sk-false-refresh-1", "expiresAt": 1_800_000_000_000,
                 "scopes": ["user:inference", "user:profile"], "subscriptionType": "max"}  # fmt: skip
        return json.dumps({"claudeAiOauth": login})

    async with without_keys() as gateway:
        file = gateway.home / ".claude" / ".credentials.json"
        file.parent.mkdir(exist_ok=True)
        old, new = "sk-false-login-0001", "sk-false-login-0002"
        gateway.daemon.secrets |= {old, new, "sk-false-refresh-1"}
        file.write_text(credentials(old))
        await until_ready(gateway)
        gateway.endpoint.script = by_key({old: say("one")})
        assert (await gateway.ask("first")).text == "one"  # also if its worker was there before the login
        gateway.endpoint.script = renewing(lambda: file.write_text(credentials(new)), old=old, new=new)
        since = gateway.endpoint.count
        assert (await gateway.ask("second")).text == "two"
        assert [request.key for request in gateway.upstream(since)] == [old, new]
        file.write_text(credentials(old))
        gateway.endpoint.script = by_key({old: say("three")})
        assert (await gateway.ask("third")).text == "three"
        file.unlink()  # it holds a token, as no file may when this ends


async def test_a_helper_is_asked_again_if_its_token_is_rejected() -> None:
    async with without_keys() as gateway:
        claude = gateway.home / ".claude"
        claude.mkdir(exist_ok=True)
        old, new = "sk-false-helper-0001", "sk-false-helper-0002"
        gateway.daemon.secrets |= {old, new}
        token, helper = gateway.home / "token", gateway.home / "helper"
        token.write_text(old)
        helper.write_text(f"#!/bin/sh\ncat {token}\n")
        helper.chmod(0o700)
        (claude / "settings.json").write_text(json.dumps({"apiKeyHelper": str(helper)}))
        await until_ready(gateway)
        gateway.endpoint.script = renewing(lambda: token.write_text(new), old=old, new=new)
        assert (await gateway.ask("first")).text == "two"
        assert [request.key for request in gateway.upstream()] == [old, new]
        token.unlink()
