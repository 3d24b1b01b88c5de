"""No file and no class grows beyond what one can hold in mind, but for those that say why, up to their own bound."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST_LINES = 300
MOST_ATTRIBUTES = 20

# Files that are longer: by how much they may be, and why they are.
LONGER: dict[str, tuple[int, str]] = {
    "claudegwd/workers/question/question.py": (330, "one question, read beside its theory of operation"),
    "claudegwd/keys/failures.py": (330, "a table, and the classification that leads to its rows"),
    "claudegwd/workspaces/session.py": (330, "one process from its start to its end, over all answers: one state"),
    "claudegwd/public/reply.py": (350, "what a request used is counted once, however it ends"),
}

# Classes with more attributes, inherited ones included: how many they may have, and why.
WIDER: dict[str, tuple[int, str]] = {
    "claudegwd/openai_api/chat/request.py:ChatRequest": (30, "OpenAI's parameters, as they are"),
    "claudegwd/openai_api/draft_2020.py:_Schema": (60, "JSON Schema's keywords, as they are"),
    "claudegwd/workers/question/question.py:Question": (
        27,
        "what a question knows of itself is what the log, the ledger and the status show",
    ),
    "claudegwd/workspaces/question.py:WorkspaceQuestion": (
        33,
        "all that a question knows, and the session that answers it",
    ),
}


def paths() -> list[Path]:
    return sorted(path for top in ("claudegwd", "claudegwctl") for path in (ROOT / top).rglob("*.py"))


def classes() -> dict[str, int]:
    """Every class by its file and name, with the number of its attributes: those that are declared, those that are
    assigned, and those of its bases here."""
    found = [
        (f"{path.relative_to(ROOT).as_posix()}:{node.name}", node)
        for path in paths()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    own = {where: set(_attributes(node)) for where, node in found}
    # A base is found in its own file, and otherwise by its name, which no two public classes share.
    names = {where.rpartition(":")[2]: where for where, _ in found}
    bases = {
        where: [
            here if (here := f"{where.rpartition(':')[0]}:{base.id}") in own else names[base.id]
            for base in node.bases
            if isinstance(base, ast.Name) and base.id in names
        ]
        for where, node in found
    }

    def inherited(where: str) -> set[str]:
        return own[where].union(*(inherited(base) for base in bases[where]))

    return {where: len(inherited(where)) for where in own}


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield item.target.id
    for found in ast.walk(node):
        match found:
            case ast.Attribute(value=ast.Name(id="self"), ctx=ast.Store()):
                yield found.attr


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_too_long(path: Path) -> None:
    most, _ = LONGER.get(path.relative_to(ROOT).as_posix(), (MOST_LINES, ""))
    assert len(path.read_text("utf-8").splitlines()) <= most, "take out what is a thing of its own"


def test_no_class_has_too_many_attributes() -> None:
    found = {name: count for name, count in classes().items() if count > WIDER.get(name, (MOST_ATTRIBUTES, ""))[0]}
    assert found == {}, "take out what is a thing of its own"


def test_exceptions_are_needed() -> None:
    for name, (most, why) in LONGER.items():
        lines = len((ROOT / name).read_text("utf-8").splitlines())
        assert MOST_LINES < lines <= most, name
        assert why
    counts = classes()
    for name, (most, why) in WIDER.items():
        assert MOST_ATTRIBUTES < counts[name] <= most, name
        assert why
