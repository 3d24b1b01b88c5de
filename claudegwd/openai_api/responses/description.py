"""The requests and responses of /v1/responses, for our own OpenAPI description."""

from typing import Any

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.description.schemas import (
    COUNT,
    FLAG,
    NULL,
    TEXT,
    Schema,
    listed,
    one_of,
    optional,
    record,
    ref,
)
from claudegwd.openai_api.parameters import MAX_TOKENS, REASONING_EFFORTS, VERBOSITIES
from claudegwd.openai_api.responses.compaction import MAX_ENTRIES, MAX_THRESHOLD, MIN_THRESHOLD
from claudegwd.openai_api.responses.response import MAX_PAGE
from claudegwd.openai_api.web_search import MAX_DOMAINS, SEARCH_TOOL

ITEM_PARAMETERS: list[dict[str, Any]] = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}},
    {"name": "order", "in": "query", "schema": one_of("asc", "desc")},
    {"name": "after", "in": "query", "schema": TEXT, "description": "The id of an item."},
]

SHOW_PARAMETERS: list[dict[str, Any]] = [
    {"name": "stream", "in": "query", "schema": FLAG, "description": "The events of a background response."},
    {"name": "starting_after", "in": "query", "schema": COUNT, "description": "The last sequence_number read."},
]


def responses_schemas(bounds: Bounds) -> dict[str, Schema]:
    """The schemas of this API, by name."""
    request = _request(bounds)
    counting = {**request, "required": []}
    return {
        **_items(bounds), **_tools(bounds), "ResponsesRequest": request, "ResponseCounting": counting, **_answers(),
    }  # fmt: skip


def _items(bounds: Bounds) -> dict[str, Schema]:
    ident = {"type": "string", "minLength": 1, "maxLength": bounds.max_id_chars}
    arguments = {"type": "string"}
    text = record("type text", type=one_of("input_text", "output_text", "text"), text=TEXT)
    refusal = record("type refusal", type=one_of("refusal"), refusal=TEXT)
    url = {"type": "string", "pattern": "^(data:|https?://)"}
    details = one_of("auto", "low", "high", "original")
    image = record("type image_url", type=one_of("input_image"), image_url=url, **optional(detail=details))
    data = {"type": "string", "minLength": 1}
    file = record("type file_data", type=one_of("input_file"), file_data=data, **optional(filename=TEXT))

    def content(*parts: Schema) -> Schema:
        return {"anyOf": [TEXT, listed({"anyOf": list(parts)}, maxItems=bounds.max_parts)]}

    mixed = content(text, image, file)
    named = optional(type=one_of("message"))
    call = {"call_id": ident, "name": ident, **optional(namespace=ident)}
    shell = one_of("local_shell_call_output")
    outputs = one_of("function_call_output", "custom_tool_call_output", *shell["enum"])
    return {
        "ResponsesItem": {
            "anyOf": [
                record("role content", role=one_of("user"), content=mixed, **named),
                record("role content", role=one_of("system", "developer"), content=content(text), **named),
                record("role", role=one_of("assistant"), **optional(content=content(text, refusal)), **named),
                record("type call_id name", type=one_of("function_call"), **call, **optional(arguments=arguments)),
                record("type call_id name", type=one_of("custom_tool_call"), **call, **optional(input=arguments)),
                record("type call_id action", type=one_of("local_shell_call"), call_id=ident, action=record()),
                record("type call_id", type=outputs, call_id=ident, **optional(output=mixed)),
                record("type id", type=shell, id=ident, **optional(output=mixed)),
                record("type", type=one_of("reasoning", "web_search_call")),
                record("type encrypted_content", type=one_of("compaction"), encrypted_content=TEXT),
                record("type", type=one_of("compaction_trigger")),
                *_items_of_tools(ident, bounds),
                record("id", id=ident, **optional(type=one_of("item_reference"))),
            ]
        }
    }


