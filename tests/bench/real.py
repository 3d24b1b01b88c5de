"""The real CLI, directly and behind the gateway, turn and turn about in the same minutes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import trio

from tests.bench.direct import direct_cli
from tests.bench.field import (
    HISTORIES,
    LOOPS,
    MODEL,
    Field,
    closed_loops,
    exchange,
    history,
    one,
    question,
    wait_until_idle,
)
from tests.bench.programs import Gateway, write_keys
from tests.bench.tools import many_tools, resumed


async def first_tokens(field: Field) -> None:
    """A new conversation: cold CLI, prepared CLI, and the gateway with and without a spare."""
    taken: dict[str, list[float]] = {name: [] for name in ("cold", "prepared", "spare", "none")}
    hows: list[str] = []
    for _ in range(field.scale.samples):
        async with direct_cli(field.cli, base_url=field.base_url, model=MODEL) as cli:
            turn = await cli.ask("Question?", before=cli.preparation(), sent=cli.started)
            taken["cold"].append(turn.first_token)
        async with direct_cli(field.cli, base_url=field.base_url, model=MODEL) as cli:
            await wait_until_idle(cli.until)
            turn = await cli.ask("Question?", before=cli.preparation())
            taken["prepared"].append(turn.first_token)
        await field.gateway.spare()
        answer = await one(field.gateway, [question()])
        taken["spare"].append(answer.first_token)
        hows.append(answer.how)
        taken["none"].append((await one(field.cold, [question()])).first_token)
    section = "First token of a new conversation"
    cold = field.report.durations(section, "CLI started for the request", taken["cold"])
    field.report.durations(section, "CLI started before", taken["prepared"])
    spare = field.report.durations(section, "gateway, spare worker", taken["spare"], _had(hows, "spare"))
    field.report.durations(section, "gateway, no spare", taken["none"])
    field.report.target("first token, cold CLI over gateway", cold.median / spare.median, 4, "times", low=True)


async def next_turns(field: Field) -> None:
    """The next turn of a conversation: a CLI kept by us, and one kept by the gateway."""
    direct: list[float] = []
    through: list[float] = []
    hows: list[str] = []
    async with direct_cli(field.cli, base_url=field.base_url, model=MODEL) as cli:
        await cli.prepare()
        await cli.ask("Hello?")
        client = await field.gateway.client()
        messages = [question()]
        messages = exchange(messages, (await client.chat(messages, model=MODEL)).text)
        for _ in range(field.scale.samples * 3):
            direct.append((await cli.ask("And then?")).first_token)
            await trio.sleep(0.02)  # the CLI settles; both sides get the same rest
            answer = await client.chat(messages, model=MODEL)
            messages = exchange(messages, answer.text)
            through.append(answer.first_token)
            hows.append(answer.how)
            await trio.sleep(0.02)
        await client.aclose()
    section = "First token of the next turn"
    warm = field.report.durations(section, "CLI kept open", direct)
    kept = field.report.durations(section, "gateway, continued", through, _had(hows, "continued"))
    field.report.target("next turn, gateway over warm CLI", kept.median / warm.median, 1.2, "times")


async def histories(field: Field) -> None:
    """A conversation that the gateway has not seen, of growing length: its messages are replayed."""
    section = "First token of a replayed conversation"
    for size in HISTORIES:
        direct: list[float] = []
        through: list[float] = []
        for _ in range(max(3, field.scale.samples // 3)):
            async with direct_cli(field.cli, base_url=field.base_url, model=MODEL) as cli:
                await wait_until_idle(cli.until)
                sent = time.monotonic_ns()
                await cli.prepare()
                for _ in range((size - 1) // 2):
                    await cli.append("Question?", "An earlier answer.")
                direct.append((await cli.ask("Question?", sent=sent)).first_token)
            await field.gateway.spare()
            through.append((await one(field.gateway, history(size - 1 if size % 2 == 0 else size))).first_token)
        field.report.durations(section, f"CLI started before, {size} messages", direct)
        field.report.durations(section, f"gateway, spare worker, {size} messages", through)


async def throughput(field: Field) -> None:
    """New conversations in closed loops: processes cleared and used again, by us and by the gateway; and one each."""
    seconds = field.scale.seconds
    done: dict[str, list[float]] = {name: [] for name in ("ceiling", "recycled", "spare", "cold")}
    hows: list[str] = []
    rounds = 3
    async with AsyncExitStack() as stack:
        clis = []
        for _ in range(LOOPS):
            cli = await stack.enter_async_context(direct_cli(field.cli, base_url=field.base_url, model=MODEL))
            await cli.prepare()
            clis.append(cli)
        for _ in range(rounds):

            async def cleared(loop: int) -> None:
                await clis[loop].ask("Question?")
                await clis[loop].clear()

            done["ceiling"].append(await closed_loops(cleared, seconds))
            for name, server in (("recycled", field.recycling), ("spare", field.gateway), ("cold", field.cold)):

                async def asked(loop: int, server: Gateway = server, name: str = name) -> None:
                    answer = await one(server, [question()])
                    if name == "recycled":
                        hows.append(answer.how)

                done[name].append(await closed_loops(asked, seconds))
    section = f"Throughput of new conversations, {LOOPS} at once"
    rates = {name: sum(found) / rounds for name, found in done.items()}
    titles = {
        "ceiling": "CLIs cleared by /clear, no gateway",
        "recycled": "gateway, recycle = true",
        "spare": "gateway, default",
        "cold": "gateway, spares = 0: a process for each",
    }
    for name, rate in rates.items():
        note = _had(hows, "recycled") if name == "recycled" else ""
        field.report.figure(section, titles[name], rate, "requests/s", note)
    field.report.target("recycled over a process each", rates["recycled"] / rates["cold"], 5, "times", low=True)
    share = rates["recycled"] / rates["ceiling"] * 100
    field.report.target("recycled over the CLI's ceiling", share, 70, "%", low=True)


async def rotations(field: Field) -> None:
    """Three keys that are refused before the fourth answers, inside one request."""
    plain: list[float] = []
    rotated: list[float] = []
    for number in range(max(5, field.scale.samples // 2)):
        refused = {f"refused-{number}-{i}": f"sk-false-revoked-{number}-{i}" for i in range(3)}
        for tokens, kept in (({}, plain), (refused, rotated)):
            write_keys(field.gateway.directory, field.base_url, {**tokens, f"good-{number}": "sk-false-1"})
            await field.gateway.control("POST", "/v1/reload")
            await field.gateway.spare()
            answer = await one(field.gateway, [question()])
            kept.append(answer.first_token if answer.complete else float("nan"))
    section = "First token past refused keys"
    usual = field.report.durations(section, "gateway, first key good", plain)
    late = field.report.durations(section, "gateway, three keys refused first", rotated)
    field.report.target("three rotations", (late.median - usual.median) * 1000, 300, "ms")


def _had(hows: list[str], wanted: str) -> str:
    return f"{sum(how == wanted for how in hows)} of {len(hows)} {wanted}"


SCENARIOS: dict[str, Callable[[Field], Awaitable[None]]] = {
    "first-token": first_tokens,
    "next-turn": next_turns,
    "history": histories,
    "throughput": throughput,
    "rotation": rotations,
    "many-tools": many_tools,
    "resumed": resumed,
}
