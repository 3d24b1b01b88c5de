"""Tools over the real CLI: many of them in a new conversation, and a call that is answered in mid-turn."""

from __future__ import annotations

from typing import Any

import trio

from claudegwd.openai_api.tools import Tool
from claudegwd.translate.request.tools import tool_set
from tests.bench.direct import direct_cli
from tests.bench.field import MODEL, Field, question, wait_until_idle

MANY = 100
BYTES_OF_EACH = 10_000


async def many_tools(field: Field) -> None:
    """What 100 tools of 10 kB add to a new conversation."""
    section = f"First token of a new conversation with {MANY} tools of {BYTES_OF_EACH // 1000} kB"
    tools = [_tool(number) for number in range(MANY)]
    taken: dict[str, list[float]] = {name: [] for name in ("direct", "direct, tools", "gateway", "gateway, tools")}
    for _ in range(max(5, field.scale.samples // 2)):
        for name, given in (("direct", []), ("direct, tools", tools)):
            async with direct_cli(field.cli, base_url=field.base_url, model=MODEL) as cli:
                await wait_until_idle(cli.until)
                turn = await cli.ask("Question?", before=cli.preparation(_manifest(given)))
                taken[name].append(turn.first_token)
        for name, given in (("gateway", []), ("gateway, tools", tools)):
            await field.gateway.spare()
            client = await field.gateway.client()
            answer = await client.chat([question()], model=MODEL, **({"tools": given} if given else {}))
            await client.aclose()
            taken[name].append(answer.first_token)
    medians = {}
    for name, title in (
        ("direct", "CLI started before"), ("direct, tools", "CLI started before, with the tools"),
        ("gateway", "gateway, spare worker"), ("gateway, tools", "gateway, spare worker, with the tools"),
    ):  # fmt: skip
        medians[name] = field.report.durations(section, title, taken[name]).median
    added = (medians["gateway, tools"] - medians["gateway"]) * 1000
    field.report.target(f"added by {MANY} tools", added, 50, "ms")


async def resumed(field: Field) -> None:
    """The first token after a tool's result: the CLI alone, and a parked worker of the gateway."""
    section = "First token after a tool's result"
    tools = [_tool(0, 100)]
    direct: list[float] = []
    through: list[float] = []
    async with direct_cli(field.cli, base_url=field.base_url, model=MODEL) as cli:
        await cli.prepare(_manifest(tools))
        client = await field.gateway.client()
        messages: list[dict[str, Any]] = []
        for number in range(field.scale.samples):
            call = await cli.call(f"call {number}")
            await trio.sleep(0.02)  # the client's tool takes a moment
            direct.append((await cli.result(call, "done")).first_token)
            messages.append({"role": "user", "content": f"call {number}"})
            called = await client.chat(messages, model=MODEL, tools=tools, stream=False)
            asked = called.json()["choices"][0]["message"]
            await trio.sleep(0.02)
            messages += [asked, {"role": "tool", "tool_call_id": asked["tool_calls"][0]["id"], "content": "done"}]
            answer = await client.chat(messages, model=MODEL, tools=tools)
            through.append(answer.first_token)
            messages.append({"role": "assistant", "content": answer.text})
        await client.aclose()
    alone = field.report.durations(section, "CLI kept open", direct)
    after = field.report.durations(section, "gateway", through)
    field.report.target("resumed, gateway over the CLI", (after.median - alone.median) * 1000, 60, "ms")


async def agents(field: Field) -> None:
    """Four agents in their tool loops on two workers: a result is worth a next turn."""
    section = "First token of four agents on two workers"
    tools = [_tool(0, 100)]
    taken: dict[str, list[float]] = {"turn": [], "result": []}
    rounds = max(5, field.scale.samples // 2)

    async def agent() -> None:
        client = await field.small.client()
        messages: list[dict[str, Any]] = []
        for number in range(rounds):
            messages.append({"role": "user", "content": f"call {number}"})
            called = await client.chat(messages, model=MODEL, tools=tools, stream=False)
            asked = called.json()["choices"][0]["message"]
            await trio.sleep(0.1)  # its tool takes a moment
            messages += [asked, {"role": "tool", "tool_call_id": asked["tool_calls"][0]["id"], "content": "done"}]
            answer = await client.chat(messages, model=MODEL, tools=tools)
            taken["result"].append(answer.first_token)
            messages.append({"role": "assistant", "content": answer.text})
            await trio.sleep(0.1)
            messages.append(question())
            answer = await client.chat(messages, model=MODEL, tools=tools)
            taken["turn"].append(answer.first_token)
            messages.append({"role": "assistant", "content": answer.text})
        await client.aclose()

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(agent)
    turn = field.report.durations(section, "gateway, next turn", taken["turn"])
    result = field.report.durations(section, "gateway, a tool's result", taken["result"])
    field.report.target("a tool's result over a next turn", result.median / turn.median, 1.2, "times")


def _tool(number: int, size: int = BYTES_OF_EACH) -> dict[str, Any]:
    """Half of it description, half schema."""
    texts = {f"p{n}": {"type": "string", "description": "x" * 200} for n in range(size // 2 // 250)}
    parameters = {"type": "object", "properties": texts}
    function = {"name": f"tool_{number}", "description": "d" * (size // 2), "parameters": parameters}
    return {"type": "function", "function": function}


def _manifest(tools: list[dict[str, Any]]) -> Any:
    return tool_set([Tool(**tool["function"]) for tool in tools]).manifest
