"""Check that there is a Claude Code CLI, and that its version is supported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from claudegwctl.checks.finding import OK, PROBLEM, Finding, Scene
from claudegwd.contract import CLI_NAME, HOW_TO_GET_CLI, NEWEST_CLI, OLDEST_CLI, PINNED_CLI, cli_directory, expanded

# It takes half a second; on a machine that swaps, longer.
VERSION_SECONDS: Final = 20


def check(scene: Scene) -> Iterator[Finding]:
    binary = find(scene)
    if binary is None:
        yield Finding("claude", PROBLEM, "no Claude Code CLI found", HOW_TO_GET_CLI)
        return
    try:
        done = subprocess.run(  # noqa: S603 - the CLI that the daemon would start as well
            [binary, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        yield Finding("claude", PROBLEM, f"{binary} does not start: {error.strerror}", HOW_TO_GET_CLI)
        return
    except subprocess.TimeoutExpired:
        yield Finding("claude", PROBLEM, f"{binary} --version does not finish", HOW_TO_GET_CLI)
        return
    yield judged(binary, done.stdout)


def find(scene: Scene) -> Path | None:
    """Find it as the daemon does: what a running daemon reports, the setting, the bundled one, PATH."""
    if scene.status is not None and scene.status.get("claude_binary"):
        return Path(scene.status["claude_binary"])
    setting = str(scene.settings.get("claude.binary", "auto"))
    if setting != "auto":
        return expanded(setting)
    version = str(scene.settings.get("claude.version", PINNED_CLI))
    if version not in {PINNED_CLI, NEWEST_CLI}:
        return cli_directory(scene.env) / version / CLI_NAME
    # Located without being imported. Only the daemon can resolve "newest".
    spec = find_spec("claude_agent_sdk")
    for place in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(place) / "_bundled" / "claude"
        if os.access(bundled, os.X_OK):
            return bundled
    found = shutil.which("claude", path=scene.env.get("PATH"))
    return Path(found) if found else None


def judged(binary: Path, output: str) -> Finding:
    """`output` is what --version printed, such as "2.1.330 (Claude Code)"."""
    match = re.match(r"\s*(\d+)\.(\d+)\.(\d+)", output)
    if match is None:
        return Finding("claude", PROBLEM, f"{binary} reports no version: is it the Claude Code CLI?", HOW_TO_GET_CLI)
    version = ".".join(match.groups())
    if tuple(map(int, match.groups())) < OLDEST_CLI:
        oldest = ".".join(map(str, OLDEST_CLI))
        return Finding("claude", PROBLEM, f"{binary} is {version}, older than {oldest}", HOW_TO_GET_CLI)
    return Finding("claude", OK, f"{version} ({binary})")


def tried(binary: Path) -> Iterator[Finding]:
    """Run the contract check against this CLI."""
    from claudegwctl.cli_life.trial import verdicts

    for verdict in verdicts(binary):
        if verdict.problem:
            mend = "run `claudegwctl cli use pinned` to use the version that came with the gateway"
            yield Finding(f"cli {verdict.name}", PROBLEM, verdict.problem, mend)
        else:
            yield Finding(f"cli {verdict.name}", OK, verdict.says)
