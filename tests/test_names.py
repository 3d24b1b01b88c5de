"""Every public class has a name of its own: who searches for one finds one thing."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_no_public_class_name_stands_twice() -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(path for top in ("claudegwd", "claudegwctl") for path in (ROOT / top).rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path.relative_to(ROOT).as_posix())
    assert len(found) > 100
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