def _items_of_tools(ident: Schema, bounds: Bounds) -> list[Schema]:
    """What the client's own machine or another provider did."""
    plain = ("mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "file_search_call",
             "code_interpreter_call", "image_generation_call")  # fmt: skip
    tools = listed(ref("ResponsesTool"), maxItems=bounds.max_tools)
    return [
        record("type call_id action", type=one_of("shell_call"), call_id=ident, action=record()),
        record("type call_id operation", type=one_of("apply_patch_call"), call_id=ident, operation=record()),
        record("type call_id", type=one_of("shell_call_output", "apply_patch_call_output"), call_id=ident),
        record("type id server_label name", type=one_of("mcp_call"), id=ident, server_label=ident, name=ident),
        record("type id", type=one_of(*plain), id=ident),
        record("type call_id", type=one_of("tool_search_call"), call_id={"anyOf": [ident, NULL]}),
        record("type tools", type=one_of("tool_search_output", "additional_tools"), tools=tools),
        record("type content", type=one_of("agent_message"), content={"type": "string", "minLength": 1}),
    ]


def _tools(bounds: Bounds) -> dict[str, Schema]:
    name = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,128}$"}
    function = record(
        "type name",
        type=one_of("function"),
        name=name,
        **optional(description=TEXT, parameters=ref("Parameters"), strict=FLAG),
    )
    custom = record("type name", type=one_of("custom"), name=name, **optional(description=TEXT, format=record()))
    own = {"anyOf": [function, custom]}
    namespace = record("type name tools", type=one_of("namespace"), name=name, tools=listed(own))
    kind: Schema = {"type": "string", "pattern": f"^{SEARCH_TOOL}$"}
    place = {"anyOf": [record(**optional(city=TEXT, country=TEXT, region=TEXT, timezone=TEXT)), NULL]}
    domains = listed(TEXT, maxItems=MAX_DOMAINS)
    search = record(
        "type",
        type=kind,
        **optional(
            filters=record(**optional(allowed_domains=domains, blocked_domains=domains)),
            user_location=place,
            search_context_size=one_of("low", "medium", "high"),
            external_web_access=FLAG,
        ),
    )
    # Those that OpenAI's servers run: accepted, and listed as without effect.
    known: Schema = {"anyOf": [{"enum": ["function", "custom", "namespace"]}, {"pattern": kind["pattern"]}]}
    other = record("type", type={"type": "string", "not": known})
    named = record("type name", type=one_of("function", "custom"), name=name, **optional(namespace=name))
    allowed = record(
        "type mode tools",
        type=one_of("allowed_tools"),
        mode=one_of("auto", "required"),
        tools=listed(named, maxItems=bounds.max_tools),
    )
    return {
        "ResponsesTool": {"anyOf": [function, custom, namespace, search, other]},
        "ResponsesToolChoice": {
            "anyOf": [one_of("none", "auto", "required"), named, allowed, record("type", type=kind)],
        },
    }


