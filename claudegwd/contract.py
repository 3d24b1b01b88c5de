"""What the daemon and claudegwctl have in common: exit codes and paths.

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
# EX_CONFIG of sysexits.h. The systemd unit does not restart after it, so it is for invalid configurations only.
EXIT_CONFIG: Final = 78

# Older versions ask the upstream twice if an answer is only white space. docs/claude-cli-notes.md lists the other
# differences between versions. What an older one lacks would only be noticed in the middle of an answer.
OLDEST_CLI: Final = (2, 1, 316)

# Values of claude.version besides a number: the CLI that came with the gateway, and the newest that was fetched.
PINNED_CLI: Final = "pinned"
NEWEST_CLI: Final = "newest"
# `claudegwctl cli` stores a CLI as VERSION/claude, with the result of its check beside it.
CLI_NAME: Final = "claude"
CLI_RECORD: Final = "record.json"

# Said if there is no CLI, or one that is too old. The extra's package is found only in the gateway's own environment.
HOW_TO_GET_CLI: Final = (
    "install the gateway with its extra `cli` (in a clone: `pip install '.[cli]'`), put `claude` on PATH, or set "
    "claude.binary"
)

CONFIG_NAME: Final = "config.toml"
KEYS_NAME: Final = "keys.json"
SHARED_PASSWORD_NAME: Final = "shared-password"  # noqa: S105 - a file name
SHARED_SECRET_NAME: Final = "shared-secret"  # noqa: S105 - a file name
STATE_NAME: Final = "state.db"
# Beside it: the lock of the process that uses the state, and the key that encrypts kept responses.
STATE_LOCK_NAME: Final = "state.lock"
SEAL_NAME: Final = "seal.key"
SOCKET_NAME: Final = "control.sock"
SYSTEM_SOCKET: Final = Path("/run/claudegwd/control.sock")
SYSTEM_CONFIGURATION: Final = Path("/etc/claudegwd")
SYSTEM_STATE: Final = Path("/var/lib/claudegwd")
# Where systemd looks for the credential that the unit's LoadCredential= names.
SYSTEM_CREDENTIAL: Final = Path("/etc/credstore/claudegwd.keys.json")

# The tools of a workspace that change no file.
HARMLESS_TOOLS: Final = frozenset({"Read", "Grep", "Glob", "WebFetch", "WebSearch"})
MCP_PREFIX: Final = "mcp__"

# sun_path holds 108 bytes on Linux and 104 on macOS and the BSDs, including the final NUL: the smaller one applies
# everywhere.
MAX_SOCKET_PATH_BYTES: Final = 103


def ensure_home() -> None:
    """Set HOME=/ if neither HOME nor passwd names a home, as container engines do for a user id without an entry.

    Both programs call it first. If something then cannot be written under /, the error names the path as usual.
    """
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - pathlib's raises
        os.environ["HOME"] = "/"


def expanded(path: str | Path) -> Path:
    """The path with "~" replaced. If there is no such user, it stays as it is, and is not found: pathlib raises an
    error that does not name the path."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - see above


def workspace_writes(tools: Iterable[str], allow: Iterable[str]) -> bool:
    """Whether anything in a workspace could change a file; MCP servers might. `allow`: its rules, as texts."""
    return not HARMLESS_TOOLS.issuperset(tools) or any(rule.startswith(MCP_PREFIX) for rule in allow)


def config_path(env: Mapping[str, str]) -> tuple[Path, bool]:
    """The path of config.toml, and whether it was specified, in which case it has to exist."""
    if named := env.get("CLAUDEGWD_CONFIG"):
        return expanded(named).absolute(), True
    return config_directory(env) / CONFIG_NAME, False


def config_directory(env: Mapping[str, str]) -> Path:
    """The directory of config.toml and keys.json; systemd's CONFIGURATION_DIRECTORY takes precedence."""
    if given := _systemd_directory(env, "CONFIGURATION_DIRECTORY"):
        return given
    import platformdirs

    return platformdirs.user_config_path(APP)


def places_of(env: Mapping[str, str], uid: int, system: Path = SYSTEM_CONFIGURATION) -> Mapping[str, str]:
    """The environment to use while no daemon runs: `env`, but for root with the system service's directories, unless
    root has a gateway of its own.

    Otherwise `sudo claudegwctl restore` would restore everything into root's home, where no service looks.
    """
    named = any(env.get(name) for name in ("CLAUDEGWD_CONFIG", "CONFIGURATION_DIRECTORY", "STATE_DIRECTORY"))
    if uid != 0 or named or not system.is_dir() or config_directory(env).is_dir():
        return env
    return {**env, "CONFIGURATION_DIRECTORY": str(system), "STATE_DIRECTORY": str(SYSTEM_STATE)}


