"""What the CLI alters in a declaration."""

from typing import Any

import pytest

from claudegwd.translate.request.characters import is_altered


@pytest.mark.parametrize("value", ["", "plain\n", "größe é 漢字 😀 →", None, 5, ["a", {"b": "é"}], {"a": [True]}])
def test_kept(value: Any) -> None:
    assert not is_altered(value)


@pytest.mark.parametrize(
    "value",
    ["…", "½", "ｎ", "e\u0301", "a\u00a0b", "a\u200db", "\ufeff", "\ue000", ["…"], {"a": {"b": ["½"]}}, {"ｎ": 1},
     {"a": {"__proto__": {}}}],
)  # fmt: skip
def test_altered(value: Any) -> None:
    assert is_altered(value)
