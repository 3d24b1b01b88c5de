"""`claudegwctl top` in a real terminal, watching a real gateway."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from claudegwd.demo.replies import say
from claudegwd.demo.script import Answer, RecordedRequest, ScriptedReply, ScriptedUsage, Text, Wait
from tests.control_cli import ROOT, ctl
from tests.e2e.harness import Running, running, secret
from tests.e2e.test_windows import limits
from tests.terminal import Terminal, needs_tmux, terminal

pytestmark = [pytest.mark.cli, needs_tmux]

KEYS = ({"name": "work", "token": "sk-false-1"}, {"name": "home", "token": "sk-false-2"})
SIZES = [(80, 24), (120, 40), (60, 20)]


@asynccontextmanager
async def watching(gateway: Running, columns: int = 80, rows: int = 24, **env: str) -> AsyncIterator[Terminal]:
    """`claudegwctl top` runs in a terminal where something was done before."""
    kept = {name: os.environ[name] for name in ("PATH",)}
    environment = {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": "/tmp", **env}
    async with terminal(columns, rows, environment, ROOT) as shown:
        await shown.run(["echo", "done before"])
        await shown.until_shown("status=0")
        await shown.run(command(gateway))
        await shown.until_shown("claudegwd ", "ready", "? help")
        yield shown


def command(gateway: Running, *more: str) -> list[str]:
    words = ["-m", "claudegwctl", "--socket", str(gateway.daemon.socket), "top", "--interval", "0.2"]
    return [sys.executable, *words, *more]


def line_of(screen: str, name: str) -> str:
    """The line that begins with a name, with single spaces."""
    return " ".join(next((line for line in screen.splitlines() if line.startswith(f"{name} ")), "").split())


class Held:
    """An answer that stops in the middle until the test says."""

    def __init__(self) -> None:
        self.end = trio.Event()

    def __call__(self, _: RecordedRequest) -> Answer:
        return ScriptedReply(
            (Text((secret("words ") * 20,)), Wait(self.end), Text(("end",))),
            usage=ScriptedUsage(output_tokens=321),
            headers=limits(0.62, 0.31),
        )


@pytest.mark.parametrize(("columns", "rows"), SIZES)
async def test_a_request_comes_and_goes_and_keys_are_steered(columns: int, rows: int) -> None:
    held = Held()
    async with running(held, keys=KEYS) as gateway, watching(gateway, columns, rows) as top:
        await top.until(lambda screen: line_of(screen, "work") == "work active 0")
        assert "requests 0" in await top.screen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.stream, secret("hi"))
            screen = await top.until(lambda screen: "streaming" in screen)
            request = line_of(screen, "(no key)")
            assert request.startswith("(no key) claude-sonnet-4")
            assert re.search(r" streaming [0-9.]+ s [0-9.]+ s [0-9]+( |$)", request)  # its age, first token, and speed
            assert (" work" in request) == (columns >= 80)
            assert "words" not in screen
            held.end.set()
        await top.until(lambda screen: "requests 0" in screen and "321 out" in screen)
        await top.until(lambda screen: "5 h: 62% used" in line_of(screen, "work"))
        await top.press("r")
        await top.until_shown("Make key “work” the active one?")
        await top.press("n")
        await top.until(lambda screen: "y yes" not in screen)
        await top.press("Down", "r")
        await top.until_shown("Make key “home” the active one?")
        await top.press("y")
        await top.until_shown("now using home")
        await top.until(lambda screen: line_of(screen, "home").startswith("home active"))
        await top.press("Up", "d")
        await top.until_shown("Disable key “work”?")
        await top.press("Enter")  # is no yes
        await top.press("y")
        await top.until(lambda screen: line_of(screen, "work").startswith("work disabled"))
        await top.press("d")
        await top.until_shown("Enable key “work” again?")
        await top.press("y")
        await top.until(lambda screen: line_of(screen, "work").startswith("work ready"))
        said = (await ctl(gateway.daemon.socket, "audit")).out
        assert (said.count("keys rotated"), said.count("key status changed")) == (1, 2)
        await quits(top)


async def quits(top: Terminal) -> None:
    """It ends at once, and the terminal is as it was."""
    assert await top.flag("alternate_on") == "1"
    await top.press("q")
    await top.until_shown("done before", "status=0")
    assert [await top.flag(name) for name in ("alternate_on", "cursor_flag", "mouse_any_flag")] == ["0", "1", "0"]
    await top.run(["stty", "-a"])
    assert re.search(r"[^-]echo\b", await top.until_shown("icanon"))


async def test_what_is_sorted_and_filtered_and_paused() -> None:
    """Two clients' requests wait for the same answer."""
    held = Held()
    config = "[auth]\nrequired = true\n"
    async with running(held, keys=KEYS, config=config) as gateway, watching(gateway) as top:
        async with trio.open_nursery() as nursery:
            for name in ("laptop", "desk"):
                key = (await gateway.control("POST", "/v1/clients", {"name": name})).json()["key"]
                nursery.start_soon(asked, gateway, key)
                await top.until(lambda screen, name=name: "streaming" in line_of(screen, name))
            assert order(await top.screen()) == ["laptop", "desk"]
            await top.press("s")
            await top.until(lambda screen: "by client" in screen and order(screen) == ["desk", "laptop"])
            await top.press("S")
            await top.until(lambda screen: "reversed" in screen and order(screen) == ["laptop", "desk"])
            await top.press("/")
            await top.until_shown("escape clears it")
            await top.press("D", "e", "s")
            await top.until(lambda screen: "requests 1 of 2" in screen and order(screen) == ["desk"])
            await top.press("Escape")
            await top.until(lambda screen: "requests 2" in screen and order(screen) == ["laptop", "desk"])
            await top.press("p")
            await top.until_shown("PAUSED")
            held.end.set()
        await gateway.until_workers(busy=0, settling=0)
        assert order(await top.screen()) == ["laptop", "desk"]
        await top.press("p")
        await top.until(lambda screen: "PAUSED" not in screen and order(screen) == [])
        await top.press("?")
        await top.until_shown("sort by the next column")
        await top.press("q")
        await top.until(lambda screen: "sort by the next column" not in screen)
        await quits(top)


