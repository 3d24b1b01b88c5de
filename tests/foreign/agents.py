"""Judges that are whole agents, too large for every test run: `python -m tests.foreign.agents`.

With words of their names behind it, only those. Each does a small task through the gateway; Codex compacts its
conversation in the middle of it. Their packages come from npm, once. None of them needs an account.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claudegwd.demo.replies import block_text, blocks, say
from claudegwd.demo.script import RecordedRequest, ScriptedReply, ScriptedUsage, ToolUse
from tests.foreign.judged import CLIENT_KEY, MODEL, Judged, judged
from tests.foreign.node_environment import HERE

FOLDER = Path(__file__).parents[2] / ".venv-agents"
SECONDS = 150.0
INSTALL_SECONDS = 600.0
# With scripts: cline's and opencode's fetch nothing, but put their programs in place.
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
# Cline offers a search of the web with every request.
CONFIG = '[claude]\nserver_tools = ["web_search"]\n'
TASK = "Write the file made.txt."
WRITE = "echo written > made.txt"
SUMMARY = "The file was written."
DONE = "All is done."
# What their tools for commands are called, and the arguments.
SHELLS: dict[str, dict[str, Any]] = {
    "exec_command": {"cmd": WRITE},
    "shell_command": {"command": WRITE},
    "bash": {"command": WRITE, "description": "Write a file"},
    "run_commands": {"commands": [WRITE]},
    "execute_command": {"command": WRITE, "requires_approval": False},
}


@dataclass(frozen=True)
class Agent:
    """`prepare`, given its home, its working directory and the gateway's URL (with /v1), answers command and
    environment. `way` has to be in the log of a run; `compacts`: it is brought to compact its conversation."""

    name: str
    way: str
    prepare: Callable[[Path, Path, str], tuple[list[str], Mapping[str, str]]]
    compacts: bool = False


def _codex(config: str) -> Callable[[Path, Path, str], tuple[list[str], Mapping[str, str]]]:
    def prepare(home: Path, _: Path, url: str) -> tuple[list[str], Mapping[str, str]]:
        # The bound is below what the first answer is said to have used.
        settings = f'model = "sonnet"\nmodel_auto_compact_token_limit = 20000\n{config.format(url=url)}'
        (home / "config.toml").write_text(settings)
        command = ["codex", "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", TASK]
        return command, {"CODEX_HOME": str(home), "OPENAI_API_KEY": CLIENT_KEY, "CODEX_API_KEY": CLIENT_KEY}

    return prepare


_OWN_PROVIDER = (
    'model_provider = "gateway"\n[model_providers.gateway]\nname = "gateway"\nbase_url = "{url}"\n'
    'env_key = "OPENAI_API_KEY"\nwire_api = "responses"\n'
)


def _opencode(home: Path, work: Path, url: str) -> tuple[list[str], Mapping[str, str]]:
    provider = {
        "npm": "@ai-sdk/anthropic", "name": "gateway", "options": {"baseURL": url, "apiKey": CLIENT_KEY},
        "models": {MODEL: {"name": "Sonnet"}},
    }  # fmt: skip
    named = f"gateway/{MODEL}"
    config = {"provider": {"gateway": provider}, "model": named, "small_model": named, "autoupdate": False}
    (work / "opencode.json").write_text(json.dumps(config))
    return ["opencode", "run", TASK], {"XDG_DATA_HOME": str(home), "OPENCODE_DISABLE_MODELS_FETCH": "1"}


def _copilot(**settings: str) -> Callable[[Path, Path, str], tuple[list[str], Mapping[str, str]]]:
    def prepare(_: Path, __: Path, url: str) -> tuple[list[str], Mapping[str, str]]:
        env = {
            "COPILOT_OFFLINE": "true", "COPILOT_PROVIDER_BASE_URL": url, "COPILOT_PROVIDER_API_KEY": CLIENT_KEY,
            "COPILOT_MODEL": MODEL, **{f"COPILOT_PROVIDER_{name}": value for name, value in settings.items()},
        }  # fmt: skip
        if settings.get("TYPE") == "anthropic":
            env["COPILOT_PROVIDER_BASE_URL"] = url.removesuffix("/v1")
        return ["copilot", "--allow-all-tools", "--no-color", "-p", TASK], env

    return prepare


def _cline(home: Path, work: Path, url: str) -> tuple[list[str], Mapping[str, str]]:
    settings = {"provider": "anthropic", "apiKey": CLIENT_KEY, "model": MODEL, "baseUrl": url}
    kept = home / "data/settings/providers.json"  # its command for it takes no address
    kept.parent.mkdir(parents=True)
    provider = {"settings": settings, "updatedAt": "2026-11-01T00:00:00.000Z", "tokenSource": "manual"}
    told = {"version": 1, "lastUsedProvider": "anthropic", "modes": {}, "providers": {"anthropic": provider}}
    kept.write_text(json.dumps(told))
    return ["cline", "--data-dir", str(home / "data"), "-P", "anthropic", "-m", MODEL, "-c", str(work), TASK], {}


AGENTS = (
    Agent(
        "codex over a WebSocket, with openai_base_url alone",
        "method=WEBSOCKET route=/v1/responses",
        _codex('openai_base_url = "{url}"\n'),
        compacts=True,
    ),
    Agent("codex over HTTP, with a provider of its own", "method=POST route=/v1/responses", _codex(_OWN_PROVIDER),
          compacts=True),
    Agent("opencode, by its Anthropic provider", "route=/v1/messages", _opencode),
    Agent("copilot, by chat completions", "route=/v1/chat/completions", _copilot()),
    Agent("copilot, by responses", "method=POST route=/v1/responses", _copilot(WIRE_API="responses")),
    Agent("copilot, by responses over a WebSocket", "method=WEBSOCKET route=/v1/responses",
          _copilot(WIRE_API="responses", TRANSPORT="websockets")),
    Agent("copilot, by messages", "route=/v1/messages", _copilot(TYPE="anthropic")),
    Agent("cline, by its Anthropic provider", "route=/v1/messages", _cline),
)  # fmt: skip


def worker(request: RecordedRequest) -> ScriptedReply:
    """Write a file, be summarised, then say that it is done."""
    said, last = json.dumps(request.messages), block_text(blocks(request.messages[-1])[-1])
    if SUMMARY in said:
        return say(DONE)
    if "summar" in last.lower():
        return say(SUMMARY)
    if "toolu_write" in said:
        return say(DONE)
    offered = [tool.get("name") for tool in request.body.get("tools") or ()]
    for name, arguments in SHELLS.items():
        if name in offered:
            usage = ScriptedUsage(input_tokens=50_000)
            return ScriptedReply((ToolUse("toolu_write", name, arguments),), "tool_use", usage=usage)
    return say("A title")


def faults(agent: Agent, gateway: Judged) -> list[str]:
    """What is wrong with its run; nothing, if all is well."""
    gateway.endpoint.script = worker
    since, before = gateway.endpoint.count, len(gateway.daemon.log())
    with tempfile.TemporaryDirectory() as scratch:
        home, work = Path(scratch) / "home", Path(scratch) / "work"
        home.mkdir()
        work.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=work, check=True)
        command, env = agent.prepare(home, work, gateway.base_url)
        path = f"{FOLDER}/node_modules/.bin:{os.environ['PATH']}"
        try:
            ended = subprocess.run(
                command, cwd=work, env={"PATH": path, "HOME": str(home), **env}, capture_output=True, text=True,
                timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [f"it went on for {SECONDS:.0f} s"]
        made = (work / "made.txt").exists()
    log = gateway.daemon.log()[before:]
    asked = [json.dumps(request.body) for request in gateway.upstream(since)]
    told = ended.stderr.lower().splitlines()
    found = {
        f"it ended with status {ended.returncode}": ended.returncode != 0,
        "the file was not written": not made,
        "the last answer did not come": DONE not in ended.stdout,
        "the conversation was not compacted": agent.compacts and not any(SUMMARY in body for body in asked),
        "it fell back to HTTP": any("websocket" in line and "falling back" in line for line in told),
        "it did not go the way that was meant": agent.way not in log,
    }
    wrong = [fault for fault, holds in found.items() if holds]
    return [*wrong, ended.stdout[-1500:], ended.stderr[-1500:]] if wrong else []


def main(words: list[str]) -> int:
    """Run those whose names hold all of the words; the exit status says whether all is well."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "package.json").write_text((HERE / "node_agents/package.json").read_text())
    subprocess.run(INSTALL, cwd=FOLDER, check=True, timeout=INSTALL_SECONDS)
    wrong = 0
    with judged(CONFIG) as gateway:
        for agent in AGENTS:
            if all(word in agent.name for word in words):
                found = faults(agent, gateway)
                wrong += bool(found)
                sys.stdout.write(f"{agent.name}: {'; '.join(found) or 'passed'}\n")
                sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
