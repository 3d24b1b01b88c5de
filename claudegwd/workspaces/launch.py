"""How the CLI process of an answer in a workspace is started, and what it can reach."""

import json
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from claudegwd import contract
from claudegwd.claude_cli import workspace_launch
from claudegwd.claude_cli.launch import TOOL_SERVER
from claudegwd.config.schema import WorkspaceConfig
from claudegwd.workers.process.process import Launch
from claudegwd.workspaces import confine
from claudegwd.workspaces.cli_session import CliSession, put_transcript
from claudegwd.workspaces.opened_files import open_regular, place_of
from claudegwd.workspaces.policy import OTHERS_OBEY, Policy
from claudegwd.workspaces.rules import Rule, granted, has_wildcard, parse_rule

# The largest file that may be written inside; the output of a command is kept in a file, too.
MAX_FILE_BYTES = 256 * 1024 * 1024
# Per answer: a build with many jobs has some hundred; a fork bomb reaches this in a moment.
MAX_PROCESSES = 512
# Per answer: a build or a test suite takes a gigabyte or two, the CLI some 250 MB. Files in memory (tmpfs, memfd) are
# not counted.
MAX_MEMORY_BYTES = 4 * 1024 * 1024 * 1024
MAX_INSTRUCTIONS_BYTES = 64 * 1024  # a CLAUDE.md; it is sent with every upstream request
MAX_SERVERS_BYTES = 1024 * 1024  # a file of MCP servers, which is written by hand

# What programs need from the system, without anybody's secrets. Nothing else of /etc.
_SYSTEM = (
    "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr", "/nix/store", "/proc", "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    *(
        f"/etc/{name}" for name in (
            "alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "debian_version", "fonts",
            "gitconfig", "group", "host.conf", "hosts", "inputrc", "java-17-openjdk", "ld.so.cache", "ld.so.conf",
            "ld.so.conf.d", "localtime", "locale.alias", "locale.conf", "lsb-release", "magic", "mime.types",
            "nsswitch.conf", "os-release", "passwd", "pki/ca-trust", "pki/tls", "profile", "profile.d", "protocols",
            "resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone", "xdg",
        )
    ),
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")


@dataclass(frozen=True, slots=True)
class PreparedProcess:
    """What a process is started with. `channel` delivers the listener that it will send requests to; close both ends.

    `instructions`: the directory's CLAUDE.md, if wanted.
    """

    launch: Launch
    channel: socket.socket
    theirs: socket.socket
    instructions: str


def policy_of(workspace: WorkspaceConfig) -> Policy:
    """The policy, with real paths: a link that is changed later does not count."""
    deny = [parse_rule(text) for text in workspace.deny]
    return Policy(
        os.path.realpath(Path(workspace.directory).expanduser()),
        frozenset(workspace.tools),
        tuple(_real(parse_rule(text)) for text in workspace.allow),
        tuple(dict.fromkeys([*deny, *map(_real, deny)])),
        workspace.otherwise == "ask",
    )


def _real(rule: Rule) -> Rule:
    """The rule with the real path of the directory outside that it is about."""
    path = granted(rule.pattern)
    if path is None:
        return rule
    found = os.path.realpath(path)
    rest = rule.pattern[1 + len(path.rstrip("/")) :]
    return rule if has_wildcard(found) else replace(rule, pattern=f"/{found.rstrip('/')}{rest}")


def prepare(
    workspace: WorkspaceConfig,
    policy: Policy,
    binary: Path,
    home: Path,
    env: Mapping[str, str],
    token: str,
    tool_seconds: float,
    session: CliSession,
) -> PreparedProcess:
    """Write the files that the process reads at startup to `home`, its scratch directory. OSError. Blocking."""
    servers = _servers(workspace, home)
    settings = home / "settings.json"
    settings.write_text(json.dumps(workspace_launch.settings(workspace.tools, servers, _unread(policy))))
    command = workspace_launch.argv(
        binary, tools=workspace.tools, settings=settings, mcp=home / "servers.json" if servers else None,
        max_turns=workspace.max_turns, max_usd=workspace.max_usd,
        session=session.ident, resumes=bool(session.transcript),
    )  # fmt: skip
    if session.transcript:
        put_transcript(home, session)
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    spec = {**_reach(workspace, policy, binary, home), "channel": theirs.fileno()}
    line = [sys.executable, "-I", "-S", str(Path(confine.__file__)), json.dumps(spec), *command]
    own = workspace_launch.environment(
        env, home=home, token=token, tool_seconds=tool_seconds, confined=workspace.sandbox != "off"
    )
    launch = Launch(line, own, Path(policy.directory), passed=(theirs.fileno(),))
    return PreparedProcess(launch, ours, theirs, instructions_of(workspace, policy))


def _unread(policy: Policy) -> list[str]:
    """What may not be read, as the CLI understands it: to it, a single slash begins a path below its settings file."""
    rules = [rule for rule in policy.deny if rule.tool == "Read"]
    return [
        replace(rule, pattern=f"/{policy.directory}{rule.pattern}").text
        if re.match("/(?!/)", rule.pattern)
        else rule.text
        for rule in rules
    ]


def _reach(workspace: WorkspaceConfig, policy: Policy, binary: Path, home: Path) -> dict[str, object]:
    read = [*map(os.path.realpath, _SYSTEM), str(binary.resolve()), *policy.outside("Read")]
    write = [os.path.realpath(home), *_DEVICES, *policy.outside("Edit")]
    (write if contract.workspace_writes(workspace.tools, workspace.allow) else read).append(policy.directory)
    return {
        "confined": workspace.sandbox != "off",
        "required": workspace.sandbox == "required",
        "read": read,
        "write": write,
        "kept": _kept(policy),
        "outside": bool(workspace.mcp) or "WebFetch" in workspace.tools,
        "file_bytes": MAX_FILE_BYTES,
        "processes": MAX_PROCESSES,
        "memory_bytes": MAX_MEMORY_BYTES,
    }


def _kept(policy: Policy) -> dict[str, bool]:
    """What in the directory must stay in place, and whether it is writable: other programs run what they find there,
    outside the sandbox. The rest of a repository has to be writable."""
    places = {f"{policy.directory}/{name}": name == ".git" for name in OTHERS_OBEY}
    repository = f"{policy.directory}/.git"
    if not Path(repository).is_dir():
        return places | {repository: False}  # a file that points to the repository
    return places | {f"{repository}/{name}": False for name in ("hooks", "config")}


def _servers(workspace: WorkspaceConfig, home: Path) -> list[str]:
    """The names of the MCP servers; their file is copied to where the CLI may read it. ValueError if it is invalid."""
    if not workspace.mcp:
        return []
    with open_regular(Path(workspace.mcp).expanduser()) as file:
        text = file.read(MAX_SERVERS_BYTES)
    servers = json.loads(text)["mcpServers"]
    if TOOL_SERVER in servers:
        raise ValueError(f"the name {TOOL_SERVER} is reserved for the gateway's own server")
    copy = home / "servers.json"
    copy.touch(0o600)
    copy.write_bytes(text)
    return list(servers)


def instructions_of(workspace: WorkspaceConfig, policy: Policy) -> str:
    """The directory's CLAUDE.md if wanted; "" otherwise, or if it is a link that leads outside."""
    if not workspace.instructions:
        return ""
    try:
        with open_regular(Path(policy.directory) / "CLAUDE.md") as file:
            inside = place_of(file.fileno()).startswith(f"{policy.directory}/")
            return file.read(MAX_INSTRUCTIONS_BYTES).decode("utf-8", "replace") if inside else ""
    except OSError:
        return ""
