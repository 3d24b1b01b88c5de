"""Chat requests, read as a client's body is."""

import json
from typing import Any

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import ChatRequest, parse_chat_request

Body = dict[str, Any]
HI: list[Body] = [{"role": "user", "content": "hi"}]


def chat(messages: list[Body] | None = None, **fields: Any) -> ChatRequest:
    """A request with these messages and fields."""
    body = {"model": "sonnet", "messages": messages or HI, **fields}
    return parse_chat_request(json.dumps(body).encode(), Bounds())


def user(content: Any) -> Body:
    return {"role": "user", "content": content}


def system(content: Any, role: str = "system") -> Body:
    return {"role": role, "content": content}


def assistant(content: Any = None, *calls: Body, **fields: Any) -> Body:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **fields}


def call(ident: str, name: str = "read", arguments: str = "{}") -> Body:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(ident: str, content: Any = "done", **fields: Any) -> Body:
    return {"role": "tool", "tool_call_id": ident, "content": content, **fields}


def function(name: str, parameters: Body | None = None, **fields: Any) -> Body:
    inner = {"name": name, **({"parameters": parameters} if parameters is not None else {}), **fields}
    return {"type": "function", "function": inner}
