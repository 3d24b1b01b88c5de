"""What the daemon and its control CLI agree on: exit codes and paths.

`claudegwctl` imports this and has to start fast: only the standard library at module level, and platformdirs (8 ms)
inside the functions that need it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

APP: Final = "claudegwd"

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_NOT_RUNNING: Final = 3
# sysexits.h EX_CONFIG; the systemd unit never restarts on it, so nothing but a bad configuration may use it.
EXIT_CONFIG: Final = 78

# Before it, an answer of white space alone was asked for twice upstream. What else the versions do otherwise stands in
# docs/claude-cli-notes.md. What an older one lacks would show in the middle of an answer.
OLDEST_CLI: Final = (2, 1, 316)

# claude.version, beside the number of one that was fetched: the one that came with the gateway, and the newest of all.
PINNED_CLI: Final = "pinned"
NEWEST_CLI: Final = "newest"
# Where `claudegwctl cli` keeps one: VERSION/claude, and beside it what is known of it.
CLI_NAME: Final = "claude"
CLI_RECORD: Final = "record.json"

# Where there is no CLI, or one that is too old. No other way works for all: the extra's package counts only beside us.
HOW_TO_GET_CLI: Final = (
    "install the gateway with its extra `cli` (in a clone: `pip install '.[cli]'`), put `claude` on PATH, or set "
    "claude.binary"
)

CONFIG_NAME: Final = "config.toml"
KEYS_NAME: Final = "keys.json"
SHARED_PASSWORD_NAME: Final = "shared-password"  # noqa: S105 - a file name
SHARED_SECRET_NAME: Final = "shared-secret"  # noqa: S105 - a file name
STATE_NAME: Final = "state.db"
# Beside it: the lock of whoever uses the state, and the key under which kept responses are sealed.
STATE_LOCK_NAME: Final = "state.lock"
SEAL_NAME: Final = "seal.key"
SOCKET_NAME: Final = "control.sock"
SYSTEM_SOCKET: Final = Path("/run/claudegwd/control.sock")
SYSTEM_CONFIGURATION: Final = Path("/etc/claudegwd")
SYSTEM_STATE: Final = Path("/var/lib/claudegwd")
# Where systemd looks for what the unit's LoadCredential= names.
SYSTEM_CREDENTIAL: Final = Path("/etc/credstore/claudegwd.keys.json")

# The tools of a workspace that change no file.
HARMLESS_TOOLS: Final = frozenset({"Read", "Grep", "Glob", "WebFetch", "WebSearch"})
MCP_PREFIX: Final = "mcp__"

# sun_path holds 108 bytes on Linux and 104 on macOS and the BSDs, including the final NUL: the smaller one applies
# everywhere.
MAX_SOCKET_PATH_BYTES: Final = 103


def ensure_home() -> None:
    """Say HOME=/ where neither HOME nor passwd names a home, as container engines do for a user id without an entry.

    Both programs begin with it. What then cannot be written under / is refused by name, like any other place.
    """
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib's raises
        os.environ["HOME"] = "/"


def workspace_writes(tools: Iterable[str], allow: Iterable[str]) -> bool:
    """Whether anything in a workspace could change a file: what servers do is not known. `allow`: its rules' texts."""
    return not HARMLESS_TOOLS.issuperset(tools) or any(rule.startswith(MCP_PREFIX) for rule in allow)


def config_path(env: Mapping[str, str]) -> tuple[Path, bool]:
    """Where config.toml lies, and whether somebody asked for that very file (then it has to exist)."""
    if named := env.get("CLAUDEGWD_CONFIG"):
        return Path(named).expanduser().absolute(), True
    return config_directory(env) / CONFIG_NAME, False


def config_directory(env: Mapping[str, str]) -> Path:
    """Of config.toml and keys.json; systemd's CONFIGURATION_DIRECTORY wins."""
    if given := _systemd_directory(env, "CONFIGURATION_DIRECTORY"):
        return given
    import platformdirs

    return platformdirs.user_config_path(APP)


def places_of(env: Mapping[str, str], uid: int, system: Path = SYSTEM_CONFIGURATION) -> Mapping[str, str]:
    """Where to look while no daemon runs: `env`, with the service's places where root asks and has no gateway itself.

    Else `sudo claudegwctl restore` would put it all into root's home, where no service looks.
    """
    named = any(env.get(name) for name in ("CLAUDEGWD_CONFIG", "CONFIGURATION_DIRECTORY", "STATE_DIRECTORY"))
    if uid != 0 or named or not system.is_dir() or config_directory(env).is_dir():
        return env
    return {**env, "CONFIGURATION_DIRECTORY": str(system), "STATE_DIRECTORY": str(SYSTEM_STATE)}


