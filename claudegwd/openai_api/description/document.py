"""Our own OpenAPI 3.1 description of the public API, for GET /openapi.json.

It is built from the route table, so it can neither promise a route that does not exist nor omit one: a route without an
operation here is an error.
"""

import re
from collections.abc import Iterable
from typing import Any

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.description.answers import answer_schemas
from claudegwd.openai_api.description.messages import in_its_envelope, messages_schemas
from claudegwd.openai_api.description.requests import request_schemas
from claudegwd.openai_api.description.schemas import TEXT, Schema, ref
from claudegwd.openai_api.description.usage import USAGE_PARAMETERS, usage_schemas
from claudegwd.openai_api.older_gateway.description import PAGE_PARAMETERS, PROJECT_PARAMETER, older_schemas
from claudegwd.openai_api.responses.description import ITEM_PARAMETERS, SHOW_PARAMETERS, responses_schemas

Operation = dict[str, Any]

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

# By status; each comes with the error envelope. 401, 429 and 503 may come from anywhere.
_ERRORS = {
    400: "The request is invalid; `param` names the field.",
    401: "No client key, or an invalid one.",
    403: "This client may not do this.",
    404: "No such model or object.",
    409: "There are too many of these; delete some.",
    413: "The body is too large.",
    415: "The body is not application/json, or its compression is not supported.",
    429: "A limit was reached; `retry-after` says when to retry.",
    500: "An error in the gateway or in the Claude Code CLI.",
    502: "Every upstream key was rejected.",
    503: "Too busy, or the upstream is unavailable; `retry-after` says when to retry.",
    504: "The upstream stopped responding.",
}
_ASKING = (400, 401, 403, 404, 413, 415, 429, 500, 502, 503, 504)
_SENDING = (400, 401, 403, 404, 409, 413, 415, 429, 500, 503)
_LOOKING = (400, 401, 403, 404, 429, 500, 503)


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _failures(statuses: Iterable[int]) -> dict[str, Any]:
    return {str(status): {"description": _ERRORS[status], "content": _json(ref("Error"))} for status in statuses}


def _ask(name: str, summary: str, request: str, answer: str, chunk: str, end: str = "`[DONE]`") -> Operation:
    words = f"An answer, or (`stream`: true) events with one `{chunk}` each, ending with {end}."
    content = {**_json(ref(answer)), "text/event-stream": {"schema": TEXT}}
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": _json(ref(request))},
        "responses": {"200": {"description": words, "content": content}, **_failures(_ASKING)},
    }


def _send(name: str, summary: str, request: str, answer: str) -> Operation:
    operation = _look(name, summary, _json(ref(answer)), _SENDING)
    return {**operation, "requestBody": {"required": True, "content": _json(ref(request))}}


def _page(name: str, summary: str, answer: str, *more: dict[str, Any]) -> Operation:
    return {**_look(name, summary, _json(ref(answer))), "parameters": [*PAGE_PARAMETERS, *more]}


def _look(name: str, summary: str, content: dict[str, Any], errors: Iterable[int] = _LOOKING) -> Operation:
    answered = {"200": {"description": summary, "content": content}}
    return {"operationId": name, "summary": summary, "responses": {**answered, **_failures(errors)}}


def _probe(name: str, summary: str, content: dict[str, Any], *, may_fail: bool) -> Operation:
    """Probes answer 503 in the shape of their success, for supervisors."""
    operation = _look(name, summary, content, ())
    if may_fail:
        operation["responses"]["503"] = {"description": "Not ready; says why.", "content": content}
    return operation


