"""The older gateway's own requests and lists: projects, sessions, pages. Its clients still use them.

Their texts are only stored and returned: a project's `path` is never opened.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.errors import InvalidRequest
from claudegwd.openai_api.fields import Fields, refuse
from claudegwd.openai_api.json_body import read_object

# Ids are uuids here and in the older gateway; clients that make their own keep them short.
MAX_ID_CHARS = 256
MAX_NAME_CHARS = 256
MAX_TEXT_CHARS = 4096  # descriptions and paths
# A system prompt that is stored with a session. Agents with longer ones send them with each request anyway.
MAX_PROMPT_CHARS = 32_768

PAGE_SIZE = 20
MAX_PAGE_SIZE = 100  # the older gateway's own limit
MAX_PAGE = 1_000_000  # far beyond what is stored, and far below SQLite's largest integer


class ProjectWanted(msgspec.Struct, frozen=True):
    """The body of POST /v1/projects."""

    name: str
    description: str | None
    path: str | None


class SessionWanted(msgspec.Struct, frozen=True):
    """The body of POST /v1/sessions."""

    project_id: str | None
    title: str | None
    model: str | None
    system_prompt: str | None


class Page(msgspec.Struct, frozen=True):
    """The wanted part of a list; `number` counts from 1."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows precede it."""
        return (self.number - 1) * self.size


def parse_project(body: bytes, bounds: Bounds) -> ProjectWanted:
    """Read POST /v1/projects; raises InvalidRequest."""
    fields = Fields(read_object(body, bounds))
    return ProjectWanted(
        name=fields.needed_text("name", longest=MAX_NAME_CHARS),
        description=fields.text("description", longest=MAX_TEXT_CHARS),
        path=fields.text("path", longest=MAX_TEXT_CHARS),
    )


def parse_session(body: bytes, bounds: Bounds) -> SessionWanted:
    """Read POST /v1/sessions; raises InvalidRequest."""
    fields = Fields(read_object(body, bounds))
    return SessionWanted(
        project_id=checked_id("project_id", fields.text("project_id")),
        title=fields.text("title", longest=MAX_NAME_CHARS),
        model=fields.text("model", longest=bounds.max_model_chars),
        system_prompt=fields.text("system_prompt", longest=MAX_PROMPT_CHARS),
    )


def checked_id(name: str, value: str | None) -> str | None:
    """A client's id for a session or project, if it can be stored; raises InvalidRequest. Empty is none."""
    if value and (len(value) > MAX_ID_CHARS or not value.isprintable()):
        refuse(name, f"it must be at most {MAX_ID_CHARS} printable characters")
    return value or None


def parse_page(query: Mapping[str, str]) -> Page:
    """Read `page` and `per_page` of a query; raises InvalidRequest."""
    return Page(_whole(query, "page", 1, MAX_PAGE), _whole(query, "per_page", PAGE_SIZE, MAX_PAGE_SIZE))


def _whole(query: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    # Length first: int() of a megabyte of digits takes a while.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= highest):
        raise InvalidRequest(f"cannot read {name}: it must be a whole number from 1 to {highest}", param=name)
    return int(text)


def page_body(data: Sequence[Mapping[str, Any]], page: Page, total: int) -> dict[str, Any]:
    """One page of a list of `total` rows."""
    pages = -(-total // page.size)
    return {
        "data": list(data),
        "pagination": {
            "page": page.number,
            "per_page": page.size,
            "total_items": total,
            "total_pages": pages,
            "has_next": page.number < pages,
            "has_prev": page.number > 1,
        },
    }


def moment(seconds: float) -> str:
    """Seconds since 1970 in the older gateway's format: ISO 8601, here explicitly in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
