from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from claudegwctl.commands.usage import dollars
from claudegwd.ledger.entry import Line, Sums, minute_of
from tests.control_cli import ctl
from tests.small_gateway import SmallGateway


@pytest.fixture(autouse=True)
def used(gateway: SmallGateway) -> None:
    line = Line(minute_of(time.time()), "laptop", "primary", "sonnet", "sonnet", "/v1/messages", "warm", 200)
    gateway.ledger.note(line, Sums(2, 12_345, 20, 40, 10, 5, 1, 1300, 2000, 2, 0, 0.0105, web_searches=3))
    gateway.ledger.note(line._replace(client="", status=499), Sums(1, 7, unpriced=1))


async def test_for_people(socket: Path) -> None:
    heads, nobody, laptop, total, tools, estimate, note = (await ctl(socket, "usage")).out.splitlines()
    assert heads.split() == [
        "CLIENT", "REQUESTS", "ERRORS", "PROMPT", "COMPLETION", "CACHED", "WRITTEN", "FIRST", "TOKEN", "COST",
    ]  # fmt: skip
    assert nobody.split() == ["(no", "key)", "1", "1", "7", "0", "0", "0", "unknown"]
    assert laptop.split() == ["laptop", "2", "0", "12,345", "20", "40", "10", "1,300", "ms", "$0.0105"]
    assert total.split() == ["total", "3", "1", "12,352", "20", "40", "10", "1,300", "ms", "$0.0105"]
    assert tools == "server-side tools: 3 web searches"
    assert estimate == "costs are estimates by the Claude Code CLI"
    assert note == "1 answer without a cost: the CLI reported none"
    assert len({len(line) for line in (heads, nobody, laptop, total)}) == 1, "numbers end where their heads end"


async def test_for_programs_and_for_spreadsheets(socket: Path) -> None:
    found = (await ctl(socket, "usage", "--by", "client,model", "--client", "laptop", "--json")).json
    assert [(row["client"], row["model"], row["cost_usd"]) for row in found["rows"]] == [("laptop", "sonnet", 0.0105)]
    assert found["total"]["requests"] == 2
    sheet = list(csv.DictReader((await ctl(socket, "usage", "--csv")).out.splitlines()))
    assert [(row["client"], row["prompt_tokens"], row["cost_usd"]) for row in sheet] == [
        ("", "7", ""),
        ("laptop", "12345", "0.0105"),
    ]


async def test_by_what_answered_and_what_is_missing(socket: Path, gateway: SmallGateway) -> None:
    gateway.ledger.note(Line(minute_of(time.time()), "laptop", "", "", "", "/v1/completions", "", 404), Sums(1))
    gateway.ledger.lost = 1234
    lost, heads, *rows, _total, _tools, _estimate, _note = (
        await ctl(socket, "usage", "--by", "route,how,answered")
    ).out.splitlines()
    assert lost.startswith("1,234 requests were never recorded")
    assert heads.split()[:3] == ["ROUTE", "HOW", "ANSWERED"]
    assert rows[0].split()[:5] == ["/v1/completions", "(unknown)", "(no", "answer)", "1"]
    assert rows[1].split()[:4] == ["/v1/messages", "warm", "sonnet", "3"]


async def test_nobody_of_this_name(socket: Path) -> None:
    refused = await ctl(socket, "usage", "--client", "lapptop")
    assert refused.status == 1
    assert refused.err.startswith("cannot find client 'lapptop'")
    assert (await ctl(socket, "usage", "--client", "laptop", "--since", "2100-01-01")).status == 0


async def test_nothing_used(socket: Path) -> None:
    assert (await ctl(socket, "clients", "create", "phone")).status == 0
    assert (await ctl(socket, "usage", "--client", "phone")).out == "no usage in this period\n"
    assert (await ctl(socket, "usage", "--client", "phone", "--csv")).out.startswith("client,requests,")


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (("--since", "tomorrow"), 1, "use for example 7d, 12h, 90m or 2027-01-31"),
        (("--since", ""), 1, "use for example 7d, 12h, 90m or 2027-01-31"),
        (("--by", "colour"), 1, "use one or more of client, key, model, answered, route, how, day, hour"),
        (("--client", ""), 2, "cannot show usage: the client's name is empty"),
        (("--csv", "--json"), 2, "choose one"),
        (("--csv", "--windows"), 2, "cannot print limits as CSV"),
    ],
)
async def test_what_cannot_be_understood_is_refused(
    socket: Path, options: tuple[str, ...], status: int, says: str
) -> None:
    refused = await ctl(socket, "usage", *options)
    assert (refused.status, refused.out) == (status, "")
    assert says in refused.err


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "$0.00"), (0.0105, "$0.0105"), (1.5, "$1.50"), (12_345.678, "$12,345.68")]
)
def test_dollars(amount: float, text: str) -> None:
    assert dollars(amount) == text
