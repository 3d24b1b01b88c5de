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


def test_every_call_in_the_daemon_uses_listed_fields() -> None:
    for source in SOURCES:
        code = source.read_text()
        if "from claudegwd.logs" not in code:
            continue
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "event":
                names = {keyword.arg for keyword in node.keywords} - {"cause", None}
                assert names <= FIELDS, f"{source.name}:{node.lineno} logs {names - FIELDS}"
