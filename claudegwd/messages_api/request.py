"""A request of POST /v1/messages, parsed and checked as far as the gateway has to understand it."""

from typing import Any, NoReturn

import msgspec

from claudegwd.messages_api import parameters
from claudegwd.messages_api.content import check_content, check_messages, text_of
from claudegwd.messages_api.made import without_made
from claudegwd.messages_api.tools import Tools, read_tools
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse
from claudegwd.openai_api.json_schema import check_depth
from claudegwd.openai_api.parameters import name_what_is_ignored


class MessagesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is what goes to the upstream: the client's own, without what the gateway sets itself."""

    model: str
    stream: bool
    body: dict[str, Any]
    messages: list[dict[str, Any]]
    system: str
    tools: Tools
    max_tokens: int | None
    betas: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def check_version(version: str | None) -> tuple[str, ...]:
    """What to name in x-claudegw-ignored. Raises InvalidRequest for an unknown protocol version, or none."""
    if version is None:
        raise InvalidRequest("cannot answer without an API version: send the header anthropic-version: 2023-06-01")
    if version not in parameters.VERSIONS:
        raise InvalidRequest("cannot use this anthropic-version: send " + " or ".join(parameters.VERSIONS))
    return () if version == parameters.UPSTREAM_VERSION else ("anthropic-version",)


def read_messages_request(body: Fields, betas: str, bounds: Bounds, *, counts: bool = False) -> MessagesRequest:
    """Read a body; `betas` is the header anthropic-beta. `counts`: only tokens are counted.

    Raises a CallerError with the path of the field at fault, and nothing else, whatever the body.
    """
    _refuse_openai(body)
    check_depth(body.values, "body", bounds)
    model = body.needed_text("model", longest=bounds.max_model_chars)
    messages = without_made(check_messages(body, bounds))
    if not messages:
        refuse("messages", "it contains only what Claude did in a workspace; add a message of the user's")
    for name, why in parameters.REFUSED.items():
        if body.get(name) is not None:
            cannot_honour(name, why)
    _check_system(body, bounds)
    _check_plain_fields(body, bounds)
    max_tokens = body.whole("max_tokens", 1, parameters.MAX_TOKENS)
    if max_tokens is None and not counts:
        refuse("max_tokens", "it is missing; set it to the maximum number of tokens in the answer")
    ignored = name_what_is_ignored(body, {}, parameters.KNOWN | parameters.REFUSED.keys())
    return MessagesRequest(
        model=model,
        stream=body.flag("stream") or False,
        body={name: value for name, value in body.values.items() if name in parameters.PASSED_ON and value is not None}
        | {"messages": messages},
        messages=messages,
        system=text_of(body.get("system")),
        tools=read_tools(body, bounds),
        max_tokens=max_tokens,
        betas=_betas(body, betas),
        ignored=tuple(ignored),
    )


def _check_system(body: Fields, bounds: Bounds) -> None:
    check_content(body, "system", bounds)
    if isinstance(body.get("system"), list):
        for block in body.objects("system", longest=bounds.max_parts):
            # The upstream accepts nothing else, and the CLI, which may write the system prompt, would leave it out.
            if block.get("type") != "text":
                refuse(block.at("type"), "it must be text; send anything else in a user message")


def _check_plain_fields(body: Fields, bounds: Bounds) -> None:
    body.number("temperature", 0, 1)
    body.number("top_p", 0, 1)
    body.whole("top_k", 0, parameters.MAX_TOKENS)
    chosen = body.get("tool_choice")
    if isinstance(chosen, str) or (isinstance(chosen, dict) and chosen.get("type") in parameters.OPENAI_CHOICES):
        _meant_for_openai("tool_choice")
    for name in ("tool_choice", "thinking"):
        chosen = body.object(name)
        if chosen is not None:
            chosen.needed_text("type")
    for name in ("metadata", "output_config", "context_management", "cache_control"):
        body.object(name)
    for index, stop in enumerate(body.array("stop_sequences", longest=bounds.max_parts) or ()):
        if not isinstance(stop, str):
            refuse(f"stop_sequences[{index}]", "it must be a string")


def _betas(body: Fields, header: str) -> tuple[str, ...]:
    """Those in the header and in the body, which some clients use instead. They are sent as a header."""
    given = [*header.split(","), *(body.array("betas", longest=parameters.MAX_BETAS) or ())]
    names = dict.fromkeys(name.strip() for name in given if isinstance(name, str) and name.strip())
    if len(names) > parameters.MAX_BETAS:
        refuse("anthropic-beta", f"it must list at most {parameters.MAX_BETAS}")
    if not all(map(parameters.BETA.fullmatch, names)):
        refuse("anthropic-beta", "it must be a comma-separated list of names of letters, digits, dots, _ and -")
    return tuple(names)


def _refuse_openai(body: Fields) -> None:
    for name in parameters.OPENAI_ONLY:
        if body.get(name) is not None:
            _meant_for_openai(name)


def _meant_for_openai(name: str) -> NoReturn:
    raise InvalidRequest(
        f"cannot read {name} here: this is an OpenAI API request; send it to /v1/chat/completions (or to "
        "/v1/responses, if it has `input`)",
        param=name,
    )