def _request(bounds: Bounds) -> Schema:
    ident = {"type": "string", "maxLength": bounds.max_id_chars}
    schema: Schema = {"type": "object", "description": "A JSON Schema."}
    json_schema = record(
        "type name",
        type=one_of("json_schema"),
        name={"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        **optional(schema=schema, strict=FLAG, description=TEXT),
    )
    json_object = record("type", type=one_of("json_object"), **optional(schema=schema))
    form = {"anyOf": [record("type", type=one_of("text")), json_object, json_schema]}
    summary = one_of("auto", "concise", "detailed")
    threshold: Schema = {"type": "integer", "minimum": MIN_THRESHOLD, "maximum": MAX_THRESHOLD}
    items = listed(ref("ResponsesItem"), maxItems=bounds.max_messages)
    return record(
        "model",
        model={"type": "string", "minLength": 1, "maxLength": bounds.max_model_chars},
        **optional(
            input={"anyOf": [{"type": "string", "pattern": r"\S"}, items]},
            instructions=TEXT,
            previous_response_id=ident,
            store=FLAG,
            stream=FLAG,
            background=FLAG,
            stream_options=record(**optional(include_obfuscation=FLAG)),
            tools=listed(ref("ResponsesTool"), maxItems=bounds.max_tools),
            tool_choice=ref("ResponsesToolChoice"),
            parallel_tool_calls=FLAG,
            text=record(**optional(format=form, verbosity=one_of(*VERBOSITIES))),
            reasoning=record(**optional(effort=one_of(*REASONING_EFFORTS), summary=summary)),
            temperature={"type": "number", "minimum": 0, "maximum": 2},
            top_p={"type": "number", "minimum": 0, "maximum": 1},
            max_output_tokens={"type": "integer", "minimum": 1, "maximum": MAX_TOKENS},
            max_tool_calls={"type": "integer", "minimum": 1, "maximum": MAX_TOKENS},
            metadata={"type": "object", "additionalProperties": TEXT},
            prompt_cache_key=ident,
            context_management=listed(
                record("type", type=one_of("compaction"), **optional(compact_threshold=threshold)),
                maxItems=MAX_ENTRIES,
            ),
            include=listed(TEXT),
            truncation=one_of("auto", "disabled"),
            user=TEXT,
            safety_identifier=TEXT,
            service_tier=TEXT,
        ),
    )


def _answers() -> dict[str, Schema]:
    statuses = one_of("in_progress", "completed", "incomplete")
    text = record("type text annotations logprobs", type=one_of("output_text"), text=TEXT,
                  annotations=listed({}), logprobs=listed({}))  # fmt: skip
    refusal = record("type refusal", type=one_of("refusal"), refusal=TEXT)
    summary = record("type text", type=one_of("summary_text"), text=TEXT)
    call = {"id": TEXT, "status": statuses, "call_id": TEXT, "name": TEXT, "namespace": TEXT}
    message = record("id type role content status", id=TEXT, type=one_of("message"), role=one_of("assistant"),
                     content=listed({"anyOf": [text, refusal]}), status=statuses)  # fmt: skip
    compaction = record("id type encrypted_content", id=TEXT, type=one_of("compaction"), encrypted_content=TEXT)
    output = {
        "anyOf": [
            message,
            record("id type summary", id=TEXT, type=one_of("reasoning"), summary=listed(summary), status=statuses),
            record("id type call_id name arguments", type=one_of("function_call"), arguments=TEXT, **call),
            record("id type call_id name input", type=one_of("custom_tool_call"), input=TEXT, **call),
            record(
                "id type call_id arguments execution",
                type=one_of("tool_search_call"),
                arguments={},
                execution=one_of("client"),
                **call,
            ),
            record(
                "id type status action",
                id=TEXT,
                type=one_of("web_search_call"),
                status=one_of("in_progress", "searching", "completed", "failed"),
                action=record("type", type=one_of("search")),
            ),
            compaction,
        ]
    }
    usage = record(
        "input_tokens input_tokens_details output_tokens output_tokens_details total_tokens",
        input_tokens=COUNT,
        input_tokens_details=record("cached_tokens cache_write_tokens", cached_tokens=COUNT, cache_write_tokens=COUNT),
        output_tokens=COUNT,
        output_tokens_details=record("reasoning_tokens", reasoning_tokens=COUNT),
        total_tokens=COUNT,
    )
    response = record(
        "id object created_at status error incomplete_details instructions model tools output parallel_tool_calls "
        "metadata tool_choice temperature top_p",
        id=TEXT,
        object=one_of("response"),
        created_at=COUNT,
        status=one_of("queued", "in_progress", "completed", "incomplete", "failed", "cancelled"),
        error={"anyOf": [record("code message", code=TEXT, message=TEXT), NULL]},
        incomplete_details={"anyOf": [record("reason", reason=one_of("max_output_tokens", "content_filter")), NULL]},
        model=TEXT,
        output=listed(output),
        usage=usage,
    )
    items = record("object data has_more first_id last_id", object=one_of("list"), data=listed(record("id type")),
                   has_more=FLAG, first_id=TEXT, last_id=TEXT)  # fmt: skip
    return {
        "Response": response,
        "ResponseEvent": record("type sequence_number", type=TEXT, sequence_number=COUNT, response=ref("Response")),
        "ResponseDeleted": record("id object deleted", id=TEXT, object=one_of("response"), deleted=FLAG),
        "ResponseItems": items,
        "ResponseCompacted": record(
            "id object created_at output usage",
            id=TEXT,
            object=one_of("response.compaction"),
            created_at=COUNT,
            output=listed(record("id type")),
            usage=usage,
        ),
        "ResponseTokens": record("object input_tokens", object=one_of("response.input_tokens"), input_tokens=COUNT),
    }
