#!/usr/bin/env -S python3 -S -E
"""An honest stand-in for the Claude Code CLI: the same lines on stdin and stdout, no network, a 40 ms start.

It answers by itself. What it answers and how it fails is told by environment variables FAKE_CLI_<NAME>, or by pairs in
the model's name (`fake-deltas-200-gap-5`), which win.

    deltas, size, gap     number of text deltas (20), characters in each (8), milliseconds between two (0)
    echo                  1: the answer is the last user text instead
    stamp                 1: each delta is the time it was written, time.monotonic_ns()
    calls                 number of tool calls before the text, of the first declared tools (0)
    think                 milliseconds between the start of a message and its first delta (0)
    signs                 milliseconds before a message in which only its client library writes, to stderr (0)
    slow                  milliseconds before the first line is read (0)
    crash, hang, nonsense, huge     the state at which it exits with 1, stops for good, writes a line that is no JSON,
                          or one of 64 MiB: start, warm_up, initialize, settings, append, interrupt, rewind, ask,
                          message, streaming, tool, result, ended
    stubborn              1: SIGTERM and the end of stdin are ignored
    once                  a path: the fault happens only to the process that creates this file
An upstream token that contains fail-401, fail-credit, fail-403, fail-429 or fail-529 fails like that upstream.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

# Started as a script, it has tests/ on the path, and -E keeps any other out.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib costs 8 ms

from tests.fake_lines import VERSION, Lines  # noqa: E402 - needs the path above

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    # What a turn waits for: so many seconds, or the answers to these calls.
    Turn = Generator[float | list[str], None, None]

FAULTS = ("crash", "hang", "nonsense", "huge")
DEFAULTS = {"deltas": "20", "size": "8", "gap": "0", "calls": "0", "signs": "0", "slow": "0"}
READ_BYTES = 1 << 20
HUGE_BYTES = 64 * 1024 * 1024
CHARACTERS_PER_TOKEN = 4
SIGN_MILLISECONDS = 50
# Left alone the real CLI asks three more times when max_tokens cut an answer.
MESSAGES_WHEN_CUT = 4
ONE_REQUEST = "--max-budget-usd"  # and with this one answer ends the turn
# token word: status, `error`, `api_error_type`, as the real CLI reports them
FAILURES = {
    "fail-401": (401, "authentication_failed", "authentication_error"),
    "fail-credit": (400, "billing_error", "invalid_request_error"),
    "fail-403": (403, "authentication_failed", "permission_error"),
    "fail-429": (429, "rate_limit", "rate_limit_error"),
    "fail-529": (529, "server_error", "overloaded_error"),
}


class FakeCli:
    def __init__(self) -> None:
        self.out = Lines()
        self.env = dict(os.environ)
        self.tools: list[tuple[str, str]] = []
        self.said = ""
        self.questions = 0  # asked and not yet begun
        self.turn: Turn | None = None
        self.answered: set[str] = set()

    def setting(self, name: str) -> str:
        words = self.out.model.split("-")
        pairs = dict(zip(words[1::2], words[2::2], strict=False))
        return pairs.get(name) or os.environ.get("FAKE_CLI_" + name.upper()) or DEFAULTS.get(name, "")

    def point(self, state: str) -> None:
        """A fault that was ordered for this state happens here."""
        ordered = [fault for fault in FAULTS if self.setting(fault) == state]
        once = self.setting("once")
        if ordered and once:
            try:
                os.close(os.open(once, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
        if "crash" in ordered:
            os._exit(1)
        while "hang" in ordered:
            time.sleep(3600)
        if "nonsense" in ordered:
            self.out.raw(b"Segmentation fault (this is no JSON)\n")
        if "huge" in ordered:
            self.out.raw(b'{"type":"system","padding":"' + b"x" * HUGE_BYTES + b'"}\n')

    # --- listening ---

    def line(self, value: dict[str, Any]) -> None:
        kind = value.get("type")
        if kind == "control_request":
            self.control(value["request_id"], value["request"])
        elif kind == "control_response":
            self.answered.add(value["response"]["request_id"])
        elif kind == "user":
            self.user(value)

    def control(self, request_id: str, request: dict[str, Any]) -> None:
        subtype = request.get("subtype")
        if subtype == "initialize":
            self.point("initialize")
            for server, manifest in request.get("sdkMcpServerManifests", {}).items():
                self.tools += [(server, tool["name"]) for tool in manifest["toolsListResult"]["tools"]]
            self.out.tools = [f"mcp__{server}__{name}" for server, name in self.tools]
            self.out.initialized(request_id)
        elif subtype == "apply_flag_settings":
            self.point("settings")
            self.out.model = request["settings"].get("model") or self.out.model
            self.env.update(request["settings"].get("env") or {})
            self.out.respond(request_id)
        elif subtype == "interrupt":
            self.point("interrupt")
            self.out.respond(request_id, {"still_queued": []})
            if self.turn is not None:
                self.turn = None
                self.out.user([{"type": "text", "text": "[Request interrupted by user]"}])
                self.out.result(is_error=True, terminal_reason="aborted_streaming", subtype="error_during_execution")
        elif subtype == "rewind_conversation":
            self.point("rewind")
            self.out.respond(request_id, {"rewound": self.turn is None})
        elif subtype == "side_question":
            self.point("warm_up")
            self.out.respond(request_id, {"response": "(API error: Invalid URL)", "synthetic": True})
        elif subtype == "get_binary_version":
            self.out.respond(request_id, {"version": VERSION, "buildTime": "2026-01-01T00:00:00Z"})
        else:
            self.out.respond(request_id)

    def user(self, value: dict[str, Any]) -> None:
        content = value["message"]["content"]
        if content == "/clear" and not value.get("client_composed"):
            self.said = ""
            self.out.cleared()
            return
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if blocks:
            self.said = "".join(block.get("text", "") for block in blocks if block.get("type") == "text")
        if value.get("shouldQuery") is False:
            self.point("append")
            self.out.init()
            self.out.result(num_turns=0)
        else:
            self.questions += 1

    # --- answering ---

    def answer(self) -> Turn:
        self.point("ask")
        self.out.init()
        token = self.env.get("ANTHROPIC_AUTH_TOKEN") or self.env.get("ANTHROPIC_API_KEY") or ""
        for word, failure in FAILURES.items():
            if word in token:
                self.out.failure(*failure)
                return
        for _ in range(int(self.setting("signs")) // SIGN_MILLISECONDS):
            os.write(2, b"[Anthropic SDK DEBUG] retrying\n")
            yield SIGN_MILLISECONDS / 1000
        calls = self.tools[: int(self.setting("calls"))]
        if calls:
            yield self.call(calls)
        for _ in range(1 if ONE_REQUEST in sys.argv else MESSAGES_WHEN_CUT):
            parts, reason = self.parts()
            yield from self.say(parts, reason)
            if reason != "max_tokens":
                break
            self.out.user("Output token limit hit.", isSynthetic=True)
            yield 0.005
        self.point("result")
        self.out.result()
        self.point("ended")

    def call(self, calls: list[tuple[str, str]]) -> list[str]:
        self.out.begin()
        self.point("message")
        self.out.message_start()
        waiting = []
        for index, (server, tool) in enumerate(calls):
            call_id = f"toolu_{self.out.uuid()}"
            block = {"type": "tool_use", "id": call_id, "name": f"mcp__{server}__{tool}", "input": {}}
            self.out.block_start(index, block)
            self.out.delta(index, {"type": "input_json_delta", "partial_json": "{}"})
            self.out.block_stop(index, block)
            waiting.append(self.out.tool_call(server, tool, call_id, index + 2))
        self.out.message_end("tool_use")
        self.point("tool")
        return waiting

    def say(self, parts: list[str], reason: str) -> Turn:
        self.out.begin()
        self.point("message")
        self.out.message_start()
        if self.setting("think"):
            yield float(self.setting("think")) / 1000
        self.out.block_start(0, {"type": "text", "text": ""})
        gap, stamp = float(self.setting("gap")) / 1000, self.setting("stamp") == "1"
        for number, part in enumerate(parts):
            if number and gap:
                yield gap
            if number == len(parts) // 2:
                self.point("streaming")
            self.out.delta(0, {"type": "text_delta", "text": f"{time.monotonic_ns()} " if stamp else part})
        self.out.block_stop(0, {"type": "text", "text": "".join(parts)})
        self.out.message_end(reason)

    def parts(self) -> tuple[list[str], str]:
        count, size = int(self.setting("deltas")), max(1, int(self.setting("size")))
        body = json.loads(self.env.get("CLAUDE_CODE_EXTRA_BODY") or "{}")
        if "messages" in body:
            last = body["messages"][-1]["content"]
            self.said = last if isinstance(last, str) else "".join(block.get("text", "") for block in last)
        text = self.said if self.setting("echo") == "1" else "".join(f"{n:{size}d}" for n in range(count))
        most = self.env.get("CLAUDE_CODE_MAX_OUTPUT_TOKENS") or body.get("max_tokens") or len(text) or 1
        limit = CHARACTERS_PER_TOKEN * int(most)
        kept = text[:limit]
        parts = [kept[i : i + size] for i in range(0, len(kept), size)]
        return parts, "max_tokens" if limit < len(text) else "end_turn"

    # --- the loop: lines that have come are read before the turn takes its next step ---

    def run(self) -> None:
        time.sleep(int(self.setting("slow")) / 1000)
        self.point("start")
        buffer, at_end = b"", False
        waiting: float | list[str] = 0.0
        while self.turn is not None or self.questions or not at_end or self.setting("stubborn") == "1":
            if self.turn is None and self.questions:
                self.questions -= 1
                self.turn, waiting = self.answer(), 0.0
            ready, timeout = self.progress(waiting)
            if at_end:
                time.sleep(0.05 if timeout is None else timeout)
            elif select.select([0], [], [], timeout)[0]:
                data = os.read(0, READ_BYTES)
                at_end = not data
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self.line(json.loads(line))
                continue
            if ready and self.turn is not None:
                try:
                    step = next(self.turn)
                    waiting = step if isinstance(step, list) else time.monotonic() + step
                except StopIteration:
                    self.turn = None

    def progress(self, waiting: float | list[str]) -> tuple[bool, float | None]:
        """Whether the turn can go on once the time is over, and the seconds to wait for input until then."""
        if self.turn is None:
            return False, None
        if isinstance(waiting, list):
            done = self.answered.issuperset(waiting)
            return done, 0.0 if done else None
        return True, max(0.0, waiting - time.monotonic())


def main() -> None:
    if "--version" in sys.argv:
        print(f"{VERSION} (fake)")
        return
    cli = FakeCli()
    stubborn = cli.setting("stubborn") == "1"
    signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else lambda *_: os._exit(143))
    try:
        cli.run()
    except BrokenPipeError:
        os._exit(1)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"Error parsing streaming input line: {type(error).__name__}")


if __name__ == "__main__":
    main()
