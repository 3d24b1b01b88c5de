"""The scripted endpoint as a process of its own, so that it does not share the client's event loop.

Writes its port on stdout and serves until its stdin ends. Keys that contain "revoked" or "limited" fail; the others get
`deltas` parts of text, their own words back where the question begins with "echo ", or a call of the first tool where
it begins with "call ". `--asked FILE` gets a line each time
that a key is asked which was revoked.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import trio

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import last_user_text, obey, say
from claudegwd.demo.script import Answer, Pause, RecordedRequest, ScriptedReply, ToolUse, limited, revoked


async def serve(deltas: int, gap: float, pause: float, asked: Path | None) -> None:
    calls = count()
    parts = tuple(f"word{n:03d} " for n in range(deltas))

    def script(request: RecordedRequest) -> Answer:
        key = request.key or ""
        if "revoked" in key:
            if asked is not None:
                with asked.open("a") as file:
                    file.write("refused\n")
            return revoked()
        if "limited" in key:
            return limited(retry_after=1)
        answer = answer_to(request, last_user_text(request))
        return replace(answer, before=(Pause(pause),)) if pause else answer

    def answer_to(request: RecordedRequest, said: str) -> ScriptedReply:
        if said.startswith("call "):
            return ScriptedReply(
                (ToolUse(f"toolu_{next(calls)}", str(request.body["tools"][0]["name"]), {}),), "tool_use"
            )
        return obey(request, said, gap=gap) if said.startswith("echo ") else say(*parts, gap=gap)

    async with trio.open_nursery() as nursery:
        endpoint = ScriptedEndpoint(script)
        await nursery.start(endpoint.serve)
        sys.stdout.write(f"{endpoint.port}\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--deltas", type=int, default=8)
    parser.add_argument("--gap", type=float, default=0.0)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--asked", type=Path)
    arguments = parser.parse_args()
    trio.run(serve, arguments.deltas, arguments.gap, arguments.pause, arguments.asked)
