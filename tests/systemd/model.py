"""A scripted model in the lab: each answer has it run a command, and then repeat what came of it.

`python3 model.py PORT COMMAND` with the Python of the package, which has the scripted endpoint.
"""

from __future__ import annotations

import sys

import trio

from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.replies import blocks
from claudegwd.demo.script import Answer, RecordedRequest, ScriptedReply, Text, ToolUse


def main(port: int, command: str) -> None:
    def script(request: RecordedRequest) -> Answer:
        found = [block for message in request.messages for block in blocks(message)]
        results = [str(block.get("content")) for block in found if block.get("type") == "tool_result"]
        if results:
            return ScriptedReply((Text((results[-1],)),))
        return ScriptedReply((ToolUse("toolu_1", "Bash", {"command": command}),), "tool_use")

    trio.run(ScriptedEndpoint(script).serve, "127.0.0.1", port)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
