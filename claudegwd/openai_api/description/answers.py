"""The response bodies, for our own OpenAPI description."""

from claudegwd.openai_api.description.schemas import COUNT, FLAG, NULL, TEXT, Schema, listed, one_of, record, ref

_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}


def answer_schemas() -> dict[str, Schema]:
    """The schemas of answers, by name."""
    error = record("message type param code", message=TEXT, type=TEXT, param=_TEXT_OR_NULL, code=_TEXT_OR_NULL)
    return {
        **_answers(),
        **_models(),
        "Error": record("error", error=error),
        "Health": record(
            "status version claude_version active_sessions",
            status=one_of("healthy", "degraded", "unhealthy"),
            version=TEXT,
            claude_version=_TEXT_OR_NULL,
            active_sessions=COUNT,
            error=TEXT,
        ),
        "Index": record("name version", name=TEXT, version=TEXT, description=TEXT, endpoints=record(), docs=TEXT),
    }


def _answers() -> dict[str, Schema]:
    function = record("name arguments", name=TEXT, arguments=TEXT)
    call = record("id type function", id=TEXT, type=one_of("function"), function=function)
    message = record(
        "role content refusal",
        role=one_of("assistant"),
        content=_TEXT_OR_NULL,
        refusal=_TEXT_OR_NULL,
        reasoning_content=TEXT,
        tool_calls=listed(call),
        function_call=function,
    )
    reasons = one_of("stop", "length", "tool_calls", "content_filter", "function_call")
    chat_choice = record(
        "index message logprobs finish_reason", index=COUNT, message=message, logprobs=NULL, finish_reason=reasons
    )
    text_choice = record(
        "index text logprobs finish_reason",
        index=COUNT,
        text=TEXT,
        logprobs=NULL,
        finish_reason={"anyOf": [one_of("stop", "length", "content_filter"), NULL]},
    )
    piece = record("index", index=COUNT, id=TEXT, type=one_of("function"), function=record(name=TEXT, arguments=TEXT))
    delta = record(
        role=one_of("assistant"),
        content=_TEXT_OR_NULL,
        refusal=_TEXT_OR_NULL,
        reasoning_content=TEXT,
        tool_calls=listed(piece),
        function_call=record(name=TEXT, arguments=TEXT),
    )
    chunk_choice = record(
        "index delta logprobs finish_reason",
        index=COUNT,
        delta=delta,
        logprobs=NULL,
        finish_reason={"anyOf": [reasons, NULL]},
    )
    usage = record(
        "prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details",
        prompt_tokens=COUNT,
        completion_tokens=COUNT,
        total_tokens=COUNT,
        prompt_tokens_details=record("cached_tokens", cached_tokens=COUNT),
        completion_tokens_details=record("reasoning_tokens", reasoning_tokens=COUNT),
    )

    def answer(needed: str, kind: str, choice: Schema, usage: Schema) -> Schema:
        shared = {"id": TEXT, "object": one_of(kind), "created": COUNT, "model": TEXT}
        return record("id object created model choices" + needed, **shared, choices=listed(choice), usage=usage)

    later = {"anyOf": [ref("Usage"), NULL]}
    return {
        "Usage": usage,
        "ChatCompletion": answer(" usage", "chat.completion", chat_choice, ref("Usage")),
        "ChatCompletionChunk": answer("", "chat.completion.chunk", chunk_choice, later),
        "Completion": answer(" usage", "text_completion", text_choice, ref("Usage")),
        "TextChunk": answer("", "text_completion", text_choice, later),
    }


def _models() -> dict[str, Schema]:
    price: Schema = {"type": ["number", "null"], "minimum": 0}
    pricing = record(
        "input_cost_per_1k_tokens output_cost_per_1k_tokens currency",
        input_cost_per_1k_tokens=price,
        output_cost_per_1k_tokens=price,
        currency=TEXT,
    )
    capable = record(
        "id name description max_tokens supports_streaming supports_tools pricing features",
        id=TEXT,
        name=TEXT,
        description=TEXT,
        max_tokens={"type": ["integer", "null"]},
        supports_streaming=FLAG,
        supports_tools=FLAG,
        pricing=pricing,
        features=listed(TEXT),
        effort_levels=listed(TEXT),
    )
    return {
        "Model": record("id object created owned_by", id=TEXT, object=one_of("model"), created=COUNT, owned_by=TEXT),
        "Models": record("object data", object=one_of("list"), data=listed(ref("Model"))),
        "Capabilities": record(
            "models total provider adapter", models=listed(capable), total=COUNT, provider=TEXT, adapter=TEXT
        ),
    }
