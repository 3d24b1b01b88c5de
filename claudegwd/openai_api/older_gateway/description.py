"""The older gateway's routes for our own OpenAPI description."""

from typing import Any

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
from claudegwd.openai_api.older_gateway.resources import (
    MAX_ID_CHARS,
    MAX_NAME_CHARS,
    MAX_PAGE,
    MAX_PAGE_SIZE,
    MAX_PROMPT_CHARS,
    MAX_TEXT_CHARS,
    PAGE_SIZE,
)

_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_TIME: Schema = {"type": "string", "format": "date-time"}
_COST: Schema = {"type": "number", "minimum": 0}

PAGE_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "minimum": 1, "maximum": highest, "default": default},
    }
    for name, default, highest in (("page", 1, MAX_PAGE), ("per_page", PAGE_SIZE, MAX_PAGE_SIZE))
]
PROJECT_PARAMETER: dict[str, Any] = {"name": "project_id", "in": "query", "required": False, "schema": TEXT}


def older_schemas() -> dict[str, Schema]:
    """The schemas of these routes' requests and responses, by name."""
    return {**_kept(), **_lists(), **_states(), **_requests()}


def _kept() -> dict[str, Schema]:
    times = {"created_at": _TIME, "updated_at": _TIME, "is_active": FLAG}
    totals = {"total_tokens": COUNT, "total_cost": _COST, "message_count": COUNT}
    return {
        "Project": record(
            "id name description path created_at updated_at is_active",
            id=TEXT, name=TEXT, description=_TEXT_OR_NULL, path=TEXT, **times,
        ),
        "Session": record(
            "id project_id title model system_prompt created_at updated_at is_active total_tokens total_cost "
            "message_count",
            id=TEXT, project_id=_TEXT_OR_NULL, title=_TEXT_OR_NULL, model=_TEXT_OR_NULL, system_prompt=_TEXT_OR_NULL,
            **times, **totals,
        ),
        "SessionStatus": record(
            "session_id project_id model is_running created_at updated_at total_tokens total_cost message_count",
            session_id=TEXT, project_id=_TEXT_OR_NULL, model=_TEXT_OR_NULL, is_running=FLAG, created_at=_TIME,
            updated_at=_TIME, **totals,
        ),
    }  # fmt: skip


def _lists() -> dict[str, Schema]:
    pagination = record(
        "page per_page total_items total_pages has_next has_prev",
        page=COUNT, per_page=COUNT, total_items=COUNT, total_pages=COUNT, has_next=FLAG, has_prev=FLAG,
    )  # fmt: skip
    return {
        f"{name}s": record("data pagination", data=listed(ref(name)), pagination=pagination)
        for name in ("Project", "Session")
    }


def _states() -> dict[str, Schema]:
    stats = record(
        "active_sessions total_tokens total_cost total_messages models_in_use",
        active_sessions=COUNT, total_tokens=COUNT, total_cost=_COST, total_messages=COUNT, models_in_use=listed(TEXT),
    )  # fmt: skip
    parsed = record("model messages_count stream", model=TEXT, messages_count=COUNT, stream=FLAG)
    fault = record("message param code", message=TEXT, param=_TEXT_OR_NULL, code=_TEXT_OR_NULL)
    return {
        "SessionStats": record(
            "session_stats active_claude_sessions claude_sessions",
            session_stats=stats, active_claude_sessions=COUNT, claude_sessions=listed(TEXT),
        ),
        "Checked": {
            "anyOf": [
                record("status parsed_data", status=one_of("success"), parsed_data=parsed),
                record("status errors", status=one_of("validation_error"), errors=listed(fault)),
            ]
        },
        "ProjectDeleted": record("project_id status", project_id=TEXT, status=one_of("deleted")),
        "SessionDeleted": record("session_id status", session_id=TEXT, status=one_of("deleted")),
        "SessionStopped": record("session_id status", session_id=TEXT, status=one_of("stopped")),
        "Anything": {"anyOf": [{"type": "object"}, NULL]},
    }  # fmt: skip


def _requests() -> dict[str, Schema]:
    name: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS}
    text: Schema = {"type": "string", "maxLength": MAX_TEXT_CHARS}
    ident: Schema = {"type": "string", "maxLength": MAX_ID_CHARS, "pattern": r"^[^\x00-\x1f]*$"}
    title: Schema = {"type": "string", "maxLength": MAX_NAME_CHARS}
    prompt: Schema = {"type": "string", "maxLength": MAX_PROMPT_CHARS}
    return {
        "ProjectRequest": record("name", name=name, **optional(description=text, path=text)),
        "SessionRequest": record(**optional(project_id=ident, title=title, model=TEXT, system_prompt=prompt)),
    }
