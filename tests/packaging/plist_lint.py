"""What launchd would make of a property list, checked on any machine: the keys and types of launchd.plist(5).

launchd itself says nothing of a key that it does not know, and starts a job without it.
"""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

_LIMITS = dict.fromkeys(
    ("Core", "CPU", "Data", "FileSize", "MemoryLock", "NumberOfFiles", "NumberOfProcesses", "ResidentSetSize", "Stack"),
    int,
)
# What of launchd.plist(5) a service like ours may use; a nested table stands for a dictionary with just those keys.
_KEYS: Mapping[str, Any] = {
    "Label": str,
    "Program": str,
    "ProgramArguments": list,
    "UserName": str,
    "GroupName": str,
    "WorkingDirectory": str,
    "EnvironmentVariables": dict,
    "KeepAlive": {"SuccessfulExit": bool, "Crashed": bool, "PathState": dict, "OtherJobEnabled": dict},
    "RunAtLoad": bool,
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "ProcessType": str,
    "Umask": int,
    "Nice": int,
    "SoftResourceLimits": _LIMITS,
    "HardResourceLimits": _LIMITS,
    "StandardInPath": str,
    "StandardOutPath": str,
    "StandardErrorPath": str,
}
_PATHS = ("Program", "WorkingDirectory", "StandardInPath", "StandardOutPath", "StandardErrorPath")
_KINDS = ("Background", "Standard", "Adaptive", "Interactive")
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
# sun_path of macOS holds 104 bytes with the closing NUL, of which the socket's own name takes some.
_SOCKET_DIRECTORY_BYTES = 103 - len("/control.sock.lock")


def faults(path: Path) -> list[str]:
    """Everything that is wrong with the property list at `path`; empty if nothing is."""
    try:
        job = plistlib.loads(path.read_bytes(), fmt=plistlib.FMT_XML)
    except (ExpatError, plistlib.InvalidFileException, ValueError) as error:
        return [f"no property list: {error}"]
    if not isinstance(job, dict):
        return ["no dictionary"]
    found = [*_types(job, _KEYS, ""), *_program(job), *_paths(job), *_environment(job)]
    if job.get("Label", "") + ".plist" != path.name:
        found.append(f"Label is {job.get('Label')!r}, the file {path.name}")
    if job.get("ProcessType", "Standard") not in _KINDS:
        found.append(f"ProcessType {job['ProcessType']!r} is none of {', '.join(_KINDS)}")
    return found


def _types(value: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> Iterator[str]:
    for key, item in value.items():
        kind = wanted.get(key)
        if kind is None:
            yield f"{where}{key} is no key that launchd knows"
        elif isinstance(kind, dict):
            if isinstance(item, dict):
                yield from _types(item, kind, f"{where}{key}.")
            elif not (key == "KeepAlive" and type(item) is bool):
                yield f"{where}{key} is no dictionary"
        elif type(item) is not kind:  # an exact match: to Python true is an integer too
            yield f"{where}{key} is {type(item).__name__}, not {kind.__name__}"


def _program(job: Mapping[str, Any]) -> Iterator[str]:
    arguments = job.get("ProgramArguments", [])
    if not job.get("Program") and not arguments:
        yield "neither Program nor ProgramArguments"
    if any(type(each) is not str for each in arguments):
        yield "ProgramArguments holds something that is no text"
    elif arguments and not job.get("Program") and not arguments[0].startswith("/"):
        yield f"ProgramArguments begins with {arguments[0]!r}, no absolute path"


def _paths(job: Mapping[str, Any]) -> Iterator[str]:
    for key in _PATHS:
        if key in job and not str(job[key]).startswith("/"):
            yield f"{key} is {job[key]!r}: launchd expands neither ~ nor variables"


def _environment(job: Mapping[str, Any]) -> Iterator[str]:
    for name, value in job.get("EnvironmentVariables", {}).items():
        if type(value) is not str:
            yield f"EnvironmentVariables.{name} is no text"
        elif re.search(r"[~$]", value):
            yield f"EnvironmentVariables.{name} is {value!r}: launchd expands neither ~ nor variables"
        if _SECRET.search(name):
            yield f"EnvironmentVariables.{name} is a secret in a file that everybody can read"
    runtime = job.get("EnvironmentVariables", {}).get("RUNTIME_DIRECTORY", "")
    if len(str(runtime).encode()) > _SOCKET_DIRECTORY_BYTES:
        yield "RUNTIME_DIRECTORY is too long for a socket in it"
