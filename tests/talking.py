"""Talk to a CLI, real or fake, line by line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Line = dict[str, Any]
ARGUMENTS = ["-p", "--bare", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
             "--include-partial-messages", "--tools", "", "--strict-mcp-config", "--setting-sources", "",
             "--no-session-persistence"]  # fmt: skip


class Talk:
    """One CLI process and the lines it has written."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.serial = 0

    def send(self, *lines: Line) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self.process.stdin.flush()

    def control(self, subtype: str, **more: Any) -> Line:
        self.serial += 1
        return {"type": "control_request", "request_id": f"r{self.serial}", "request": {"subtype": subtype, **more}}

    def until(self, wanted: Callable[[Line], bool]) -> list[Line]:
        assert self.process.stdout is not None
        seen: list[Line] = []
        for raw in self.process.stdout:
            seen.append(json.loads(raw))
            if wanted(seen[-1]):
                break
        return seen

    def result(self) -> list[Line]:
        return self.until(lambda line: line["type"] == "result")


@contextmanager
def talk(binary: Path, environment: dict[str, str], cwd: Path) -> Iterator[Talk]:
    process = subprocess.Popen(
        [str(binary), *ARGUMENTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=cwd
    )
    with process:
        try:
            yield Talk(process)
        finally:
            process.kill()


def user(content: Any, **more: Any) -> Line:
    message = {"role": "user", "content": content}
    return {"type": "user", "message": message, "parent_tool_use_id": None, "session_id": "", **more}


def settings(started: Talk, model: str, **environment: str) -> Line:
    return started.control("apply_flag_settings", settings={"model": model, "env": environment})
