"""A real terminal for tests: tmux, with a server of its own, whose screen can be read and typed at."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final

import pytest
import trio

POLL_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 30.0

needs_tmux = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="there is no tmux: `apt-get install tmux` gives these tests their terminal"
)


class Terminal:
    """One window with a shell in it."""

    def __init__(self, server: str) -> None:
        self._server = server

    async def tmux(self, *words: str) -> str:
        command = ["tmux", "-L", self._server, *words]
        done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr.decode()}"
        return done.stdout.decode()

    async def screen(self) -> str:
        """The text that is to be seen."""
        return await self.tmux("capture-pane", "-p")

    async def styled(self) -> str:
        """The same with the escape sequences of its colours."""
        return await self.tmux("capture-pane", "-p", "-e")

    async def flag(self, name: str) -> str:
        """What tmux knows of the terminal: alternate_on, cursor_flag, …"""
        return (await self.tmux("display-message", "-p", f"#{{{name}}}")).strip()

    async def press(self, *keys: str) -> None:
        """Keys by tmux's names: q, Enter, Escape, Tab, C-c."""
        await self.tmux("send-keys", *keys)

    async def type(self, line: str) -> None:
        """Type a line and Enter."""
        await self.tmux("send-keys", "-l", line)
        await self.press("Enter")

    async def run(self, words: Sequence[str]) -> None:
        """Type a command; its exit status is printed when it ends."""
        await self.type(f"{shlex.join(words)}; echo status=$?")

    async def resize(self, columns: int, rows: int) -> None:
        await self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    async def until(self, holds: Callable[[str], bool]) -> str:
        """Wait until the screen is as it should be, and give it."""
        screen = ""
        with trio.move_on_after(PATIENCE_SECONDS):
            while not holds(screen := await self.screen()):
                await trio.sleep(POLL_SECONDS)
            return screen
        raise AssertionError(f"the screen never was as it should be, but:\n{screen}")

    async def until_shown(self, *texts: str) -> str:
        """Wait until all of them are to be seen."""
        try:
            return await self.until(lambda screen: all(text in screen for text in texts))
        except AssertionError as error:
            raise AssertionError(f"not to be seen: {texts}; {error}") from None


@asynccontextmanager
async def terminal(columns: int, rows: int, env: Mapping[str, str], directory: Path) -> AsyncIterator[Terminal]:
    """A window of this size, with sh and this environment, as somebody has it who came over ssh."""
    found = Terminal(f"claudegwd-test-{token_hex(6)}")
    shell = ["env", "-i", *(f"{name}={value}" for name, value in env.items()), "PS1=$ ", "sh"]
    size = ("-x", str(columns), "-y", str(rows))
    await found.tmux("-f", "/dev/null", "new-session", "-d", *size, "-c", str(directory), shlex.join(shell))
    try:
        await found.until_shown("$")
        yield found
    finally:
        subprocess.run(["tmux", "-L", found._server, "kill-server"], check=False, capture_output=True)
