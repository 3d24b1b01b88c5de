"""Messages of every role, their parts, and the path of each fault."""

from typing import Any

import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.fields import Fields
from claudegwd.openai_api.messages import FilePart, ImagePart, Message, TextPart, ToolCall, read_messages

IMAGE = "data:image/png;base64,aGk="
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def read(*messages: Any, bounds: Bounds | None = None) -> tuple[Message, ...]:
    return read_messages(Fields({"messages": list(messages)}), bounds or Bounds())


def parts(*content: Any, role: str = "user") -> tuple[Any, ...]:
    return read({"role": role, "content": list(content), "tool_call_id": "c", "name": "f"})[0].content


def image(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool", "function"])
def test_every_role_takes_a_text_or_parts(role: str) -> None:
    rest = {"role": role, "tool_call_id": "c", "name": "f", "annotations": [], "provider_specific_fields": {"a": 1}}
    (plain,) = read({"content": "Hi", **rest})
    (in_parts,) = read({"content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": ""}], **rest})
    (empty,) = read({"content": "", **rest})
    assert plain == in_parts
    assert plain.role == role
    assert plain.content == (TextPart("Hi"),)
    assert empty.content == ()


def test_an_assistant_may_say_nothing() -> None:
    contents: list[dict[str, Any]] = [{}, {"content": None}, {"content": ""}, {"content": []}]
    for content in contents:
        (message,) = read({"role": "assistant", "tool_calls": [CALL], **content})
        assert message.content == ()
        assert message.tool_calls == (ToolCall("call_1", "f", "{}"),)


def test_refusals_are_texts() -> None:
    assert parts({"type": "refusal", "refusal": "No."}, role="assistant") == (TextPart("No."),)
    (message,) = read({"role": "assistant", "content": None, "refusal": "No."})
    assert message.content == (TextPart("No."),)
    (message,) = read({"role": "assistant", "content": "Yes.", "refusal": None})
    assert message.content == (TextPart("Yes."),)


def test_images_and_files() -> None:
    found = parts(
        image(IMAGE, detail="high"),
        image("HTTPS://example.org/a.png"),
        {"type": "image_url", "image_url": IMAGE},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    )
    assert found == (
        ImagePart(IMAGE, "high"),
        ImagePart("HTTPS://example.org/a.png"),
        ImagePart(IMAGE),
        FilePart("data:application/pdf;base64,aGk=", "a.pdf"),
        FilePart(file_id="file-1"),
    )
    assert parts(image(IMAGE), role="tool") == (ImagePart(IMAGE),)


def test_the_call_of_a_legacy_function_has_no_id_yet() -> None:
    call = {"name": "f", "arguments": '{"a": 1}'}
    (message,) = read({"role": "assistant", "content": None, "function_call": call})
    assert message.tool_calls == (ToolCall("", "f", '{"a": 1}'),)


@pytest.mark.parametrize("arguments", ["", None, "{}"])
def test_no_arguments_are_an_empty_object(arguments: str | None) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    assert read({"role": "assistant", "tool_calls": [call]})[0].tool_calls[0].arguments == "{}"


@pytest.mark.parametrize(
    "arguments", ['{"a": [[[{', '{"a": "' + "b" * 1_100_000 + '"}', '{"a": ' + "[" * 900 + "]" * 900 + "}"]
)
def test_arguments_are_kept_whatever_the_model_wrote(arguments: str) -> None:
    call = {"id": "c", "type": None, "function": {"name": "f", "arguments": arguments}}
    assert read({"role": "assistant", "tool_calls": [call]})[0].tool_calls[0].arguments == arguments


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_content_may_be_null(role: str) -> None:
    assert read({"role": role, "content": None}) == (Message(role=role),)  # type: ignore[arg-type] # one of Role


def call_with(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{**CALL, **fields}]}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


