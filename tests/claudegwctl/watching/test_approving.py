from __future__ import annotations

from typing import Any

import pytest

from claudegwctl.watching.approving import APPROVALS, MAX_ROWS, approval_rows, lines_of, question
from claudegwctl.watching.columns import fitted


def asked(**more: Any) -> dict[str, Any]:
    return {
        "id": "3f9a01c2", "workspace": "shop", "directory": "/home/me/src/shop", "client": "webui", "tool": "Bash",
        "shown": "Bash: npm install left-pad", "why": "no rule allows that command", "asked": 1000.0, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, "3f9a01c2 1:05 webui shop Bash: npm install left-pad"),
        (100, "3f9a01c2 1:05 webui shop /home/me/src/shop Bash: npm install left-pad"),
    ],
)
def test_a_row(width: int, shown: str) -> None:
    lines = fitted(APPROVALS, approval_rows([asked()], 1065.0), width)
    assert " ".join(lines[1].split()) == shown


@pytest.mark.parametrize(("count", "lines"), [(0, 0), (1, 3), (MAX_ROWS, MAX_ROWS + 2), (100, MAX_ROWS + 2)])
def test_it_takes_no_more_room_than_it_may(count: int, lines: int) -> None:
    assert lines_of(count) == lines


def test_what_a_person_is_asked_is_all_of_it() -> None:
    text = question(asked(shown="Bash: a" + "b" * 3000 + "\x1b[2J\nrm x", client=""), "Approve")
    assert text.startswith(
        "Approve this in shop (/home/me/src/shop), for (no key)?\n\nBash: a" + "b" * 3000 + " [2J\nrm x"
    )
    assert text.endswith("\n\nno rule allows that command")
    assert "\x1b" not in text
