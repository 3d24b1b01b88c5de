"""Turns a request of the Messages API into a plan: its body is already in the inner protocol, and used unchanged.

With a transcript, the CLI writes the request: what cannot be expressed there is rejected by name, or listed as ignored
if the answer is correct without it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from claudegwd.messages_api.content import blocks_of
from claudegwd.messages_api.parameters import IGNORED_BY_TRANSCRIPT, NOT_BY_TRANSCRIPT
from claudegwd.messages_api.request import MessagesRequest
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import Tool
from claudegwd.openai_api.errors import InvalidRequest, UnsupportedParameter
from claudegwd.openai_api.fields import cannot_honour, refuse
from claudegwd.openai_api.modern_schema import check_tool_schema
from claudegwd.openai_api.pairing import CallIds
from claudegwd.translate.request.catalogue import LONG_CONTEXT, Model
from claudegwd.translate.request.history import Entry, ToolResult, base_digest, canonical_answer, chain, user_entry
from claudegwd.translate.request.parameters import EXTRA_BODY, MAX_OUTPUT_TOKENS, TurnSettings
from claudegwd.translate.request.parts import Allowance, Block, image_block
from claudegwd.translate.request.plan import Plan
from claudegwd.translate.request.tools import ToolSet, cli_name, tool_set

# What the CLI adds to the header for a context of a million tokens (observed on 2.1.330).
LONG_CONTEXT_BETA = "context-1m-2025-08-07"

_encode = msgspec.json.Encoder().encode

_WRITTEN_BY_CLI = "it cannot be passed on, because the Claude Code CLI writes the request here"
_PASSED_BY_TRANSCRIPT = ("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking")
# Left out of the extra body for a transcript's turn: what the CLI says itself.
_SAID_BY_CLI = frozenset(("messages", "system", "tools", "max_tokens", *NOT_BY_TRANSCRIPT, *IGNORED_BY_TRANSCRIPT))


def messages_plan(
    request: MessagesRequest, model: Model, client: str, owner: str = "", *, whole: bool, plain_system: bool
) -> Plan:
    """Plan a request of `client`. `whole`: it is passed on whole, with `plain_system` including its system prompt.

    Raises the CallerError that names the field at fault.
    """
    tools = _tools_of_whole(request) if whole else _tools_of_transcript(request)
    owner = owner or client
    base = base_digest(owner, model.cli_name, request.system, tools.manifest)
    entries = _entries(request.messages, base, model.cli_name)
    if not whole:
        entries = _for_transcript(request, entries)
    return Plan(
        client=client,
        owner=owner,
        model=model,
        system=request.system,
        tools=tools,
        entries=entries,
        base=base,
        settings=_settings(request, model, whole=whole, plain_system=plain_system),
        max_tokens=request.max_tokens,
        own_body=_body(request, model),
        whole=whole,
    )


def _tools_of_whole(request: MessagesRequest) -> ToolSet:
    """They are passed on unchanged; whether a schema is valid is for the upstream to say."""
    own = request.tools.own
    manifest = [{"name": tool.name, "description": tool.description, "input_schema": tool.schema} for tool in own]
    return ToolSet(tuple(manifest), {tool.name: tool.name for tool in own})


def _tools_of_transcript(request: MessagesRequest) -> ToolSet:
    """Raises InvalidRequest for an invalid schema: the CLI would silently drop its tool."""
    for tool in request.tools.own:
        if tool.schema.get("type") not in (None, "object"):
            refuse(f"{tool.path}.type", "it must be object")
        check_tool_schema(tool.schema, tool.path, Bounds())
    return tool_set([Tool(tool.name, tool.description or "", tool.schema) for tool in request.tools.own])


def _body(request: MessagesRequest, model: Model) -> Mapping[str, Any]:
    """The CLI fills in whatever a body leaves out, so the API's defaults are made explicit."""
    body = {"system": [], "tools": [], **request.body}
    if "thinking" not in body and model.thinking_off and model.thinking != "none":
        body["thinking"] = {"type": "disabled"}
    if request.betas:
        # The CLI uses this as the whole header, so what the model's name implies must be included.
        long = [LONG_CONTEXT_BETA] if model.cli_name.endswith(LONG_CONTEXT) else []
        body["betas"] = list(dict.fromkeys((*request.betas, *long)))
    return body


def _settings(request: MessagesRequest, model: Model, *, whole: bool, plain_system: bool) -> TurnSettings:
    effort = (request.body.get("output_config") or {}).get("effort")
    ignored = list(request.ignored)
    if effort is not None and effort not in model.efforts:
        if model.efforts:  # the upstream would refuse it too, but the CLI drops it
            raise UnsupportedParameter(
                f"cannot use this effort with {model.id}: it supports {', '.join(model.efforts)}",
                param="output_config.effort",
            )
        ignored.append("output_config.effort")  # the CLI drops it for a model without efforts
        effort = None
    if whole:
        if not plain_system and _is_marked(request.body.get("system")):
            ignored.append("system.cache_control")  # the CLI sets its own
        return TurnSettings(model.cli_name, effort, {EXTRA_BODY: "", MAX_OUTPUT_TOKENS: ""}, tuple(ignored))
    ignored += _ignored_by_transcript(request)
    body = {name: value for name, value in _body(request, model).items() if name not in _SAID_BY_CLI}
    body.pop("betas", None)
    if isinstance(named := body.get("tool_choice", {}).get("name"), str):
        body["tool_choice"] = {**body["tool_choice"], "name": cli_name(named)}
    tokens = str(request.max_tokens) if request.max_tokens is not None else ""
    env = {EXTRA_BODY: _encode(body).decode() if body else "", MAX_OUTPUT_TOKENS: tokens}
    return TurnSettings(model.cli_name, effort, env, tuple(ignored))


