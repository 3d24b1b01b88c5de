"""Passes a notice to the operator's program: on its stdin, without a shell, for a bounded time."""

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from subprocess import DEVNULL, PIPE
from typing import Final

import trio

from claudegwd.notify.errors import DeliveryError
from claudegwd.redact import redact
from claudegwd.workers.process.group import end_group
from claudegwd.workers.process.lifeline import Lifeline

# Sending a mail or a message takes a second or two.
COMMAND_SECONDS: Final = 10.0
TERM_SECONDS: Final = 1.0  # to clean up after SIGTERM
REAP_SECONDS: Final = 2.0  # after SIGKILL it exits at once, unless a disk hangs
# How much of its stderr is shown; the rest is read and discarded, so that it never blocks on us.
OUTPUT_BYTES: Final = 2000
READ_BYTES: Final = 4096  # per read of its stderr

# What programs need to reach a desktop, a mail server or a proxy. Nothing else: the daemon's environment holds keys.
_PASSED: Final = frozenset(
    {
        "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL",
        "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR",
        "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "all_proxy", "https_proxy", "http_proxy", "no_proxy",
    }
)  # fmt: skip


async def run_command(words: Sequence[str], env: Mapping[str, str], body: bytes) -> str:
    """Run it until it exits with status 0; return its stderr. Raises DeliveryError.

    Anything left in its process group is killed."""
    said = bytearray()
    with closing(Lifeline()) as lifeline:
        process = await _open(words, env, lifeline)
        try:
            lifeline.tie(process.pid)
            with trio.move_on_after(COMMAND_SECONDS) as patience:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_write, process, body)
                    nursery.start_soon(_read, process, said)
                    await process.wait()
                    nursery.cancel_scope.cancel()
                _read_rest(process, said)
        finally:
            with trio.CancelScope(shield=True):
                await _end(process)
    if patience.cancelled_caught:
        raise DeliveryError(_with_words(f"the command took more than {COMMAND_SECONDS:g} s and was killed", said))
    if status := process.returncode:
        how = f"exited with status {status}" if status > 0 else f"was killed by signal {-status}"
        raise DeliveryError(_with_words(f"the command {how}", said))
    return _in_one_line(said)


async def _open(words: Sequence[str], env: Mapping[str, str], lifeline: Lifeline) -> trio.Process:
    passed = {name: value for name, value in env.items() if name in _PASSED}
    try:
        return await trio.lowlevel.open_process(
            list(words), stdin=PIPE, stdout=DEVNULL, stderr=PIPE, env=passed, cwd="/", start_new_session=True,
            pass_fds=lifeline.passed,
        )  # fmt: skip
    except OSError as error:
        raise DeliveryError(f"the command cannot be started: {error.strerror or 'refused'}") from None


async def _write(process: trio.Process, body: bytes) -> None:
    if process.stdin is not None:
        with suppress(trio.BrokenResourceError):  # it does not read its stdin
            await process.stdin.send_all(body)
        await process.stdin.aclose()


async def _read(process: trio.Process, said: bytearray) -> None:
    while process.stderr is not None and (data := await process.stderr.receive_some(READ_BYTES)):
        said += data[: max(0, OUTPUT_BYTES - len(said))]


def _read_rest(process: trio.Process, said: bytearray) -> None:
    """It has exited; the last of its stderr may still be unread."""
    with suppress(OSError):  # nothing left
        while process.stderr is not None and len(said) < OUTPUT_BYTES:
            data = os.read(process.stderr.fileno(), OUTPUT_BYTES - len(said))  # type: ignore[attr-defined]
            if not data:
                return
            said += data


async def _end(process: trio.Process) -> None:
    """SIGTERM, SIGKILL, each step bounded; the rest of the group gets SIGKILL."""
    await end_group(process, ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, REAP_SECONDS)))
    for stream in (process.stdin, process.stderr):
        if stream is not None:
            await stream.aclose()


def _with_words(text: str, said: bytearray) -> str:
    words = _in_one_line(said)
    return f"{text}: {words}" if words else text


def _in_one_line(said: bytearray) -> str:
    return " ".join(redact(said.decode("utf-8", "replace")).split())
