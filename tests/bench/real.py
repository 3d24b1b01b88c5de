"""The real CLI, directly and behind the gateway, turn and turn about in the same minutes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import trio

from tests.bench.direct import DirectCli, Turn, direct_cli
from tests.bench.field import (
    HISTORIES,
    LEAD_IN,
    LOOPS,
    MODEL,
    WARM_UP,
    Field,
    closed_loops,
    exchange,
    history,
    one,
    question,
    unseen_prompt,
    wait_until_idle,
    warmed_up,
)
from tests.bench.programs import Gateway, write_keys
from tests.bench.tools import agents, many_tools, resumed


async def first_tokens(field: Field) -> None:
    """A new conversation: cold CLI, prepared CLI, and the gateway with a worker that has served before, at first and
    once it is warmed up, with a spare, and with neither."""
    taken: dict[str, list[float]] = {name: [] for name in ("cold", "prepared", "early", "warm", "spare", "none")}
    hows: list[str] = []
    for _ in range(field.scale.samples):
        taken["early"].append((await one(field.gateway, [question()])).first_token)
        await trio.sleep(0.02)
    for _ in range(WARM_UP):
        await one(field.gateway, [question()])
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
        taken["warm"].append(answer.first_token)
        hows.append(answer.how)
        taken["spare"].append((await one(field.gateway, [unseen_prompt(), question()])).first_token)
        taken["none"].append((await one(field.cold, [unseen_prompt(), question()])).first_token)
    section = "First token of a new conversation"
    cold = field.report.durations(section, "CLI started for the request", taken["cold"])
    field.report.durations(section, "CLI started before", taken["prepared"])
    early = f"gateway, known system prompt, the first {field.scale.samples} questions of its worker"
    field.report.durations(section, early, taken["early"])
    warm = field.report.durations(section, "gateway, known system prompt", taken["warm"], _had(hows, "warm"))
    field.report.durations(section, "gateway, new system prompt, spare worker", taken["spare"])
    field.report.durations(section, "gateway, new system prompt, no spare", taken["none"])
    field.report.target("first token, cold CLI over gateway", cold.median / warm.median, 12, "times", low=True)


async def next_turns(field: Field) -> None:
    """The next turn of a conversation: a CLI kept by us, and the gateway; and what is no next turn there: an edit,
    and a question after a client that left."""
    direct: list[float] = []
    through: dict[str, list[float]] = {name: [] for name in ("next", "edit", "stop")}
    async with direct_cli(field.cli, base_url=field.base_url, model=MODEL) as cli:
        await cli.prepare()
        client = await field.gateway.client()
        for _ in range(WARM_UP):  # as warm as each other
            await cli.ask("Hello?")
            await client.chat([question()], model=MODEL)
        messages = exchange([question()], "An answer.")
        for _ in range(field.scale.samples * 3):
            direct.append((await cli.ask("And then?")).first_token)
            await trio.sleep(0.02)  # the CLI settles; all get the same rest
            answer = await client.chat(messages, model=MODEL)
            messages = exchange(messages, answer.text)
            through["next"].append(answer.first_token)
            await trio.sleep(0.02)
            through["edit"].append((await client.chat([*messages[:-3], question()], model=MODEL)).first_token)
            await trio.sleep(0.02)
            await _left(field.gateway, messages)
            await trio.sleep(0.02)
            through["stop"].append((await client.chat(messages, model=MODEL)).first_token)
            await trio.sleep(0.02)
        await client.aclose()
    section = "First token of the next turn"
    warm = field.report.durations(section, "CLI kept open", direct)
    kept = field.report.durations(section, "gateway", through["next"])
    edited = field.report.durations(section, "gateway, an edited question", through["edit"])
    after = field.report.durations(section, "gateway, after a client that left in mid-answer", through["stop"])
    field.report.target("next turn, gateway beyond the warm CLI", (kept.median - warm.median) * 1000, 8, "ms")
    field.report.target("edit over next turn", edited.median / kept.median, 1.2, "times")
    field.report.target("after a stop over next turn", after.median / kept.median, 1.3, "times")


async def _left(server: Gateway, messages: list[dict[str, Any]]) -> None:
    """Ask, and close the connection at the first event."""
    client = await server.client()
    answer = await client.begin("POST", "/v1/chat/completions", {"model": MODEL, "messages": messages, "stream": True})
    async for _ in client.read(answer):
        break
    await client.aclose()


async def histories(field: Field) -> None:
    """A conversation that nobody has seen before, of growing length."""
    section = "First token of a conversation that is new to the process"
    for size in HISTORIES:
        asked = [history(size - 1 if size % 2 == 0 else size) for _ in range(max(5, field.scale.samples))]
        through = [(await one(field.gateway, messages)).first_token for messages in asked]
        found = field.report.durations(section, f"gateway, {size} messages", through)
        if size >= 200:
            most = 40 if size == 200 else 80
            field.report.target(f"first token behind {size} messages", found.median * 1000, most, "ms")


async def throughput(field: Field) -> None:
    """New conversations in closed loops: processes cleared and used again, by us and by the gateway, both warmed up;
    and one process each."""
    seconds = field.scale.seconds
    done: dict[str, list[float]] = {name: [] for name in ("ceiling", "default", "cold")}
    hows: list[str] = []
    rounds = 3
    spent: list[float] = []
    async with AsyncExitStack() as stack:
        clis = []
        for _ in range(LOOPS):
            cli = await stack.enter_async_context(direct_cli(field.cli, base_url=field.base_url, model=MODEL))
            await cli.prepare()
            clis.append(cli)

        async def cleared(loop: int) -> None:
            await _cleared(clis[loop])

        async def asked(loop: int) -> None:
            hows.append((await one(field.gateway, [question()])).how)

        # The steady state of both: as many questions to each process before anything counts.
        await warmed_up(cleared)
        await warmed_up(asked)
        hows.clear()
        for _ in range(rounds):
            done["ceiling"].append(await closed_loops(cleared, seconds))
            await warmed_up(asked, LEAD_IN)
            before, count = await _cli_seconds(field.gateway), len(hows)
            done["default"].append(await closed_loops(asked, seconds))
            after = await _cli_seconds(field.gateway)
            used = sum(after[pid] - before.get(pid, 0.0) for pid in after)
            spent.append(used / max(1, len(hows) - count))

            async def alone(loop: int) -> None:
                await one(field.cold, [unseen_prompt(), question()])

            done["cold"].append(await closed_loops(alone, seconds))
    section = f"Throughput of new conversations, {LOOPS} clients"
    rates = {name: sum(found) / rounds for name, found in done.items()}
    field.report.figure(section, "CLIs cleared by /clear, no gateway", rates["ceiling"], "requests/s", "")
    field.report.figure(section, "gateway, default", rates["default"], "requests/s", _had(hows, "warm"))
    field.report.figure(section, "gateway, a process for each", rates["cold"], "requests/s", "")
    field.report.target("default over a process each", rates["default"] / rates["cold"], 7, "times", low=True)
    field.report.target("default over the CLI's ceiling", rates["default"] / rates["ceiling"] * 100, 80, "%", low=True)
    field.report.target("CLI processor time of a new conversation", sum(spent) / rounds * 1000, 60, "ms")


async def _cli_seconds(server: Gateway) -> dict[int, float]:
    """Processor seconds that each worker has used, by its process id."""
    rows = (await server.control("GET", "/v1/workers"))["workers"]
    seconds = {}
    for row in rows:
        with suppress(OSError):
            stat = Path(f"/proc/{row['pid']}/stat").read_text().rpartition(")")[2].split()
            seconds[row["pid"]] = sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK")
    return seconds


async def open_conversations(field: Field) -> None:
    """A hundred conversations that go on turn by turn, on the workers that there are; between the turns a CLI driven
    directly is asked, since the slowest turns of both are those in which the CLI itself was slow."""
    conversations = [[question()] for _ in range(100)]
    turns: list[float] = []
    direct: list[float] = []
    async with direct_cli(field.cli, base_url=field.base_url, model=MODEL) as cli:
        await cli.prepare()
        for _ in range(WARM_UP):  # as warm as each other
            await _cleared(cli)
            await one(field.gateway, [question()])
        for number in range(3):
            for index, messages in enumerate(conversations):
                answer = await one(field.gateway, messages)
                conversations[index] = exchange(messages, answer.text)
                alone = await _cleared(cli)
                if number:
                    turns.append(answer.first_token)
                    direct.append(alone.first_token)
    rows = (await field.gateway.control("GET", "/v1/workers"))["workers"]
    section = "A hundred open conversations, one after the other"
    field.report.durations(section, "gateway, first token of a turn", turns, f"{len(rows)} processes")
    field.report.durations(section, "a CLI driven directly, an empty conversation each time", direct)
    field.report.figure(section, "memory of the workers", sum(row["rss_bytes"] for row in rows) / 2**20, "MB", "")
    field.report.target("slowest turn of a hundred conversations", max(turns) * 1000, 60, "ms")


async def _cleared(cli: DirectCli) -> Turn:
    """One question to a CLI, which forgets it again."""
    turn = await cli.ask("Question?")
    await cli.clear()
    return turn


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
    "open": open_conversations,
    "rotation": rotations,
    "many-tools": many_tools,
    "resumed": resumed,
    "agents": agents,
}
