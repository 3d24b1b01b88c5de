from __future__ import annotations

import pytest

from claudegwctl.connecting.clients import Kind, Named
from claudegwctl.connecting.documents import Document
from claudegwctl.problems import Problem

TEXTS: dict[Kind, str] = {
    "json": '// # mine\n{\n    "b": {"c": 1}, // # so\n    "a": "ü",\n}\n',
    "toml": '# mine\na = "ü" # so\n\n[b]\nc = 1\n',
    "yaml": '# mine\na: "ü"  # so\nb:\n  c: 1\nlist:\n  - name: other\n    x: 1\n  - y\n',
}
each = pytest.mark.parametrize("kind", TEXTS)


@each
def test_what_is_put_in_and_taken_out_leaves_the_rest(kind: Kind) -> None:
    document = Document(kind, TEXTS[kind], "x")
    document.put(("p", "q", "us"), {"k": [1], "url": "http://x"})
    document.put(("top",), True)
    again = Document(kind, document.text(), "x")
    assert again.get(("p", "q", "us", "url")) == "http://x"
    assert again.get(("top",)) == True  # noqa: E712 - some libraries have truths of their own
    assert again.get(("b", "c")) == 1
    assert "# mine" in again.text()
    assert "# so" in again.text()
    again.drop(("p", "q", "us"))
    again.drop(("top",))
    again.drop(("never", "there"))
    last = Document(kind, again.text(), "x")
    assert list(last.data) == list(Document(kind, TEXTS[kind], "x").data), "what became empty went as well"
    if kind != "toml":
        assert last.text() == TEXTS[kind]


@each
def test_an_empty_file(kind: Kind) -> None:
    document = Document(kind, "", "x")
    assert document.get(("a", "b")) is None
    document.put(("a", "b"), "c")
    assert Document(kind, document.text(), "x").get(("a", "b")) == "c"


def test_an_item_of_a_list_by_its_name() -> None:
    document = Document("yaml", TEXTS["yaml"], "x")
    path = ("list", Named("us"))
    document.put(path, {"name": "us", "v": 1})
    document.put(path, {"name": "us", "v": 2})
    assert document.get((*path, "v")) == 2
    assert len(document.get(("list",))) == 3
    document.drop(path)
    assert document.text() == TEXTS["yaml"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [("json", "{ mine: 1 }"), ("json", "[]"), ("toml", "a = "), ("yaml", "a: [b"), ("yaml", "- a")],
)
def test_what_cannot_be_edited(kind: Kind, text: str) -> None:
    with pytest.raises(Problem, match=r"^cannot edit their\.file: .*by hand$"):
        Document(kind, text, "their.file")


@pytest.mark.parametrize(
    ("kind", "text"), [("json", '{"a": "x"}'), ("toml", 'a = "x"'), ("yaml", "a: x"), ("yaml", "a: [1]")]
)
def test_something_else_in_the_way(kind: Kind, text: str) -> None:
    document = Document(kind, text, "their.file")
    with pytest.raises(Problem, match=r"^cannot edit their\.file: a has an unexpected type; .*by hand$"):
        document.put(("a", "b", "c"), 1)
    assert document.text().strip() == text


def test_nothing_yet_is_not_in_the_way() -> None:
    for kind, text in (("json", '{"a": null}'), ("yaml", "a:")):
        document = Document("json" if kind == "json" else "yaml", text, "x")
        document.put(("a", "b"), 1)
        assert document.get(("a", "b")) == 1


@pytest.mark.parametrize(("kind", "text"), [("json", '{"a": 1}'), ("toml", "a = 1\n"), ("yaml", "a: 1\n")])
def test_a_file_that_begins_with_a_byte_order_mark(kind: Kind, text: str) -> None:
    document = Document(kind, f"\ufeff{text}", "x")
    document.put(("b",), 2)
    assert Document(kind, document.text(), "x").data == {"a": 1, "b": 2}
