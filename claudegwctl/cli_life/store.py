"""The Claude Code CLIs that were fetched: one directory each, below the gateway's state directory.

They come from releases of the Python package that bundles one. pip downloads these, and checks each file against the
index's hash. The binary's own hash is recorded, and checked again before the binary is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claudegwctl.problems import Problem
from claudegwd.atomic import put_file
from claudegwd.contract import CLI_NAME, CLI_RECORD
from claudegwd.contract import NEWEST_CLI as NEWEST

PACKAGE: Final = "claude-agent-sdk"
_INSIDE: Final = "claude_agent_sdk/_bundled/claude"
_VERSION_FILE: Final = "claude_agent_sdk/_cli_version.py"
_SAID: Final = re.compile(r'__cli_version__ = "([0-9.]+)"')
# About 170 MB, over a slow line.
FETCH_SECONDS: Final = 900.0
VERSION_SECONDS: Final = 30.0
# Guesses at the release that contains a version: in practice the second is right. Each downloads 170 MB.
GUESSES: Final = 4
# The binary has about 250 MB; this keeps a wrong archive from filling the disk.
MAX_BINARY_BYTES: Final = 2**30
_CLI: Final = re.compile(r"2\.\d+\.\d+")
_RELEASE: Final = re.compile(r"[01]\.\d+\.\d+")


@dataclass(frozen=True)
class Kept:
    """A fetched CLI. `record` contains its release, its sha256, and the result of the contract check."""

    version: str
    binary: Path
    record: dict[str, Any]

    @property
    def passed(self) -> bool | None:
        """None: not checked yet."""
        found = self.record.get("problems")
        return None if found is None else not found


class Store:
    """`folder` need not exist. Methods raise Problem."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> list[Kept]:
        """All of them, the oldest version first."""
        found = [kept for path in self.folder.glob(f"*/{CLI_RECORD}") if (kept := _read(path))]
        return sorted(found, key=lambda kept: [int(part) for part in kept.version.split(".")])

    def get(self, version: str) -> Kept | None:
        return next((kept for kept in self.all() if kept.version == version), None)

    def have(self, wanted: str) -> Kept:
        """That version, fetched if it is not here yet. `wanted` may also be a release of the package, or NEWEST."""
        if kept := self.get(wanted):
            self._verify(kept)
            return kept
        if _CLI.fullmatch(wanted):
            return self._by_number(wanted)
        if wanted != NEWEST and not _RELEASE.fullmatch(wanted):
            raise Problem(
                f"cannot fetch {wanted!r}: write {NEWEST}, a version such as 2.1.332, or a release of {PACKAGE}"
            )
        return self._fetch("" if wanted == NEWEST else wanted)

    def judge(self, kept: Kept, problems: list[str]) -> Kept:
        """Record the result of the contract check."""
        record = {**kept.record, "problems": problems, "checked": time.time()}
        _write(kept.binary.parent / CLI_RECORD, record)
        return Kept(kept.version, kept.binary, record)

    def _by_number(self, wanted: str) -> Kept:
        """Fetch that version. No index says which release contains it, but both numbers rise nearly in step."""
        pairs = [(str(kept.record.get("release")), kept.version) for kept in self.all()]
        pairs += [pair] if (pair := _installed()) else []
        for _ in range(GUESSES):
            release = _guess(wanted, pairs)
            if release is None or release in {known for known, _ in pairs}:
                break
            with tempfile.TemporaryDirectory(prefix="claudegwctl-") as folder:
                wheel = _download(release, Path(folder))
                pairs.append((release, _says(wheel)))
                if pairs[-1][1] == wanted:
                    return self._keep(wheel)
        raise Problem(f"cannot find the release of {PACKAGE} that contains {wanted}: give the release, or {NEWEST}")

    def _verify(self, kept: Kept) -> None:
        if _sha256(kept.binary) != kept.record.get("sha256"):
            raise Problem(f"cannot use {kept.binary}: it has changed since it was fetched; remove its directory")

    def _fetch(self, release: str) -> Kept:
        with tempfile.TemporaryDirectory(prefix="claudegwctl-") as folder:
            return self._keep(_download(release, Path(folder)))

    def _keep(self, wheel: Path) -> Kept:
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=self.folder) as folder:
                binary = _unpacked(wheel, Path(folder) / "new")
                version = version_of(binary)
                place = self.folder / version
                if kept := self.get(version):
                    return kept
                record = {"release": _release_of(wheel), "sha256": _sha256(binary), "fetched": time.time()}
                _write(binary.parent / CLI_RECORD, record)
                binary.parent.chmod(0o755)
                shutil.rmtree(place, ignore_errors=True)
                binary.parent.rename(place)
        except OSError as error:
            raise Problem(f"cannot store a CLI in {self.folder}: {error.strerror}; try sudo") from None
        return Kept(version, place / CLI_NAME, record)