FUNCTION = "messages[0].tool_calls[0].function"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Hi", "messages[0]"),
        ({}, "messages[0].role"),
        ({"role": "robot", "content": "a"}, "messages[0].role"),
        ({"role": 3, "content": "a"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": 3}, "messages[0].content"),
        ({"role": "user", "content": {"type": "text"}}, "messages[0].content"),
        ({"role": "user", "content": "a", "name": 3}, "messages[0].name"),
        (user("a"), "messages[0].content[0]"),
        (user({"text": "a"}), "messages[0].content[0].type"),
        (user({"type": "hologram"}), "messages[0].content[0].type"),
        (user({"type": ["text"]}), "messages[0].content[0].type"),
        (user({"type": "refusal", "refusal": "a"}), "messages[0].content[0].type"),
        (user({"type": "text"}), "messages[0].content[0].text"),
        (user({"type": "text", "text": None}), "messages[0].content[0].text"),
        (user({"type": "text", "text": "a"}, {"type": "text", "text": 1}), "messages[0].content[1].text"),
        (user({"type": "input_audio", "input_audio": {}}), "messages[0].content[0].type"),
        (user({"type": "image_url"}), "messages[0].content[0].image_url"),
        (user({"type": "image_url", "image_url": []}), "messages[0].content[0].image_url"),
        (user({"type": "image_url", "image_url": "file:///etc/passwd"}), "messages[0].content[0].image_url"),
        (user(image(None)), "messages[0].content[0].image_url.url"),
        (user(image("file:///etc/passwd")), "messages[0].content[0].image_url.url"),
        (user(image("ftp://example.org/a")), "messages[0].content[0].image_url.url"),
        (user(image("https://example.org/" + "a" * 9000)), "messages[0].content[0].image_url.url"),
        (user(image(IMAGE, detail="huge")), "messages[0].content[0].image_url.detail"),
        (user({"type": "file"}), "messages[0].content[0].file"),
        (user({"type": "file", "file": {}}), "messages[0].content[0].file.file_data"),
        (user({"type": "file", "file": {"file_data": 1}}), "messages[0].content[0].file.file_data"),
        ({"role": "system", "content": [image(IMAGE)]}, "messages[0].content[0].type"),
        ({"role": "assistant", "content": [image(IMAGE)]}, "messages[0].content[0].type"),
        ({"role": "tool", "content": "a"}, "messages[0].tool_call_id"),
        ({"role": "function", "content": "a"}, "messages[0].name"),
        ({"role": "assistant", "tool_calls": {}}, "messages[0].tool_calls"),
        (call_with(id=None), "messages[0].tool_calls[0].id"),
        (call_with(type="custom"), "messages[0].tool_calls[0].type"),
        (call_with(type="other"), "messages[0].tool_calls[0].type"),
        (call_with(function=None), FUNCTION),
        (call_with(function={"arguments": "{}"}), f"{FUNCTION}.name"),
        (call_with(function={"name": "f", "arguments": {}}), f"{FUNCTION}.arguments"),
    ],
)
def test_faults_are_named(message: Any, param: str) -> None:
    with pytest.raises(CallerError) as caught:
        read(message)
    assert caught.value.param == param
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("system", "a system message may contain only text parts; "),
        ("developer", "a developer message may contain only text parts; "),
        ("assistant", "a part of an assistant message must be one of text, refusal, "),
    ],
)
def test_what_a_message_may_contain_is_told(role: str, words: str) -> None:
    with pytest.raises(CallerError, match=words):
        read({"role": role, "content": [image(IMAGE)]})


def test_bounds() -> None:
    bounds = Bounds(max_messages=2, max_parts=1)
    message: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "a"}]}
    assert len(read(message, message, bounds=bounds)) == 2
    with pytest.raises(CallerError, match="at most 2") as caught:
        read(message, message, message, bounds=bounds)
    assert caught.value.param == "messages"
    with pytest.raises(CallerError, match="at most 1") as caught:
        read({"role": "user", "content": message["content"] * 2}, bounds=bounds)
    assert caught.value.param == "messages[0].content"
