"""Parts in the format of the Messages API that some clients send in a chat: Cursor does, for models called claude-…"""

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.encode import encode
from claudegwd.openai_api.fields import Fields, refuse

# Another answer's thinking cannot be sent back without its process.
THINKING = ("thinking", "redacted_thinking")


def read_tool_use(fields: Fields, bounds: Bounds) -> tuple[str, str, str]:
    """A part `tool_use`: the call's id and name, and its arguments as text."""
    values = fields.object("input")
    arguments = encode(values.values if values else {}).decode()
    name = fields.needed_text("name", longest=bounds.max_id_chars)
    return fields.needed_text("id", longest=bounds.max_id_chars), name, arguments


def source_url(fields: Fields, bounds: Bounds) -> str:
    """The `source` of a part `image` or `document` as a URL."""
    source = fields.needed_object("source")
    if source.one_of("type", ("base64", "url")) == "url":
        url = source.needed_text("url", longest=bounds.max_url_chars)
        if not url.lower().startswith(("http://", "https://")):
            refuse(source.at("url"), "it must be an http or https URL")
        return url
    media_type = source.needed_text("media_type", longest=bounds.max_id_chars)
    return f"data:{media_type};base64,{source.needed_text('data')}"
