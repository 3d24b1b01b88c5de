"""A real Chromium for tests, by its DevTools protocol over the WebSocket client that is here anyway.

No library: what is needed of the protocol are a dozen calls, and a library brings a browser of its own.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio

from tests.plain_http import http_client
from tests.websocket_client import Closed, Socket, connected

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.05
_LISTENING = re.compile(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/")
OPTIONS = (
    "--headless=new", "--remote-debugging-port=0", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--hide-scrollbars", "--no-proxy-server",
)  # fmt: skip


def find_chromium() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[int]:
    """One that runs; the port of its DevTools."""
    found = find_chromium()
    assert found is not None
    home = tempfile.mkdtemp(prefix="cgw-chromium")
    # Root's has no sandbox; what it shows here is our own page.
    options = [*OPTIONS, f"--user-data-dir={home}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    env = {**os.environ, "HOME": home, "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        [found, *options, "about:blank"], stderr=subprocess.PIPE, text=True, env=env, start_new_session=True
    )
    assert process.stderr is not None
    with process.stderr:
        try:
            port = next(int(line[1]) for text in process.stderr if (line := _LISTENING.match(text)))
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its helpers, which would go on writing into its home
            shutil.rmtree(home, ignore_errors=True)


class ProtocolError(Exception):
    """The browser could not do what it was asked."""


class Page:
    """One page. `problems` are what its console and the browser complained of."""

    def __init__(self, socket: Socket) -> None:
        self.problems: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[trio.Event, list[dict[str, Any]]]] = {}

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        done: tuple[trio.Event, list[dict[str, Any]]] = (trio.Event(), [])
        self._waiting[number] = done
        await self._socket.send({"id": number, "method": method, "params": params})
        with trio.fail_after(PATIENCE_SECONDS):
            await done[0].wait()
        [answer] = done[1]
        if "error" in answer:
            raise ProtocolError(str(answer["error"]))
        result: dict[str, Any] = answer["result"]
        return result

    async def listen(self) -> None:
        """Read what comes until the connection ends."""
        try:
            while True:
                self._take(await self._socket.receive())
        except (Closed, trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def _take(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case None:
                event, answers = self._waiting.pop(message["id"])
                answers.append(message)
                event.set()
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(params["exceptionDetails"])[:2000])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.problems.append(json.dumps(params["args"])[:2000])
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    async def open(self, address: str) -> None:
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=address)

    async def js(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, expression: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait until it is true, also over a page that is being loaded."""
        found: Any = None
        with trio.move_on_after(seconds):
            while not (found := await self._quiet(expression)):
                await trio.sleep(POLL_SECONDS)
            return found
        raise AssertionError(f"never so: {expression}; the page says: {await self.js('document.body.innerText')}")

    async def _quiet(self, expression: str) -> Any:
        # An element has no value: that it is there is the answer.
        asked = f"(async () => {{ const v = await ({expression}); return v instanceof Node ? true : v; }})()"
        try:
            found = await self.call("Runtime.evaluate", expression=asked, returnByValue=True, awaitPromise=True)
        except ProtocolError:
            return None  # the page was left while it was asked
        return None if "exceptionDetails" in found else found["result"].get("value")

    async def text(self, selector: str) -> str:
        return str(await self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    async def click(self, selector: str) -> None:
        """With the mouse, once it is there, may be used, and nothing lies over it."""
        place = await self.until(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
            "e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); "
            "const place = [r.x + r.width / 2, r.y + r.height / 2]; "
            "return e.contains(document.elementFromPoint(...place)) && !e.matches(':disabled') ? place : null; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    async def press(self, key: str, code: int) -> None:
        """A key of the keyboard, by its name and its number."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )  # fmt: skip

    async def choose(self, selector: str, value: str) -> None:
        """In a select or a field, once it is there, with the event that people's choice brings."""
        await self.until(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)}; "
            "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true})); "
            "return true; })()"
        )

    async def size(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    async def scheme(self, name: str) -> None:
        """What the system prefers: dark or light."""
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def picture(self, path: Path) -> bytes:
        """All of the page, as a PNG at `path`."""
        found = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        data = base64.b64decode(found["data"])
        path.write_bytes(data)
        return data


@asynccontextmanager
async def new_page(port: int) -> AsyncIterator[Page]:
    """An empty page of the Chromium with this port, without anything that another page knows."""
    async with http_client(f"http://127.0.0.1:{port}", timeout=30) as http:
        browser = urlsplit((await http.get("/json/version")).json()["webSocketDebuggerUrl"]).path
        async with _attached(port, browser) as whole:
            context = (await whole.call("Target.createBrowserContext"))["browserContextId"]
            made = await whole.call("Target.createTarget", url="about:blank", browserContextId=context)
            async with _attached(port, f"/devtools/page/{made['targetId']}") as page:
                yield page
            await whole.call("Target.disposeBrowserContext", browserContextId=context)


@asynccontextmanager
async def _attached(port: int, path: str) -> AsyncIterator[Page]:
    async with connected(port, path=path) as socket, trio.open_nursery() as nursery:
        page = Page(socket)
        nursery.start_soon(page.listen)
        yield page
        nursery.cancel_scope.cancel()
