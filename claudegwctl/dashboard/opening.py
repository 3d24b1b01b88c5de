"""Showing the page in a browser, where there is one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_FILE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={link}"><title>claudegwd</title>
<p><a href="{link}">To the dashboard</a></p></html>
"""


def has_display(env: Mapping[str, str], platform: str = sys.platform, uid: int | None = None) -> bool:
    """Whether a browser can be expected to show something. Root's cannot: it refuses to run, and rightly so."""
    if (os.geteuid() if uid is None else uid) == 0:
        return False
    return platform == "darwin" or any(env.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


@contextmanager
def link_file(link: str) -> Iterator[Path]:
    """A file that leads to the link, while this lasts. A browser's arguments can be read by every user of the machine,
    and the link is a secret until it was used."""
    with tempfile.NamedTemporaryFile("w", prefix="claudegwctl-", suffix=".html") as file:
        file.write(_FILE.format(link=link))
        file.flush()
        yield Path(file.name)


def open_browser(file: Path) -> bool:
    """Whether one was started. Where it cannot read the file, there is still the printed link."""
    import webbrowser

    try:
        return webbrowser.open(file.as_uri())
    except webbrowser.Error:
        return False
