from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from claudegwctl.dashboard.opening import has_display, link_file
from tests.control_cli import environment


@pytest.mark.parametrize(
    ("env", "platform", "uid", "expected"),
    [
        ({"DISPLAY": ":0"}, "linux", 1000, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", 1000, True),
        ({"BROWSER": "firefox"}, "linux", 1000, True),
        ({"DISPLAY": ""}, "linux", 1000, False),
        ({}, "linux", 1000, False),
        ({}, "darwin", 501, True),
        ({"DISPLAY": ":0"}, "linux", 0, False),
        ({}, "darwin", 0, False),
    ],
)
def test_where_a_browser_is_started(env: Mapping[str, str], platform: str, uid: int, expected: bool) -> None:
    assert has_display(env, platform, uid) is expected


def test_the_link_lies_in_a_file_that_only_its_owner_reads_and_is_gone_afterwards() -> None:
    with link_file("http://127.0.0.1:1/?token=x") as file:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "url=http://127.0.0.1:1/?token=x" in file.read_text()
    assert not file.exists()


def test_the_browser_is_given_the_file_and_not_the_link(tmp_path: Path) -> None:
    # A browser that writes down its arguments, in a process of its own: webbrowser looks for browsers once.
    told = tmp_path / "told"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$*" >"{told}"\n')
    browser.chmod(0o700)
    code = (
        "import pathlib, sys; from claudegwctl.dashboard.opening import open_browser as o; print(o(pathlib.Path('/x')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(BROWSER=f"{browser} %s"), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert (done.stdout, told.read_text()) == ("True\n", "file:///x")
