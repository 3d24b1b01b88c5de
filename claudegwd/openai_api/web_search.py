"""web_search_options: what of it the upstream's own search has, and what of it has no counterpart there."""

from typing import Any, Final

import msgspec

from claudegwd.openai_api.fields import Fields

_PLACES: Final = ("city", "country", "region", "timezone")
_SIZES: Final = ("low", "medium", "high")
MAX_PLACE_CHARS: Final = 256  # the longest names of towns have some 180


class WebSearch(msgspec.Struct, frozen=True):
    """A search may be made. `location` is about where the user is; `ignored` for x-claudegw-ignored."""

    location: dict[str, str]
    ignored: tuple[str, ...] = ()


def read_web_search(body: Fields) -> WebSearch | None:
    """None where none may be made."""
    options = body.object("web_search_options")
    if options is None:
        return None
    size = options.one_of("search_context_size", _SIZES)
    user = options.object("user_location")
    if user is not None:
        user.one_of("type", ("approximate",))
    where = user.object("approximate") if user is not None else None
    given: dict[str, Any] = {name: where.text(name, longest=MAX_PLACE_CHARS) for name in _PLACES if where is not None}
    named = ("web_search_options.search_context_size",) if size not in (None, "medium") else ()
    return WebSearch({name: value for name, value in given.items() if value}, named)
