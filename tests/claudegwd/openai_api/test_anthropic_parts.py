"""A chat in the Messages API's own shapes is the same chat."""

from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.messages import FilePart, ImagePart, Message, TextPart, ToolCall, read_messages


def read(*messages: Any) -> tuple[Message, ...]:
    return read_messages(Fields({"messages": list(messages)}), Bounds())


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said, "cache_control": {"type": "ephemeral"}}


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
CALL = {"type": "tool_use", "id": "c1", "name": "f", "input": {"b": [1], "a": "é"}}


def result(ident: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ident, "content": content, **more}


def test_calls_stand_among_the_parts_of_an_answer() -> None:
    thinking = [{"type": "thinking", "thinking": "x", "signature": "y"}, {"type": "redacted_thinking", "data": "z"}]
    (message,) = read({"role": "assistant", "content": [*thinking, text("Wait"), CALL, {**CALL, "id": "c2"}]})
    calls = (ToolCall("c1", "f", '{"b":[1],"a":"é"}'), ToolCall("c2", "f", '{"b":[1],"a":"é"}'))
    assert message == Message(role="assistant", content=(TextPart("Wait"),), tool_calls=calls)


def test_results_among_a_users_parts_come_before_what_is_left() -> None:
    second = result("c2", [text("look"), IMAGE], is_error=True)
    content = [text("and"), result("c1", "done"), second, result("c3", None)]
    found = read(*({"role": "user", "content": said} for said in ("Hi", content, "B")))
    image = ImagePart("data:image/png;base64,aGk=")
    assert found == (
        Message(role="user", content=(TextPart("Hi"),)),
        Message(role="tool", content=(TextPart("done"),), tool_call_id="c1"),
        Message(role="tool", content=(TextPart("look"), image), tool_call_id="c2", is_error=True, place=1),
        Message(role="tool", tool_call_id="c3", place=1),
        Message(role="user", content=(TextPart("and"),), place=1),
        Message(role="user", content=(TextPart("B"),), place=2),
    )
    assert [message.path(index)[-2] for index, message in enumerate(found)] == ["0", "1", "1", "1", "1", "2"]


def test_results_alone_are_all_there_is() -> None:
    (message,) = read({"role": "user", "content": [result("c1", "")]})
    assert message == Message(role="tool", tool_call_id="c1")


def test_images_and_documents() -> None:
    url = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    pdf = {"type": "document", "title": "a.pdf", "source": {**IMAGE["source"], "media_type": "application/pdf"}}  # type: ignore[dict-item] # a dict
    (message,) = read({"role": "user", "content": [url, pdf]})
    file = FilePart("data:application/pdf;base64,aGk=", "a.pdf")
    assert message.content == (ImagePart("https://example.org/a.png"), file)


@pytest.mark.parametrize(
    ("role", "part", "param"),
    [
        ("user", CALL, "messages[0].content[0].type"),
        ("assistant", result("c1", "a"), "messages[0].content[0].type"),
        ("user", {"type": "tool_result"}, "messages[0].content[0].tool_use_id"),
        ("user", result("c1", 5), "messages[0].content[0].content"),
        ("user", result("c1", [CALL]), "messages[0].content[0].content[0].type"),
        ("assistant", {"type": "tool_use", "name": "f"}, "messages[0].content[0].id"),
        ("assistant", {"type": "tool_use", "id": "c"}, "messages[0].content[0].name"),
        ("assistant", {**CALL, "input": "x"}, "messages[0].content[0].input"),
        ("user", {"type": "image"}, "messages[0].content[0].source"),
        ("user", {"type": "image", "source": {"type": "file"}}, "messages[0].content[0].source.type"),
        ("user", {"type": "image", "source": {"type": "url", "url": "file:///a"}}, "messages[0].content[0].source.url"),
        ("user", {"type": "image", "source": {"type": "base64"}}, "messages[0].content[0].source.media_type"),
    ],
)
def test_faults_are_named(role: str, part: Any, param: str) -> None:
    with pytest.raises(CallerError) as caught:
        read({"role": role, "content": [part]})
    assert caught.value.param == param
