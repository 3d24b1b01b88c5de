from __future__ import annotations

import json
from typing import Any

import pytest

from claudegwd.limits.clients import ANONYMOUS
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import parse_chat_request
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.plan import Plan
from claudegwd.workspaces.plan import workspace_plan
from claudegwd.workspaces.transcript import system_prompt, transcript

MODEL = Model("sonnet", "sonnet", "Sonnet", "", (), "budget", thinking_off=True, created=1)


def plan(*roles: str) -> Plan:
    messages = [{"role": role, "content": f"{role} {number}"} for number, role in enumerate(roles)]
    body = json.dumps({"model": "sonnet", "messages": messages}).encode()
    return workspace_plan(parse_chat_request(body, Bounds()), MODEL, ANONYMOUS)


def lines(piece: bytes) -> list[tuple[str, bool]]:
    """Of each line who says it, and whether it asks."""
    found: list[Any] = [json.loads(line) for line in piece.splitlines()]
    return [(line["type"], line["type"] == "user" and line.get("shouldQuery", True)) for line in found]


@pytest.mark.parametrize(
    ("roles", "pieces"),
    [
        (["user"], [[("user", True)]]),
        (
            ["user", "assistant", "user"],
            [[("user", False)], [("assistant", False), ("user", True)]],
        ),
        (["user", "assistant"], [[("user", False)], [("assistant", False), ("user", True)]]),
    ],
)
def test_each_message_of_the_user_is_awaited(roles: list[str], pieces: list[list[tuple[str, bool]]]) -> None:
    assert [lines(piece) for piece in transcript(plan(*roles))] == pieces


def test_every_line_is_a_client_s() -> None:
    for piece in transcript(plan("user", "assistant", "user")):
        for line in map(json.loads, piece.splitlines()):
            assert line["type"] != "user" or line["client_composed"] is True


def test_the_system_prompt() -> None:
    asked = plan("system", "user")
    assert system_prompt(asked, "") == "system 0"
    assert system_prompt(asked, "RULES") == "RULES\n\nsystem 0"
    assert system_prompt(plan("user"), "  ") == ""
