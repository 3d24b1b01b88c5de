"""A library without what our servers replace of it is found before anybody connects."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from claudegwd.public.bodies import Request, RequestBody
from claudegwd.public.requests import Application, Connection
from claudegwd.servers.http1 import Http1
from claudegwd.servers.hypercorn_connection import HypercornConnection
from claudegwd.servers.overriding import LibraryError, overriding
from claudegwd.servers.websocket import WebSocketStream

# The library, and the method that a later version of it might call otherwise.
RENAMED = [
    ("hypercorn", "_check_protocol"),
    ("hypercorn", "_create_stream"),
    ("hypercorn", "_send_error_response"),
    ("hypercorn", "_accept"),
    ("hypercorn", "_handle_events"),
    ("hypercorn", "_send_pings"),
    ("hypercorn", "_read_data"),
    ("quart", "create_url_adapter"),
]


class Base:
    def _kept(self) -> None: ...


class Between(Base): ...


def test_what_is_there_may_be_replaced() -> None:
    @overriding("_kept")
    class Made(Between):
        def _kept(self) -> None: ...

    assert Made.__name__ == "Made"


def test_what_is_not_there_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Between, "__module__", "hypercorn.protocol.h11")
    with pytest.raises(LibraryError, match=r"cannot serve with hypercorn 0\.\S+: it no longer has Between\._gone"):

        @overriding("_kept", "_gone")
        class Made(Between):
            def _gone(self) -> None: ...


@pytest.mark.parametrize(
    "made",
    [Http1, HypercornConnection, WebSocketStream, RequestBody, Request, Application, Connection],
    ids=lambda made: made.__name__,
)
def test_every_class_names_all_that_it_replaces(made: type) -> None:
    source = Path(importlib.util.find_spec(made.__module__).origin or "").read_text()  # type: ignore[union-attr]
    decorated = re.search(rf"@overriding\(([^)]*)\)\nclass {made.__name__}\b", source)
    assert decorated
    listed = set(re.findall(r'"(\w+)"', decorated[1]))
    usual = {"__init__", "__module__", "__doc__", "__annotations__"}
    usual |= {"__firstlineno__", "__static_attributes__"}  # as of Python 3.13
    usual |= {"__annotate_func__", "__annotations_cache__"}  # as of Python 3.14
    bases = [base for base in made.__mro__[1:] if base is not object]
    replaced = {name for name in vars(made) if name not in usual and any(name in vars(base) for base in bases)}
    assert replaced == listed


@pytest.mark.parametrize(("library", "name"), RENAMED)
def test_the_daemon_does_not_start_where_a_method_has_another_name(tmp_path: Path, library: str, name: str) -> None:
    origin = importlib.util.find_spec(library)
    assert origin is not None
    assert origin.origin is not None
    copy = tmp_path / "libraries" / library
    shutil.copytree(Path(origin.origin).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    found = 0
    for file in copy.rglob("*.py"):
        text, count = re.subn(rf"\b{name}\b", f"{name}_2", file.read_text("utf-8"))
        found += count
        file.write_text(text, "utf-8")
    assert found
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "libraries")}
    done = subprocess.run(
        [sys.executable, "-m", "claudegwd", "--port", "0"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(
        rf"claudegwd: cannot serve with {library}\S* \S+: it no longer has \w+\.{name}, .*\n", done.stderr
    )