async def asked(gateway: Running, key: str) -> None:
    body = {"model": "sonnet", "messages": [{"role": "user", "content": secret("hi")}]}
    assert (await gateway.post(body, headers={"authorization": f"Bearer {key}"})).status_code == 200


def order(screen: str) -> list[str]:
    return [line.split()[0] for line in screen.splitlines() if line.split()[:1] in (["laptop"], ["desk"])]


async def test_it_survives_the_daemon_and_a_change_of_size() -> None:
    async with running(lambda _: say("ok"), keys=KEYS) as gateway, watching(gateway) as top:
        gateway.daemon.kill()
        await top.until_shown("not running, trying again")
        await trio.to_thread.run_sync(gateway.daemon.start)
        await top.until_shown("ready", "up ")
        for columns, rows in ((40, 10), (20, 4), (130, 45)):
            await top.resize(columns, rows)
            await top.until(lambda screen, rows=rows: screen.count("\n") == rows and "claudegwd" in screen)
        await top.until(lambda screen: "tab switch table" in screen and line_of(screen, "home") == "home ready 0")
        await quits(top)


async def test_it_can_be_stopped_by_the_shell_and_goes_on(gateway: Running) -> None:
    async with watching(gateway) as top:
        await top.press("C-z")
        await top.until(lambda screen: "done before" in screen and "top" in screen and "? help" not in screen)
        await top.type("fg")
        await top.until_shown("ready", "? help")
        await top.press("C-c")
        await top.until_shown("done before")
        assert await top.flag("alternate_on") == "0"


async def test_without_colours() -> None:
    async with running(lambda _: say("ok"), keys=KEYS) as gateway:
        async with watching(gateway, NO_COLOR="1") as top:
            assert colours(await top.styled()) == set()
        async with watching(gateway) as top:
            assert colours(await top.styled()) != set()  # the key that is in use is green


def colours(styled: str) -> set[str]:
    """The colours that are set, in all the ways in which that is written."""
    codes = re.findall(r"\x1b\[([0-9;]*)m", styled)
    return {code for code in codes if re.search(r"(^|;)(3[0-8]|4[0-8]|9[0-7]|10[0-7])(;|$)", code)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_leaves_the_terminal_as_it_was(gateway: Running, number: signal.Signals) -> None:
    async with watching(gateway) as top:
        pid = int(await top.flag("pane_pid"))
        (child,) = [int(word) for word in (await children(pid)).split()]
        os.kill(child, number)
        await top.until_shown("done before", "status=")
        assert await top.flag("alternate_on") == "0"


async def children(pid: int) -> str:
    return await trio.Path(f"/proc/{pid}/task/{pid}/children").read_text()


async def test_nobody_there_and_terminals_that_will_not_do(gateway: Running) -> None:
    environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": "/tmp", "LANG": "C.UTF-8"}
    async with terminal(100, 24, environment, ROOT) as shown:
        await shown.run(command(gateway))
        assert "claudegwctl status --watch" in await shown.until_shown("status=1")
    async with terminal(100, 24, {**environment, "TERM": "xterm"}, ROOT) as shown:
        await shown.run([sys.executable, "-m", "claudegwctl", "--socket", "/nowhere/control.sock", "top"])
        await shown.until_shown("it is not running", "status=3")
        assert await shown.flag("alternate_on") == "0"


async def test_no_terminal_at_all_and_json(gateway: Running) -> None:
    refused = await ctl(gateway.daemon.socket, "top")
    assert (refused.status, refused.out) == (1, "")
    assert "claudegwctl top --json" in refused.err
    found = (await ctl(gateway.daemon.socket, "top", "--json")).json
    assert found["status"]["state"] == "ready"
    assert (found["requests"], found["status"]["usage"]["requests"]) == ([], 0)
