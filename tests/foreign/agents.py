"""Judges that are whole agents, too large for every test run: `python -m tests.foreign.agents`.

Codex does a small task and compacts its conversation in the middle of it: over a WebSocket, with nothing but
`openai_base_url` set, and over HTTP with a provider of its own. Its package comes from npm, once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from claudegwd.demo.replies import block_text, blocks, say
from claudegwd.demo.script import RecordedRequest, ScriptedReply, ScriptedUsage, ToolUse
from tests.foreign.judged import CLIENT_KEY, Judged, judged
from tests.foreign.node_environment import HERE, INSTALL

FOLDER = Path(__file__).parents[2] / ".venv-agents"
SECONDS = 120.0
# More than the bound at which Codex is told to compact: so it does after the first answer.
MUCH = ScriptedUsage(input_tokens=50_000)
SUMMARY = "The file was written."
SETTINGS = 'model = "sonnet"\nmodel_auto_compact_token_limit = 20000\n'
WAYS = {
    "codex over a WebSocket, with openai_base_url alone": '{settings}openai_base_url = "{url}"\n',
    "codex over HTTP, with a provider of its own": (
        '{settings}model_provider = "gateway"\n[model_providers.gateway]\nname = "gateway"\nbase_url = "{url}"\n'
        'env_key = "OPENAI_API_KEY"\nwire_api = "responses"\n'
    ),
}


def worker(request: RecordedRequest) -> ScriptedReply:
    """Write a file, be summarised, then say that it is done."""
    said, last = json.dumps(request.messages), block_text(blocks(request.messages[-1])[-1])
    if SUMMARY in said:
        return say("All is done.")
    if "summar" in last.lower():
        return say(SUMMARY)
    if "toolu_write" in said:
        return say("All is done.")
    [name] = [tool["name"] for tool in request.body["tools"] if tool["name"] in ("exec_command", "shell_command")]
    key = "cmd" if name == "exec_command" else "command"
    return ScriptedReply((ToolUse("toolu_write", name, {key: "echo written > made.txt"}),), "tool_use", usage=MUCH)


def codex(gateway: Judged, config: str) -> list[str]:
    """What is wrong with a run of Codex; nothing, if all is well."""
    gateway.endpoint.script = worker
    since, before = gateway.endpoint.count, len(gateway.daemon.log())
    with tempfile.TemporaryDirectory() as scratch:
        home, work = Path(scratch) / "home", Path(scratch) / "work"
        home.mkdir()
        work.mkdir()
        (home / "config.toml").write_text(config.format(url=gateway.base_url, settings=SETTINGS))
        program = FOLDER / "node_modules/.bin/codex"
        ended = subprocess.run(
            [program, "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", "Write the file made.txt."],
            cwd=work,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home), "OPENAI_API_KEY": CLIENT_KEY,
                 "CODEX_API_KEY": CLIENT_KEY, "RUST_LOG": "codex_core=info"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        made = (work / "made.txt").exists()
    log = gateway.daemon.log()[before:]
    asked = [json.dumps(request.body) for request in gateway.upstream(since)]
    told = ended.stderr.lower().splitlines()
    faults = {
        f"it ended with status {ended.returncode}": ended.returncode != 0,
        "the file was not written": not made,
        "the last answer did not come": "All is done." not in ended.stdout,
        "the conversation was not compacted": not any(SUMMARY in body for body in asked),
        "it fell back to HTTP": any("websocket" in line and "falling back" in line for line in told),
        "it was not the way that was meant": ("method=WEBSOCKET" in log) != ("openai_base_url" in config),
    }
    found = [fault for fault, holds in faults.items() if holds]
    return [*found, ended.stdout[-2000:], ended.stderr[-3000:]] if found else []


def main() -> int:
    """Run them all; the exit status says whether all is well."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "package.json").write_text((HERE / "node_agents/package.json").read_text())
    subprocess.run([*INSTALL], cwd=FOLDER, check=True)
    wrong = 0
    with judged() as gateway:
        for name, config in WAYS.items():
            faults = codex(gateway, config)
            wrong += bool(faults)
            sys.stdout.write(f"{name}: {'; '.join(faults) or 'passed'}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
