from __future__ import annotations

from pathlib import Path

import pytest

from claudegwctl.commands.clients import moment
from claudegwctl.problems import Problem
from tests.control_cli import ctl


async def test_only_the_key_is_on_standard_output(socket: Path) -> None:
    done = await ctl(
        socket, "clients", "create", "laptop", "--models", "sonnet, sonnet", "--rpm", "60", "--tpm", "0",
        "--concurrent", "4", "--expires", "90d", "--server-tools", "web_search, web_fetch",
    )  # fmt: skip
    assert (done.status, done.out) == (0, "cgw-false-key-of-laptop\n")
    assert done.err == "the key of laptop, shown only once:\n"
    (row,) = (await ctl(socket, "clients", "list", "--json")).json["clients"]
    assert row["models"] == ["sonnet", "sonnet"]
    assert row["server_tools"] == ["web_search", "web_fetch"]
    assert (row["requests_per_minute"], row["tokens_per_minute"], row["concurrent_requests"]) == (60, 0, 4)


async def test_listing_and_revoking(socket: Path) -> None:
    assert (await ctl(socket, "clients", "list")).out.startswith("no clients; ")
    await ctl(socket, "clients", "create", "laptop", "--rpm", "60", "--models", "sonnet")
    heads, row = (await ctl(socket, "clients", "list")).out.splitlines()
    assert heads.startswith("NAME")
    assert row.endswith("never    60 rpm, only sonnet")
    assert (await ctl(socket, "clients", "revoke", "laptop")).out == "revoked laptop\n"
    assert "revoked" in (await ctl(socket, "clients", "list")).out
    assert (await ctl(socket, "clients", "remove", "laptop")).out == "removed laptop\n"
    done = await ctl(socket, "clients", "revoke", "laptop")
    assert (done.status, done.err[:29]) == (1, "cannot find client 'laptop': ")


async def test_changing_and_rotating(socket: Path) -> None:
    await ctl(socket, "clients", "create", "laptop", "--expires", "1d")
    assert (await ctl(socket, "clients", "set", "laptop", "--rpm", "5", "--expires", "never")).out == "changed laptop\n"
    (row,) = (await ctl(socket, "clients", "list", "--json")).json["clients"]
    assert (row["requests_per_minute"], row["expires"]) == (5, None)
    assert (await ctl(socket, "clients", "set", "laptop", "--server-tools", "web_search")).status == 0
    assert (await ctl(socket, "clients", "list")).out.endswith("5 rpm, with web_search\n")
    assert (await ctl(socket, "clients", "set", "laptop")).status == 2
    done = await ctl(socket, "clients", "rotate", "laptop")
    assert (done.status, done.out[:4]) == (0, "cgw-")


async def test_a_budget_is_listed_as_it_was_given(socket: Path) -> None:
    await ctl(socket, "clients", "create", "laptop", "--budget", "5Mtokens/day,1500000tokens/week")
    listed = (await ctl(socket, "clients", "list")).out
    assert "5Mtokens/day (0 used), 1500000tokens/week (0 used)" in listed


async def test_a_name_twice(socket: Path) -> None:
    await ctl(socket, "clients", "create", "laptop", "--json")
    done = await ctl(socket, "clients", "create", "laptop")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("cannot create client 'laptop'")


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2_592_000), ("12h", 43_200), ("5m", 300), ("1w", 604_800), (" 10S ", 10)]
)
def test_spans(text: str, seconds: int) -> None:
    assert moment(text, 1000.0) == 1000 + seconds


def test_dates() -> None:
    assert moment("2027-01-31T00:00:00+00:00", 0) == 1_801_353_600
    assert moment("2027-01-31", 0) > 1_800_000_000


@pytest.mark.parametrize("text", ["", "soon", "30", "-1d", "2027-13-01"])
def test_no_times(text: str) -> None:
    with pytest.raises(Problem, match="cannot read the time"):
        moment(text, 0)


async def test_a_list_of_models_that_names_none_is_not_all_of_them(socket: Path) -> None:
    for models in ("", ", ,"):
        done = await ctl(socket, "clients", "create", "laptop", "--models", models)
        assert (done.status, done.out, done.err[:20]) == (2, "", "cannot create laptop")
