"""What Claude asks to do in workspaces, as `top` shows it. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from claudegwctl.watching.columns import Column, Row, printable
from claudegwctl.watching.texts import client_of, short_time

# Rows shown at a time, so that the other tables stay visible; the arrow keys reach the rest.
MAX_ROWS: Final = 5

APPROVALS: Final = (
    Column("id", lambda row: row["id"], 8),
    Column("waits", lambda row: short_time(row["waits"]), 6, rank=2, right=True),
    Column("client", client_of, 8, 20),
    Column("workspace", lambda row: row["workspace"], 8, 20, rank=1),
    Column("directory", lambda row: row["directory"], 10, 40, rank=3),
    Column("asks for", lambda row: row["shown"], 16, 200),
)


def approval_rows(approvals: Sequence[Mapping[str, Any]], now: float) -> list[Row]:
    """The waiting approvals, the oldest first."""
    return [{**row, "waits": max(0.0, now - row["asked"])} for row in approvals]


def lines_of(count: int) -> int:
    """How many lines they take: none if nothing is waiting."""
    return 2 + min(count, MAX_ROWS) if count else 0


def question(row: Row, verb: str) -> str:
    """The confirmation before a decision is sent: the whole request, and where it happens."""
    where = printable(f"{row['workspace']} ({row['directory']}), for {client_of(row)}")
    asked = "\n".join(map(printable, str(row["shown"]).split("\n")))
    return f"{verb} this in {where}?\n\n{asked}\n\n{printable(str(row['why']))}"
