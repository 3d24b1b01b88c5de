"""A web search as OpenAI's clients request it: which of its options the upstream's own search has, and which it lacks.

A chat requests it with web_search_options; a Responses request with a tool, which agents offer without needing it.
"""

import re
from typing import Any, Final

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import Fields, refuse

_PLACES: Final = ("city", "country", "region", "timezone")
_SIZES: Final = ("low", "medium", "high")
MAX_PLACE_CHARS: Final = 256  # the longest place names have some 180
MAX_DOMAINS: Final = 100  # OpenAI's own limit
MAX_DOMAIN_CHARS: Final = 2048  # a host has at most 253, and the upstream accepts a path after it

# web_search, web_search_preview, and either with a date.
SEARCH_TOOL: Final = r"web_search(_preview)?(_[0-9]{4}_[0-9]{2}_[0-9]{2})?"
_TOOL: Final = re.compile(SEARCH_TOOL)
_TOOL_FIELDS: Final = frozenset(("type", "filters", "user_location", "search_context_size", "external_web_access"))
_FILTERS: Final = ("allowed_domains", "blocked_domains")


class WebSearch(msgspec.Struct, frozen=True, kw_only=True):
    """A search is allowed. `location` is roughly where the user is; `ignored` is for x-claudegw-ignored.

    `param` is what asked for it. `offered`: if it is unavailable, it may be left out and reported; `demanded`: the
    answer starts with one.
    """

    param: str = "web_search_options"
    location: dict[str, str] = {}
    domains: dict[str, list[str]] = {}  # allowed_domains, blocked_domains
    most: int | None = None  # searches in one answer
    offered: bool = False
    demanded: bool = False
    ignored: tuple[str, ...] = ()


def read_web_search(body: Fields) -> WebSearch | None:
    """Read `web_search_options` of a chat; None if no search is allowed."""
    options = body.object("web_search_options")
    if options is None:
        return None
    user = options.object("user_location")
    if user is not None:
        user.one_of("type", ("approximate",))
    location = _location(user.object("approximate") if user is not None else None)
    return WebSearch(location=location, ignored=_size(options, "web_search_options"))


def is_search(kind: str) -> bool:
    """Whether a tool of this type searches the web."""
    return _TOOL.fullmatch(kind) is not None


def read_search_tool(tool: Fields, bounds: Bounds) -> WebSearch | None:
    """Read such a tool; None for one that only searches what was fetched before: here there is nothing."""
    live = tool.flag("external_web_access")
    user = tool.object("user_location")
    if user is not None:
        user.one_of("type", ("approximate",))
    filters = tool.object("filters")
    name = f"tools.{tool.values['type']}"
    further = tuple(f"{name}.{field}" for field in tool.values.keys() - _TOOL_FIELDS if tool.get(field) is not None)
    found = WebSearch(
        param="tools",
        location=_location(user),
        domains={field: given for field in _FILTERS if filters and (given := _domains(filters, field))},
        offered=True,
        ignored=(*_size(tool, name), *sorted(further)[: bounds.max_parts]),
    )
    if len(found.domains) > 1:
        refuse(f"{tool.path}.filters", "use allowed_domains or blocked_domains, not both")
    return found if live is not False else None


def _location(where: Fields | None) -> dict[str, str]:
    given: dict[str, Any] = {name: where.text(name, longest=MAX_PLACE_CHARS) for name in _PLACES if where is not None}
    return {name: value for name, value in given.items() if value}


def _size(fields: Fields, name: str) -> tuple[str, ...]:
    """The upstream's search has one size."""
    size = fields.one_of("search_context_size", _SIZES)
    return (f"{name}.search_context_size",) if size not in (None, "medium") else ()


def _domains(filters: Fields, name: str) -> list[str]:
    given = filters.array(name, longest=MAX_DOMAINS) or []
    for index, domain in enumerate(given):
        if not isinstance(domain, str) or not 0 < len(domain) <= MAX_DOMAIN_CHARS:
            refuse(f"{filters.at(name)}[{index}]", "it must be a domain name, such as example.org")
    return given
