"""The contract check: whether a Claude Code CLI still does what the gateway needs.

A separate gateway in demo mode runs it against the scripted endpoint on this machine, and is sent a canned
conversation, once with each carrier. Nothing leaves the machine, and a running gateway is not affected.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from claudegwctl.problems import Problem
from claudegwctl.public import Address, events

# It takes 2 s on an idle machine, and ten times that on a busy one.
START_SECONDS: Final = 60.0
# Its answers end at once; a worker that hangs is killed within this time.
STOP_SECONDS: Final = 20.0

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """The verdict on one ability. `problem` is "" if the CLI has it."""

    name: str
    says: str
    problem: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "says": self.says, "ok": not self.problem, "problem": self.problem}


@dataclass
class Heard:
    """A streamed answer."""

    worker: str = ""
    pieces: list[str] = field(default_factory=list)
    finish_reason: str = ""
    calls: list[dict[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


Ask = Callable[..., Heard]


class Broken(Exception):  # noqa: N818 - it names what happened
    """The CLI does not do what is needed; the text says what it did."""


def verdicts(binary: Path) -> Iterator[Verdict]:
    """Check each ability in turn, and stop if the gateway fails to start. Takes about 20 s."""
    for carrier, steps in (("auto", WHOLE), ("transcript", TRANSCRIPT)):
        begun = time.monotonic()
        try:
            with _gateway(binary, carrier) as ask:
                for name, says, step in steps:
                    yield _judged(name, says, lambda: step(ask))  # noqa: B023 - it is called at once
        except Broken as broken:
            yield Verdict("start", "it starts", str(broken), time.monotonic() - begun)
            return


def _judged(name: str, says: str, step: Callable[[], None]) -> Verdict:
    begun, problem = time.monotonic(), ""
    try:
        step()
    except (Broken, Problem) as broken:
        problem = str(broken)
    return Verdict(name, says, problem, time.monotonic() - begun)


# -- the steps --------------------------------------------------------------------------------------------------------

_TOOL: Final = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


def _said(text: str, role: str = "user") -> dict[str, str]:
    return {"role": role, "content": text}


def _need(holds: object, text: str) -> None:
    if not holds:
        raise Broken(text)


def _stream(ask: Ask) -> None:
    heard = ask([_said("Hello")])
    _need("question 1 of" in heard.text, "it did not answer the first question")
    _need(len(heard.pieces) > 10, f"it streamed a long answer in only {len(heard.pieces)} pieces")


def _history(ask: Ask) -> None:
    heard = ask([_said("one"), _said("an answer from somebody else", "assistant"), _said("two")])
    _need("question 2 of" in heard.text, "it lost the history that the client sent")


def _warm(ask: Ask) -> None:
    ask([_said("first")])
    heard = ask([_said("of another conversation")])
    _need(heard.worker == "warm", f"the process was not reused (x-claudegw-worker: {heard.worker})")
    _need("question 1 of" in heard.text, "one conversation leaked into another")


def _tools(ask: Ask) -> None:
    question = [_said("use the tool look_up")]
    called = ask(question, tools=[_TOOL])
    _need(called.finish_reason == "tool_calls" and called.calls, "it did not pass on a tool call")
    call = called.calls[0]
    made = {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
    done: Messages = [
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": call["id"], "content": "forty-two"},
    ]
    heard = ask([*question, *done], tools=[_TOOL])
    _need("The tool answered: forty-two" in heard.text, "a tool's result did not reach the model")


def _cut(ask: Ask) -> None:
    heard = ask([_said("Hello")], max_tokens=4)
    _need(
        heard.finish_reason == "length",
        f"an answer cut off by max_tokens has finish_reason {heard.finish_reason or 'nothing'}",
    )
    _need("question 1 of" in ask([_said("Hello")]).text, "after an answer that was cut off, it no longer answers")


def _rotation(ask: Ask) -> None:
    heard = ask([_said("fail with 429")])
    _need("question 1 of" in heard.text, "it did not continue with the second key when the first was rate limited")


def _rewind(ask: Ask) -> None:
    begun = [_said("to be continued")]
    answered = [*begun, _said(ask(begun).text, "assistant")]
    heard = ask([*answered, _said("two")])
    _need(heard.worker == "continued", f"the conversation was not kept (x-claudegw-worker: {heard.worker})")
    heard = ask([*answered, _said("two, edited")])
    _need(heard.worker == "rewound", f"it did not rewind the conversation (x-claudegw-worker: {heard.worker})")
    _need("question 2 of" in heard.text, "after rewinding, removed messages were still there")


Step = tuple[str, str, Callable[[Ask], None]]
WHOLE: Final[Sequence[Step]] = (
    ("stream", "it streams", _stream),
    ("whole body", "a request goes through as the client sent it", _history),
    ("warm", "a process serves one conversation after another", _warm),
    ("tools", "tools are called, and their results arrive", _tools),
    ("rotation", "it changes keys inside the running process", _rotation),
    ("cut", "an answer that is cut off sends no further requests", _cut),
)
TRANSCRIPT: Final[Sequence[Step]] = (
    ("replay", "a history is replayed as real turns", _history),
    ("rewind", "it rewinds a conversation", _rewind),
    ("parked tools", "a process waits mid-turn for a tool result", _tools),
)


# -- the gateway ------------------------------------------------------------------------------------------------------


@contextmanager
def _gateway(binary: Path, carrier: str) -> Iterator[Ask]:
    with tempfile.TemporaryDirectory(prefix="cgwtry") as home:
        env = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "PYTHONPATH"}}
        env |= {
            "HOME": home, "TMPDIR": home, "CLAUDEGWD_SOCKET": f"{home}/control.sock",
            "CLAUDEGWD_CLAUDE__BINARY": str(binary.absolute()), "CLAUDEGWD_WORKERS__CARRIER": carrier,
        }  # fmt: skip
        command = [sys.executable, "-m", "claudegwd", "--demo", "--port", "0"]
        with (
            (Path(home) / "log").open("w") as log,
            subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log) as process,  # noqa: S603
        ):
            try:
                address = _address(process, Path(home) / "log")
                yield lambda messages, **more: _ask(address, messages, more)
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> Address:
    until = time.monotonic() + START_SECONDS
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    said = b""
    while select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(process.stdout.fileno(), 4096)
        if not piece:
            last = log.read_text(errors="replace").strip().splitlines()
            raise Broken(f"it does not start: {last[-1] if last else 'no reason given'}")
        said += piece
        if found := re.search(rb"http://([\d.]+):(\d+)/", said):
            return Address(found[1].decode(), int(found[2]))
    raise Broken(f"it does not start within {START_SECONDS:g} s")


def _ask(address: Address, messages: Messages, more: Mapping[str, Any]) -> Heard:
    heard = Heard()
    body = {"model": "sonnet", "messages": list(messages), "stream": True, **more}
    with events(address, "/chat/completions", body, None) as (headers, found):
        heard.worker = headers.get("x-claudegw-worker", "")
        for event in found:
            for choice in event.get("choices") or ():
                _hear(heard, choice)
    return heard


def _hear(heard: Heard, choice: Mapping[str, Any]) -> None:
    heard.finish_reason = choice.get("finish_reason") or heard.finish_reason
    delta = choice.get("delta") or {}
    if delta.get("content"):
        heard.pieces.append(delta["content"])
    for piece in delta.get("tool_calls") or ():
        function = piece.get("function") or {}
        if piece.get("id"):
            heard.calls.append({"id": piece["id"], "name": function.get("name", ""), "arguments": ""})
        if heard.calls:
            heard.calls[-1]["arguments"] += function.get("arguments") or ""
