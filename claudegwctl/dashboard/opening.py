"""Showing the page in a browser, where there is one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Final

_FILE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={link}"><title>claudegwd</title>
<p><a href="{link}">Open the dashboard</a></p></html>
"""


def has_display(env: Mapping[str, str], platform: str = sys.platform, uid: int | None = None) -> bool:
    """Whether a browser can be expected to show something. Root's cannot: it refuses to run, and rightly so."""
    if (os.geteuid() if uid is None else uid) == 0:
        return False
    return platform == "darwin" or any(env.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


@contextmanager
def in_browser(link: str) -> Iterator[None]:
    """Show the link in a browser that is started now.

    By a file that leads to it, while this lasts: a browser's arguments can be read by every user of the machine, and
    the link is a secret until it was used. Where the browser cannot read the file, there is still the printed link."""
    with tempfile.NamedTemporaryFile("w", prefix="claudegwctl-", suffix=".html") as file:
        file.write(_FILE.format(link=link))
        file.flush()
        # Some browsers return only when they end, and each has to be answered meanwhile.
        Thread(target=_open, args=(Path(file.name).as_uri(),), daemon=True).start()
        yield


def _open(address: str) -> None:
    import webbrowser

    with suppress(webbrowser.Error):
        webbrowser.open(address)