def state_directory(env: Mapping[str, str]) -> Path:
    """The directory of the SQLite file; systemd's STATE_DIRECTORY takes precedence."""
    if given := _systemd_directory(env, "STATE_DIRECTORY"):
        return given
    import platformdirs

    return platformdirs.user_state_path(APP)


def cli_directory(env: Mapping[str, str]) -> Path:
    """The directory of the Claude Code CLIs that were fetched."""
    return state_directory(env) / "cli"


def keys_path(env: Mapping[str, str], config_file: Path, setting: str = "") -> Path:
    """The file with the upstream keys: the setting `keys.file`, else systemd's credential, else beside config.toml.

    A credential is a read-only copy: code that writes keys has to refuse, and to name the original file.
    """
    if setting:
        return config_file.parent / expanded(setting)
    if directory := env.get("CREDENTIALS_DIRECTORY"):
        credential = Path(directory) / KEYS_NAME
        if is_there(credential):
            return credential
    return config_file.parent / KEYS_NAME


def shared_password_path(env: Mapping[str, str], config_file: Path, setting: str = "") -> Path | None:
    """The file with the shared store's password: `shared.password_file`, else systemd's credential, else None."""
    return _named_or_credential(env, config_file, setting, SHARED_PASSWORD_NAME)


def shared_ca_path(config_file: Path, setting: str) -> Path | None:
    """The file with the CA certificates, `shared.ca_file`; None: those of the system."""
    return config_file.parent / expanded(setting) if setting else None


def shared_secret_path(env: Mapping[str, str], config_file: Path, setting: str = "") -> Path | None:
    """The same for the secret that the machines share: `shared.secret_file`."""
    return _named_or_credential(env, config_file, setting, SHARED_SECRET_NAME)


def _named_or_credential(env: Mapping[str, str], config_file: Path, setting: str, name: str) -> Path | None:
    if setting:
        return config_file.parent / expanded(setting)
    if directory := env.get("CREDENTIALS_DIRECTORY"):
        credential = Path(directory) / name
        if is_there(credential):
            return credential
    return None


def daemon_socket_path(env: Mapping[str, str], setting: str = "") -> Path:
    """Where the daemon opens its control socket: CLAUDEGWD_SOCKET, else `control.socket`, else its runtime directory.

    Raises OSError if there is no directory for it.
    """
    if named := env.get("CLAUDEGWD_SOCKET") or setting:
        return expanded(named).absolute()
    return _runtime_directory(env) / SOCKET_NAME


def client_socket_path(env: Mapping[str, str], option: str | None = None) -> Path:
    """Where claudegwctl connects: `--socket`, else CLAUDEGWD_SOCKET, else the user's own daemon, else the system's.

    If neither of their sockets exists: `control.socket` in this user's configuration.
    """
    if named := option or env.get("CLAUDEGWD_SOCKET"):
        return expanded(named).absolute()
    try:
        own = _runtime_directory(env) / SOCKET_NAME
    except OSError:
        own = SYSTEM_SOCKET
    for path in (own, SYSTEM_SOCKET):
        if is_there(path):
            return path
    configured = env.get("CLAUDEGWD_CONTROL__SOCKET") or _socket_setting(config_path(env)[0])
    return expanded(configured).absolute() if configured else own


def is_there(path: Path) -> bool:
    """Whether the path exists, or may exist: if we may not look, whoever opens it reports that."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _socket_setting(file: Path) -> str:
    """`control.socket` in a config.toml; "" if that cannot be read, which the daemon reports."""
    import tomllib

    try:
        found = tomllib.loads(file.read_text("utf-8-sig"))["control"]["socket"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def _runtime_directory(env: Mapping[str, str]) -> Path:
    """Raises OSError if the directory that platformdirs would use belongs to another user."""
    if given := _systemd_directory(env, "RUNTIME_DIRECTORY"):
        return given
    import platformdirs

    # Without XDG_RUNTIME_DIR, platformdirs warns that it uses /tmp/runtime-UID; both programs do, so it works.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path(APP)


def _systemd_directory(env: Mapping[str, str], name: str) -> Path | None:
    """If a unit has several, systemd separates them with colons; the first is the main one."""
    first = env.get(name, "").split(":")[0]
    return Path(first) if first else None
