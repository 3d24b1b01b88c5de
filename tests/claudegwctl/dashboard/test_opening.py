from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from claudegwctl.dashboard.opening import has_display
from tests.control_cli import environment
from tests.dashboard_process import END_SECONDS


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


def test_the_browser_is_given_a_file_that_leads_to_the_link(tmp_path: Path) -> None:
    # A browser that writes down what it was given, in a process of its own: webbrowser looks for browsers once.
    told = tmp_path / "told"
    browser = tmp_path / "browser"
    # Its end is not waited for: it stays as long as it can write nothing more.
    browser.write_text(
        "#!/bin/sh\n"
        f'{{ printf "%s\\n" "$*"; stat -c %a "${{1#file://}}"; cat "${{1#file://}}"; }} >"{told}.new"\n'
        f'mv "{told}.new" "{told}"; read -r _\n'
    )
    browser.chmod(0o700)
    code = (
        "import os, sys, time\n"
        "from claudegwctl.dashboard.opening import in_browser\n"
        "with in_browser('http://127.0.0.1:1/?token=secret'):\n"
        "    while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(told)], env=environment(BROWSER=f"{browser} %s"), stdin=subprocess.PIPE
    ) as process:
        assert process.wait(END_SECONDS) == 0
    address, mode, *page = told.read_text().split("\n")
    assert "secret" not in address
    assert mode == "600"
    assert "url=http://127.0.0.1:1/?token=secret" in "\n".join(page)
    assert not Path(address.removeprefix("file://")).exists()