_PLAIN = {"text/plain": {"schema": TEXT}}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/v1/chat/completions"): _ask(
        "chatCompletions", "Answer a conversation", "ChatRequest", "ChatCompletion", "ChatCompletionChunk"
    ),
    ("POST", "/v1/completions"): _ask(
        "completions", "Continue a text", "CompletionsRequest", "Completion", "TextChunk"
    ),
    ("POST", "/v1/responses"): _ask(
        "createResponse",
        "Answer a conversation, in items",
        "ResponsesRequest",
        "Response",
        "ResponseEvent",
        "`response.completed`, `response.incomplete` or `response.failed`",
    ),
    ("POST", "/v1/responses/compact"): _send(
        "compactConversation",
        "Summarise a conversation, to continue from the summary",
        "ResponsesRequest",
        "ResponseCompacted",
    ),
    ("POST", "/v1/responses/input_tokens"): _send(
        "countInputTokens", "Estimate the tokens of a request", "ResponseCounting", "ResponseTokens"
    ),
    ("GET", "/v1/responses/{ident}"): {
        **_look("showResponse", "A response that is stored or in progress", _json(ref("Response"))),
        "parameters": SHOW_PARAMETERS,
    },
    ("DELETE", "/v1/responses/{ident}"): _look("deleteResponse", "Delete a response", _json(ref("ResponseDeleted"))),
    ("POST", "/v1/responses/{ident}/cancel"): _look(
        "cancelResponse", "Cancel a background response", _json(ref("Response")), _SENDING
    ),
    ("GET", "/v1/responses/{ident}/input_items"): {
        **_look("listInputItems", "The input items of a response", _json(ref("ResponseItems"))),
        "parameters": ITEM_PARAMETERS,
    },
    ("POST", "/v1/messages"): in_its_envelope(
        _ask(
            "createMessage",
            "Answer a conversation (Anthropic's API)",
            "MessagesRequest",
            "MessagesAnswer",
            "MessagesEvent",
            "`message_stop` or `error`",
        )
    ),
    ("POST", "/v1/messages/count_tokens"): in_its_envelope(
        _send("countMessageTokens", "Estimate the tokens of a message", "MessagesCounting", "MessagesTokens")
    ),
    ("GET", "/v1/models"): _look("listModels", "The available models", _json(ref("Models"))),
    ("GET", "/v1/models/{ident}"): _look("showModel", "One model", _json(ref("Model"))),
    ("GET", "/v1/models/capabilities"): _look("capabilities", "What each model can do", _json(ref("Capabilities"))),
    ("GET", "/v1/usage"): {
        **_look("usage", "What this client has used", _json(ref("ClientUsage"))),
        "parameters": USAGE_PARAMETERS,
    },
    ("GET", "/health"): _probe("health", "Health, with versions", _json(ref("Health")), may_fail=True),
    ("GET", "/livez"): _probe("livez", "The process is alive", _PLAIN, may_fail=False),
    ("GET", "/readyz"): _probe("readyz", "Requests are accepted now", _PLAIN, may_fail=True),
    ("GET", "/metrics"): _look("metrics", "Metrics for Prometheus", _PLAIN, (401, 429, 503)),
    ("GET", "/openapi.json"): _look("openapi", "This description", _json({"type": "object"}), ()),
    ("GET", "/"): _look("index", "About this service", _json(ref("Index")), ()),
    # What the older gateway had besides OpenAI's API.
    ("GET", "/v1/projects"): _page("listProjects", "The client's projects", "Projects"),
    ("POST", "/v1/projects"): _send("createProject", "Create a project", "ProjectRequest", "Project"),
    ("GET", "/v1/projects/{ident}"): _look("showProject", "One project", _json(ref("Project"))),
    ("DELETE", "/v1/projects/{ident}"): _look("deleteProject", "Delete a project", _json(ref("ProjectDeleted"))),
    ("GET", "/v1/sessions"): _page("listSessions", "The client's sessions", "Sessions", PROJECT_PARAMETER),
    ("POST", "/v1/sessions"): _send("createSession", "Create a session", "SessionRequest", "Session"),
    ("GET", "/v1/sessions/stats"): _look("sessionStats", "Totals over the sessions", _json(ref("SessionStats"))),
    ("GET", "/v1/sessions/{ident}"): _look("showSession", "One session", _json(ref("Session"))),
    ("DELETE", "/v1/sessions/{ident}"): _look("deleteSession", "Delete a session", _json(ref("SessionDeleted"))),
    ("POST", "/v1/chat/completions/debug"): _send(
        "checkChat", "Validate a chat request without sending it", "Anything", "Checked"
    ),
    ("GET", "/v1/chat/completions/{ident}/status"): _look(
        "sessionStatus", "The state of a session", _json(ref("SessionStatus"))
    ),
    ("DELETE", "/v1/chat/completions/{ident}"): _look(
        "stopSession", "Stop the running answer in a session", _json(ref("SessionStopped"))
    ),
}


def describe(version: str, routes: Iterable[tuple[str, str, bool]], bounds: Bounds) -> dict[str, Any]:
    """The description of these routes: (method, path, whether it needs no client key), with paths as in the table,
    `/v1/models/<path:ident>`.

    Raises KeyError for a route that has no operation here.
    """
    paths: dict[str, Any] = {}
    for method, path, is_open in routes:
        template = _PARAMETER.sub(r"{\1}", path)
        paths.setdefault(template, {})[method.lower()] = _operation(method, template, is_open=is_open)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claudegwd",
            "version": version,
            "description": (
                "OpenAI's API, served through the Claude Code CLI. Other request fields are accepted; those "
                "without effect are listed in the header `x-claudegw-ignored`."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": {
                **request_schemas(bounds),
                **answer_schemas(),
                **older_schemas(),
                **responses_schemas(bounds),
                **usage_schemas(),
                **messages_schemas(bounds),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _operation(method: str, template: str, *, is_open: bool) -> Operation:
    operation = dict(OPERATIONS[method, template])
    names = re.findall(r"\{(\w+)\}", template)
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in names
    ]
    if parameters := [*in_path, *operation.get("parameters", ())]:
        operation["parameters"] = parameters
    operation["security"] = [] if is_open else [{"bearer": []}, {"header": []}]
    return operation