def _is_marked(content: Any) -> bool:
    return any("cache_control" in block for block in blocks_of(content))


def _ignored_by_transcript(request: MessagesRequest) -> list[str]:
    ignored: list[str] = [name for name in IGNORED_BY_TRANSCRIPT if name in request.body]
    if request.betas:
        ignored.append("anthropic-beta")
    contents = [request.body.get("system"), *(message["content"] for message in request.messages)]
    if any(map(_is_marked, contents)) and "cache_control" not in ignored:
        ignored.append("cache_control")
    return [*ignored, *(f"tools.{name}" for name in request.tools.extras)]


# -- the conversation -------------------------------------------------------------------------------------------------


def _entries(messages: list[dict[str, Any]], base: bytes, model: str) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for role, blocks in _grouped(messages):
        before = entries[-1].digest if entries else base
        entries.append(_assistant(blocks, before, model) if role == "assistant" else _user(blocks, before))
    return tuple(entries)


def _grouped(messages: list[dict[str, Any]]) -> list[tuple[str, list[Block]]]:
    """The blocks of each side's turn, without cache markers, which carry no meaning."""
    groups: list[tuple[str, list[Block]]] = []
    for message in messages:
        role = "assistant" if message["role"] == "assistant" else "user"
        blocks = [_unmarked(block) for block in blocks_of(message["content"])]
        if groups and groups[-1][0] == role:
            groups[-1][1].extend(blocks)
        else:
            groups.append((role, blocks))
    return groups


def _unmarked(block: Block) -> Block:
    return {name: value for name, value in block.items() if name != "cache_control"}


def _assistant(blocks: list[Block], before: bytes, model: str) -> Entry:
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    called = [block for block in blocks if block["type"] == "tool_use"]
    calls = [(block["id"], block["name"], _encode(block["input"]).decode()) for block in called]
    thinks = any("thinking" in block["type"] for block in blocks)
    digest = chain(before, canonical_answer(text, calls))
    return Entry("assistant", tuple(blocks), (), digest, model if thinks else "")


def _user(blocks: list[Block], before: bytes) -> Entry:
    results = tuple(
        ToolResult(
            block["tool_use_id"],
            tuple(_unmarked(one) for one in blocks_of(block.get("content"))),
            block.get("is_error") is True,
        )
        for block in blocks
        if block["type"] == "tool_result"
    )
    return user_entry([block for block in blocks if block["type"] != "tool_result"], results, before)


# -- by transcript ----------------------------------------------------------------------------------------------------


def _for_transcript(request: MessagesRequest, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Raises the CallerError for what the CLI cannot express when it writes the request."""
    for name in NOT_BY_TRANSCRIPT:
        if name in request.body:
            cannot_honour(name, _WRITTEN_BY_CLI)
    if request.tools.typed:
        cannot_honour(request.tools.typed, f"a tool of this type: {_WRITTEN_BY_CLI}")
    allowance = Allowance()
    for index, message in enumerate(request.messages):
        if message["role"] == "system":
            cannot_honour(f"messages[{index}].role", _WRITTEN_BY_CLI)
        blocks = blocks_of(message["content"])
        opens = not blocks and message["role"] == "assistant" and index == len(request.messages) - 1
        if not opens and all(map(_is_blank, blocks)):
            # As in the API. The CLI would put its own words there: "(no content)".
            refuse(f"messages[{index}].content", "it must contain more than white space")
        _check_blocks(message["content"], f"messages[{index}].content", allowance)
    _check_order(entries)
    return tuple(replace(entry, blocks=tuple(map(_with_cli_name, entry.blocks))) for entry in entries)


def _with_cli_name(block: Block) -> Block:
    """A call of a tool, under the name that the CLI knows the tool by."""
    return {**block, "name": cli_name(block["name"])} if block["type"] == "tool_use" else block


def _is_blank(block: Block) -> bool:
    return block["type"] == "text" and not block["text"].strip()


def _check_blocks(content: Any, path: str, allowance: Allowance) -> None:
    for index, block in enumerate(blocks_of(content)):
        place = f"{path}[{index}]"
        if block["type"] not in _PASSED_BY_TRANSCRIPT:
            cannot_honour(place, f"a block of this type: {_WRITTEN_BY_CLI}")
        if block["type"] == "tool_result":
            _check_blocks(block.get("content"), f"{place}.content", allowance)
        if block["type"] in ("image", "document"):
            source = block["source"]
            if source["type"] not in (("base64",) if block["type"] == "image" else ("base64", "text")):
                cannot_honour(f"{place}.source", "send the content itself, as base64")
            if block["type"] == "image":
                # The CLI decodes images, so one that is too large for it must be rejected here.
                image_block(source["data"], f"{place}.source.data", allowance)


def _check_order(entries: tuple[Entry, ...]) -> None:
    if entries[0].role != "user":
        raise InvalidRequest("cannot start with an assistant message: start with a user message", param="messages")
    waiting: list[str] = []
    ids = CallIds()
    for entry in entries:
        given = [result.call_id for result in entry.results]
        if sorted(given) != sorted(waiting):
            raise InvalidRequest(
                "cannot match calls and results: after a message with tool_use blocks, the next one must contain a "
                "tool_result for each of them and no others",
                param="messages",
            )
        waiting = [block["id"] for block in entry.blocks if block["type"] == "tool_use"]
        if not all(map(ids.take, waiting)):
            # As in the API. The CLI would leave out a call or its result, and say so in words of its own.
            raise InvalidRequest(
                "cannot tell two calls apart: give each tool_use block an id of its own, and not that of another with "
                "_ and a number behind it",
                param="messages",
            )
    if waiting:
        raise InvalidRequest("cannot continue from a tool call without its result", param="messages")
