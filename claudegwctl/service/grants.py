"""What a service's unit has to permit for workspaces: a drop-in, generated from the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from claudegwctl.service import systemd
from claudegwctl.service.host import HIDDEN, Host
from claudegwctl.service.steps import PutFile, Remove
from claudegwd import contract

NAME: Final = "workspaces.conf"
# What ProtectHome= covers.
_HOMES: Final = tuple(map(Path, ("/home", "/root", "/run/user")))
_HEAD: Final = "# Written by `claudegwctl workspaces`; put your own settings into `systemctl edit claudegwd`."
_NAMESPACES: Final = (
    "# The sandbox: namespaces for the processes that Claude starts, for their network, and for their mounts.\n"
    "RestrictNamespaces=user pid net mnt ipc\n"
    "SystemCallFilter=mount_setattr open_tree move_mount fsopen fsconfig fsmount"
)


def is_system(host: Host, file: Path) -> bool | None:
    """Whether this config.toml belongs to the system service (True) or the user's own (False); None: to neither."""
    if host.manager != "systemd":
        return None
    places = {host.root / "etc/claudegwd/config.toml": True, host.home / ".config/claudegwd/config.toml": False}
    system = places.get(file)
    return system if system is not None and systemd.is_installed(system=system) else None


def step(host: Host, workspaces: Mapping[str, Mapping[str, Any]], *, system: bool) -> PutFile | Remove:
    """The step that writes the drop-in for these workspaces, or removes it if there are none."""
    units = host.root / "etc/systemd/system" if system else host.home / ".config/systemd/user"
    path = units / f"{systemd.UNIT}.d" / NAME
    if not workspaces:
        return Remove(path)
    return PutFile(path, "\n".join([*_lines(workspaces, system=system), ""]).encode())


def again(*, system: bool) -> str:
    """The command that puts a changed drop-in into effect."""
    control = "sudo systemctl" if system else "systemctl --user"
    return f"{control} daemon-reload && {control} restart {systemd.UNIT.removesuffix('.service')}"


def _lines(workspaces: Mapping[str, Mapping[str, Any]], *, system: bool) -> Iterator[str]:
    yield from (_HEAD, "[Service]", _NAMESPACES)
    if not system:
        return  # a user's own unit sees all that the user sees
    directories: dict[Path, bool] = {}
    for each in workspaces.values():
        path = contract.expanded(str(each.get("directory", "")))
        directories[path] = directories.get(path, False) or writes(each)
    if any(_is_below(path, _HOMES) for path in directories):
        yield "# Home directories stay hidden, except for what is listed below."
        yield "ProtectHome=tmpfs"
    for path, writing in directories.items():
        # The minus: without it, systemd would not start the daemon if a directory is missing, which it reports itself.
        yield f"{_setting(path, writing=writing)}={systemd.word(Path(f'-{path}'))}"


def _setting(path: Path, *, writing: bool) -> str:
    # Hidden directories have to be mounted; visible ones are read-only (ProtectSystem=strict).
    if _is_below(path, HIDDEN):
        return "BindPaths" if writing else "BindReadOnlyPaths"
    return "ReadWritePaths" if writing else "ReadOnlyPaths"


def writes(workspace: Mapping[str, Any]) -> bool:
    """Whether its tools could change a file. Without `tools` it has only those that read."""
    return contract.workspace_writes(workspace.get("tools", ()), workspace.get("allow", ()))


def _is_below(path: Path, places: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(place) for place in places)
