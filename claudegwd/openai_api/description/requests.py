"""The request bodies, for our own OpenAPI description. Limits come from the code that enforces them."""

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.description.schemas import FLAG, TEXT, Schema, listed, one_of, optional, record, ref
from claudegwd.openai_api.parameters import MAX_STOP_CHARS, MAX_STOPS, MAX_TOKENS, REASONING_EFFORTS, VERBOSITIES


def request_schemas(bounds: Bounds) -> dict[str, Schema]:
    """The schemas of requests and their parts, by name."""
    return {**_messages(bounds), **_tools(bounds), **_requests(bounds)}


def _messages(bounds: Bounds) -> dict[str, Schema]:
    text = record("type text", type=one_of("text"), text=TEXT)
    refusal = record("type refusal", type=one_of("refusal"), refusal=TEXT)
    url = {"type": "string", "pattern": "^(data:|https?://)"}
    details = one_of("auto", "low", "high", "original")
    image = record(
        "type image_url", type=one_of("image_url"), image_url=record("url", url=url, **optional(detail=details))
    )
    data = {"type": "string", "minLength": 1}
    file = record("type file", type=one_of("file"), file=record("file_data", file_data=data, **optional(filename=TEXT)))

    def content(*parts: str) -> Schema:
        of = {"anyOf": [ref(part) for part in parts]}
        return {"anyOf": [TEXT, listed(of, maxItems=bounds.max_parts)]}

    ident = {"type": "string", "minLength": 1, "maxLength": bounds.max_id_chars}
    name = optional(name={"type": "string", "maxLength": bounds.max_id_chars})
    instructions = record("role content", role=one_of("system", "developer"), content=content("TextPart"), **name)
    user = record("role content", role=one_of("user"), content=content("TextPart", "ImagePart", "FilePart"), **name)
    assistant = record(
        "role",
        role=one_of("assistant"),
        **optional(
            content=content("TextPart", "RefusalPart"),
            tool_calls=listed(ref("ToolCall"), maxItems=bounds.max_tools),
            name=name["name"],
        ),
    )
    results = content("TextPart", "ImagePart", "FilePart")
    result = record("role tool_call_id", role=one_of("tool"), tool_call_id=ident, **optional(content=results), **name)
    return {
        "TextPart": text,
        "RefusalPart": refusal,
        "ImagePart": image,
        "FilePart": file,
        "ToolCall": record(
            "id function",
            id=ident,
            type=one_of("function"),
            function=record("name", name=ident, **optional(arguments=TEXT)),
        ),
        "Message": {"anyOf": [instructions, user, assistant, result]},
    }


def _tools(bounds: Bounds) -> dict[str, Schema]:
    name = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,128}$"}
    function = record("name", name=name, **optional(description=TEXT, parameters=ref("Parameters"), strict=FLAG))
    named = record("type function", type=one_of("function"), function=record("name", name=name))
    allowed = record(
        "type allowed_tools",
        type=one_of("allowed_tools"),
        allowed_tools=record(
            "mode tools", mode=one_of("auto", "required"), tools=listed(named, maxItems=bounds.max_tools)
        ),
    )
    schema: Schema = {"type": "object", "description": "A JSON Schema."}
    answer_schema = record(
        "name",
        name={"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        **optional(schema=schema, strict=FLAG, description=TEXT),
    )
    return {
        "Parameters": {"type": "object", "description": "A JSON Schema of type object."},
        "Tool": record("type function", type=one_of("function"), function=function),
        "ToolChoice": {"anyOf": [one_of("none", "auto", "required"), named, allowed]},
        "ResponseFormat": {
            "anyOf": [
                record("type", type=one_of("text")),
                record("type", type=one_of("json_object"), **optional(schema=schema)),
                record("type json_schema", type=one_of("json_schema"), json_schema=answer_schema),
            ]
        },
    }


def _requests(bounds: Bounds) -> dict[str, Schema]:
    tokens = {"type": "integer", "minimum": 1, "maximum": MAX_TOKENS}
    stop = {"type": "string", "minLength": 1, "maxLength": MAX_STOP_CHARS}
    ident = {"type": "string", "maxLength": bounds.max_id_chars}
    penalty = {"type": "number", "minimum": -2, "maximum": 2}
    shared = optional(
        stream=FLAG,
        stream_options=record(**optional(include_usage=FLAG, include_obfuscation=FLAG)),
        max_tokens=tokens,
        max_completion_tokens=tokens,
        stop={"anyOf": [stop, listed(stop, maxItems=MAX_STOPS)]},
        temperature={"type": "number", "minimum": 0, "maximum": 2},
        top_p={"type": "number", "minimum": 0, "maximum": 1},
        n={"type": "integer", "minimum": 1, "maximum": bounds.max_n},
        prompt_cache_key=ident,
        seed={"type": "integer", "minimum": -(2**63), "maximum": 2**63},
        user=ident,
        frequency_penalty=penalty,
        presence_penalty=penalty,
    )
    chat = optional(
        tools=listed(ref("Tool"), maxItems=bounds.max_tools),
        tool_choice=ref("ToolChoice"),
        parallel_tool_calls=FLAG,
        response_format=ref("ResponseFormat"),
        reasoning_effort=one_of(*REASONING_EFFORTS),
        verbosity=one_of(*VERBOSITIES),
        web_search_options={"type": "object"},
        metadata={"type": "object"},
        store=FLAG,
        service_tier=TEXT,
        safety_identifier=TEXT,
        project_id=ident,
        session_id=ident,
        system_prompt=TEXT,
    )
    model = {"type": "string", "minLength": 1, "maxLength": bounds.max_model_chars}
    messages = listed(ref("Message"), minItems=1, maxItems=bounds.max_messages)
    prompt = {"type": "string", "pattern": r"\S"}
    prompts = {"anyOf": [prompt, listed(prompt, minItems=1, maxItems=bounds.max_n)]}
    return {
        "ChatRequest": record("model messages", model=model, messages=messages, **shared, **chat),
        "CompletionsRequest": record("model prompt", model=model, prompt=prompts, **shared, **optional(echo=FLAG)),
    }
