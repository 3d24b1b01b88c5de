"""The content blocks of a request, checked only as far as the gateway has to understand them.

They are passed to the upstream unchanged, and it knows best what it accepts; only what would arrive with a different
meaning is rejected here.
"""

from typing import Any, Final

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse

ROLES: Final = ("user", "assistant", "system")
_OPENAI_ROLES: Final = ("developer", "tool", "function")
_OPENAI_MESSAGE: Final = "this is an OpenAI message; send such a conversation to /v1/chat/completions"
_FILES: Final = "files of the upstream account are not supported; send the content itself"


def check_messages(body: Fields, bounds: Bounds) -> list[dict[str, Any]]:
    """`messages`, unchanged. Raises the CallerError with the path of the field at fault."""
    found = body.objects("messages", longest=bounds.max_messages)
    if not found:
        refuse("messages", "it must contain at least one message")
    for message in found:
        if message.get("role") in _OPENAI_ROLES:
            refuse(message.at("role"), _OPENAI_MESSAGE)
        if message.one_of("role", ROLES) is None:
            refuse(message.at("role"), "it is missing; use user or assistant")
        check_content(message, "content", bounds, needed=True)
        if message.get("tool_calls") is not None or message.get("tool_call_id") is not None:
            refuse(message.path, _OPENAI_MESSAGE)
    return [message.values for message in found]


def check_content(fields: Fields, name: str, bounds: Bounds, *, needed: bool = False) -> None:
    """Text, or a list of blocks."""
    value = fields.get(name)
    if value is None and needed:
        refuse(fields.at(name), "it is missing; send a string or a list of blocks")
    if value is None or isinstance(value, str):
        return
    if not isinstance(value, list):
        refuse(fields.at(name), "it must be a string or a list of blocks")
    for block in fields.objects(name, longest=bounds.max_parts):
        _check_block(block, bounds)


def _check_block(block: Fields, bounds: Bounds) -> None:
    kind = block.needed_text("type", longest=bounds.max_id_chars)
    match kind:
        case "text":
            if not block.text("text"):
                refuse(block.at("text"), "it must be a non-empty string")
        case "image" | "document":
            _check_source(block.needed_object("source"))
        case "container_upload":
            cannot_honour(block.path, _FILES)
        case "tool_use":
            block.needed_text("id", longest=bounds.max_id_chars)
            block.needed_text("name", longest=bounds.max_id_chars)
            block.needed_object("input")
        case "tool_result":
            block.needed_text("tool_use_id", longest=bounds.max_id_chars)
            block.flag("is_error")
            check_content(block, "content", bounds)
        case "thinking":
            block.text("thinking")
            block.needed_text("signature")
        case "redacted_thinking":
            block.needed_text("data")
        case "image_url" | "input_text" | "input_image" | "file" | "input_audio":
            refuse(block.at("type"), "this is an OpenAI content part; send such a conversation to /v1/chat/completions")


def _check_source(source: Fields) -> None:
    match source.needed_text("type"):
        case "base64":
            source.needed_text("media_type")
            source.needed_text("data")
        case "url":
            source.needed_text("url")
        case "file":
            cannot_honour(source.path, _FILES)


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """Content as blocks, however it was written. An empty text is none: the API refuses it as a block."""
    if content is None or content == "":
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def text_of(content: Any) -> str:
    """The texts of such content, joined."""
    return "\n\n".join(block["text"] for block in blocks_of(content) if block.get("type") == "text")
