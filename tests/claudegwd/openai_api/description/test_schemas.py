"""The words of the description mean what they say."""

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.openai_api.description.schemas import COUNT, FLAG, TEXT, Schema, listed, one_of, optional, record, ref


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (record("a", a=TEXT, b=FLAG), {"a": "x", "more": 1}, {"b": True}),
        (record(**optional(a=FLAG)), {"a": None}, {"a": "yes"}),
        (listed(COUNT, maxItems=2), [0, 1], [-1]),
        (one_of("a", "b"), "b", "c"),
    ],
)
def test_words(schema: Schema, good: object, bad: object) -> None:
    assert Draft202012Validator(schema).is_valid(good)
    assert not Draft202012Validator(schema).is_valid(bad)


def test_references_lead_to_the_components() -> None:
    assert ref("Model") == {"$ref": "#/components/schemas/Model"}