def version_of(binary: Path) -> str:
    """What `--version` says. Raises Problem."""
    try:
        done = subprocess.run(  # noqa: S603 - what pip has just downloaded
            [binary, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        raise Problem(f"cannot run {binary}: it is broken, or built for another kind of machine") from None
    found = _CLI.match(done.stdout.strip())
    if found is None:
        raise Problem(f"cannot use {binary}: it reports no version; is it the Claude Code CLI?")
    return found[0]


def _download(release: str, folder: Path) -> Path:
    wanted = f"{PACKAGE}=={release}" if release else PACKAGE
    # No input: if an index asked for a password, nobody would see the prompt, and pip would wait for ever.
    command = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "download", "-q", "--no-deps"]
    try:
        done = subprocess.run(  # noqa: S603 - pip, with our own arguments
            [*command, "--only-binary", ":all:", "-d", str(folder), wanted], capture_output=True, text=True,
            timeout=FETCH_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Problem(f"cannot fetch {wanted} within {FETCH_SECONDS:g} s: check the network") from None
    if done.returncode:
        if "No module named pip" in done.stderr:
            raise Problem(
                f"cannot fetch {wanted}: pip, which comes with the gateway, is missing; reinstall the gateway"
            )
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Problem(f"cannot fetch {wanted}: pip says: {last}")
    found = next(folder.glob("*.whl"), None)
    if found is None:
        raise Problem(f"cannot fetch {wanted}: it has no build for this machine")
    return found


def _unpacked(wheel: Path, folder: Path) -> Path:
    folder.mkdir()
    binary = folder / CLI_NAME
    with zipfile.ZipFile(wheel) as archive:
        try:
            member = archive.getinfo(_INSIDE)
        except KeyError:
            raise Problem(f"cannot use {wheel.name}: it contains no CLI for this machine") from None
        if member.file_size > MAX_BINARY_BYTES:
            raise Problem(f"cannot use {wheel.name}: its CLI is larger than {MAX_BINARY_BYTES} bytes")
        with archive.open(member) as source, binary.open("wb") as out:
            shutil.copyfileobj(source, out)
    binary.chmod(0o755)
    return binary


def _release_of(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def _says(wheel: Path) -> str:
    """The version of the CLI in the wheel, as the package itself states it; "" if it does not."""
    with zipfile.ZipFile(wheel) as archive:
        try:
            found = _SAID.search(archive.read(_VERSION_FILE).decode())
        except (KeyError, UnicodeDecodeError):
            return ""
    return found[1] if found else ""


def _installed() -> tuple[str, str] | None:
    """The release that is installed with the gateway, and the version of its CLI."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        found = distribution(PACKAGE)
    except PackageNotFoundError:
        return None
    said = _SAID.search(found.read_text(f"../{_VERSION_FILE}") or "")
    return (found.version, said[1]) if said else None


def _guess(wanted: str, pairs: list[tuple[str, str]]) -> str | None:
    """The release, counted from the known one with the nearest CLI version; None if none of that series is known."""
    series, _, number = wanted.rpartition(".")
    known = [pair for pair in pairs if pair[1].rpartition(".")[0] == series and _RELEASE.fullmatch(pair[0])]
    if not known:
        return None
    release, version = min(known, key=lambda pair: abs(int(pair[1].rpartition(".")[2]) - int(number)))
    line, _, of_release = release.rpartition(".")
    return f"{line}.{int(of_release) + int(number) - int(version.rpartition('.')[2])}"


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from None


def _read(path: Path) -> Kept | None:
    version = path.parent.name
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    usable = isinstance(record, dict) and _CLI.fullmatch(version) and os.access(path.parent / CLI_NAME, os.X_OK)
    return Kept(version, path.parent / CLI_NAME, record) if usable else None


def _write(path: Path, record: dict[str, Any]) -> None:
    put_file(path, json.dumps(record).encode(), 0o644)  # the service's user reads it
