"""Open the page in a browser, if there is one."""

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
    """Whether a browser can be expected to open. Not for root: browsers refuse to run as root, and rightly so."""
    if (os.geteuid() if uid is None else uid) == 0:
        return False
    return platform == "darwin" or any(env.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


@contextmanager
def in_browser(link: str) -> Iterator[None]:
    """Start a browser with the link.

    The browser is given a temporary file that forwards to the link: every user of the machine can read its arguments,
    and the link is secret until it has been used. If the browser cannot read the file, there is still the printed
    link."""
    with tempfile.NamedTemporaryFile("w", prefix="claudegwctl-", suffix=".html") as file:
        file.write(_FILE.format(link=link))
        file.flush()
        # Some browsers return only when they exit, and the page has to be served until then.
        Thread(target=_open, args=(Path(file.name).as_uri(),), daemon=True).start()
        yield


def _open(address: str) -> None:
    import webbrowser

    with suppress(webbrowser.Error):
        webbrowser.open(address)
