"""The codes of errors that are given where they are raised, instead of the one of their class."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from claudegwd.openai_api import errors

ROOT = Path(__file__).parent.parent
_WRITTEN = re.compile(r"""\bcode ?= ?"([a-z_]+)\"""")


def given_codes() -> dict[str, set[int]]:
    """Each of them, with the statuses of the errors that have it."""
    found: dict[str, set[int]] = {}
    for file in _sources():
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and (kind := _raised(call)) is not None:
                for code in _codes(call, file):
                    found.setdefault(code, set()).add(kind.status)
    return found


def written_codes() -> set[str]:
    """Every code that stands in the sources, found by its spelling."""
    return {code for file in _sources() for code in _WRITTEN.findall(file.read_text())}


def _sources() -> Iterator[Path]:
    return (ROOT / "claudegwd").rglob("*.py")


def _raised(call: ast.Call) -> type[errors.GatewayError] | None:
    if not isinstance(call.func, ast.Name):
        return None
    kind = errors.InvalidRequest if call.func.id == "refuse" else getattr(errors, call.func.id, None)
    return kind if isinstance(kind, type) and issubclass(kind, errors.GatewayError) else None


def _codes(call: ast.Call, file: Path) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
            yield keyword.value.value
        elif keyword.arg == "code" and isinstance(keyword.value, ast.Name):
            module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
            if isinstance(code := getattr(module, keyword.value.id, None), str):  # otherwise an argument
                yield code
