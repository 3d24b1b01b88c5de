"""What we write satisfies our own description of answers."""

import json

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from claudegwd.openai_api.chat.response import ChatChoice, ChatStream, Usage, completion_body
from claudegwd.openai_api.completions.response import CompletionStream, TextChoice, text_completion_body
from claudegwd.openai_api.description.answers import answer_schemas
from claudegwd.openai_api.errors import Overloaded
from claudegwd.openai_api.messages import ToolCall
from claudegwd.openai_api.models import ModelInfo, Pricing, capabilities_body, models_body
from tests.openai_client import stream_data

COMPONENTS = {"schemas": answer_schemas()}
USAGE = Usage(1, 2, 3, 4)
CALL = ToolCall("call_1", "f", "{}")


def satisfies(name: str, body: bytes | str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": COMPONENTS}
    Draft202012Validator(schema).validate(json.loads(body))


def test_bodies_fit() -> None:
    choices = [
        ChatChoice(index=0, content="a", reasoning_content="b"),
        ChatChoice(index=1, tool_calls=(CALL,), finish_reason="tool_calls"),
    ]
    satisfies("ChatCompletion", completion_body("i", 1, "m", choices, USAGE))
    satisfies("ChatCompletion", completion_body("i", 1, "m", choices, USAGE, legacy_functions=True))
    satisfies("Completion", text_completion_body("i", 1, "m", [TextChoice(index=0, text="a")], USAGE))
    satisfies("Error", Overloaded("cannot take more").body())


def test_chunks_fit() -> None:
    chat = ChatStream("i", 1, "m", include_usage=True)
    events = [
        chat.role(0),
        chat.text(0, b'"a"'),
        chat.reasoning(0, b'"a"'),
        chat.refusal(0, b'"a"'),
        chat.tool_start(0, 0, "call_1", "f"),
        chat.tool_arguments(0, 0, b'"{}"'),
        chat.finish(0, "tool_calls"),
        chat.usage(USAGE),
    ]
    for data in stream_data(events):
        satisfies("ChatCompletionChunk", data)
    text = CompletionStream("i", 1, "m")
    for data in stream_data([text.text(0, b'"a"'), text.finish(0, "stop"), text.usage(USAGE)]):
        satisfies("TextChunk", data)


def test_every_state_of_health_fits() -> None:
    for status in ("healthy", "degraded", "unhealthy"):  # public/health.py
        body = {"status": status, "version": "1", "claude_version": "2", "active_sessions": 0}
        satisfies("Health", json.dumps(body))


def test_lists_of_models_fit() -> None:
    models = [
        ModelInfo(id="a", created=1, owned_by="x", pricing=Pricing(1, 2)),
        ModelInfo(id="b", created=1, owned_by="x", max_tokens=5),
    ]
    satisfies("Models", models_body(models))
    satisfies("Capabilities", capabilities_body(models, provider="p", adapter="a"))