def state_directory(env: Mapping[str, str]) -> Path:
    """Of the SQLite file; systemd's STATE_DIRECTORY wins."""
    if given := _systemd_directory(env, "STATE_DIRECTORY"):
        return given
    import platformdirs

    return platformdirs.user_state_path(APP)


def cli_directory(env: Mapping[str, str]) -> Path:
    """Of the Claude Code CLIs that were fetched."""
    return state_directory(env) / "cli"


def keys_path(env: Mapping[str, str], config_file: Path, setting: str = "") -> Path:
    """Where the upstream keys lie: the setting `keys.file`, else systemd's credential, else beside config.toml.

    A credential is a read-only copy: whoever writes keys has to refuse with the name of the true file.
    """
    if setting:
        return config_file.parent / Path(setting).expanduser()
    if directory := env.get("CREDENTIALS_DIRECTORY"):
        credential = Path(directory) / KEYS_NAME
        if is_there(credential):
            return credential
    return config_file.parent / KEYS_NAME


def shared_password_path(env: Mapping[str, str], config_file: Path, setting: str = "") -> Path | None:
    """Where the password of the shared store lies: `shared.password_file`, else systemd's credential; None: nowhere."""
    return _named_or_credential(env, config_file, setting, SHARED_PASSWORD_NAME)


def shared_ca_path(config_file: Path, setting: str) -> Path | None:
    """The certificates of `shared.ca_file`; None: those of the system."""
    return config_file.parent / Path(setting).expanduser() if setting else None


def shared_secret_path(env: Mapping[str, str], config_file: Path, setting: str = "") -> Path | None:
    """The same of what the machines alone know: `shared.secret_file`."""
    return _named_or_credential(env, config_file, setting, SHARED_SECRET_NAME)


def _named_or_credential(env: Mapping[str, str], config_file: Path, setting: str, name: str) -> Path | None:
    if setting:
        return config_file.parent / Path(setting).expanduser()
    if directory := env.get("CREDENTIALS_DIRECTORY"):
        credential = Path(directory) / name
        if is_there(credential):
            return credential
    return None


def daemon_socket_path(env: Mapping[str, str], setting: str = "") -> Path:
    """Where the daemon opens its control socket: CLAUDEGWD_SOCKET, `control.socket`, then its runtime directory.

    OSError when no directory for it can be had.
    """
    if named := env.get("CLAUDEGWD_SOCKET") or setting:
        return Path(named).expanduser().absolute()
    return _runtime_directory(env) / SOCKET_NAME


def client_socket_path(env: Mapping[str, str], option: str | None = None) -> Path:
    """Where the control CLI looks: `--socket`, CLAUDEGWD_SOCKET, the user's own daemon, then the system's.

    Where neither lies, what this user's configuration says under `control.socket`.
    """
    if named := option or env.get("CLAUDEGWD_SOCKET"):
        return Path(named).expanduser().absolute()
    try:
        own = _runtime_directory(env) / SOCKET_NAME
    except OSError:
        own = SYSTEM_SOCKET
    for path in (own, SYSTEM_SOCKET):
        if is_there(path):
            return path
    configured = env.get("CLAUDEGWD_CONTROL__SOCKET") or _socket_setting(config_path(env)[0])
    return Path(configured).expanduser().absolute() if configured else own


def is_there(path: Path) -> bool:
    """Whether something lies there, or may lie there: what one may not look into is for whoever opens it to tell of."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _socket_setting(file: Path) -> str:
    """`control.socket` of a config.toml; "" where it cannot be read, which is the daemon's to complain of."""
    import tomllib

    try:
        found = tomllib.loads(file.read_text("utf-8-sig"))["control"]["socket"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def _runtime_directory(env: Mapping[str, str]) -> Path:
    """OSError when another user already holds the directory that platformdirs would take."""
    if given := _systemd_directory(env, "RUNTIME_DIRECTORY"):
        return given
    import platformdirs

    # Without XDG_RUNTIME_DIR platformdirs warns that it takes /tmp/runtime-UID: daemon and CLI both do, so it works.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path(APP)


def _systemd_directory(env: Mapping[str, str], name: str) -> Path | None:
    """systemd gives a list with colons when a unit names several; the first is the unit's main one."""
    first = env.get(name, "").split(":")[0]
    return Path(first) if first else None
