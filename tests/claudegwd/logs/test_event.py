from __future__ import annotations

import ast
import logging
from pathlib import Path

import claudegwd
from claudegwd.logs.event import FIELDS, event

SOURCES = sorted(Path(claudegwd.__file__).parent.rglob("*.py"))


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def test_fields_travel_beside_the_text() -> None:
    logger = logging.getLogger("claudegwd.test_event")
    logger.setLevel(logging.INFO)
    kept = Kept()
    logger.addHandler(kept)
    event(logger, logging.INFO, "key rotated", key="primary", to="second")
    event(logger, logging.DEBUG, "below the level")
    assert [record.getMessage() for record in kept.records] == ["key rotated"]
    assert vars(kept.records[0])["fields"] == {"key": "primary", "to": "second"}


def names_of(tree: ast.Module) -> set[str]:
    """What a module calls `event`, which may be imported under another name."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("claudegwd.logs")
        for alias in node.names
        if alias.name == "event"
    }


def test_every_call_in_the_daemon_uses_listed_fields() -> None:
    calls = 0
    for source in SOURCES:
        tree = ast.parse(source.read_text())
        names = names_of(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            by_name = isinstance(node.func, ast.Name) and node.func.id in names
            by_ask = isinstance(node.func, ast.Attribute) and node.func.attr == "changed"
            if by_name or by_ask:
                calls += 1
                used = {keyword.arg for keyword in node.keywords} - {"cause", "aside", None}
                assert used <= FIELDS, f"{source.name}:{node.lineno} logs {used - FIELDS}"
    assert calls
