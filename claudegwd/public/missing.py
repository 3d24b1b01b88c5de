"""The error for a path that is not served: the base URL may be wrong, or the client may expect the older gateway."""

from quart import current_app, request

from claudegwd.openai_api.errors import NotFound
from claudegwd.public.protocol import ROUTE, is_anthropic
from claudegwd.public.requests import method_of, path_of

# The older gateway had these on TCP. Control routes are never reachable there; say where they went.
MOVED = {"/v1/keys/status": "claudegwctl keys list", "/v1/keys/rotate": "claudegwctl rotate"}
_ROOT = "/v1"


def not_found() -> NotFound:
    """The error for this request, which has no route."""
    path = path_of(request)
    if path in MOVED:
        return NotFound(f"cannot serve this over TCP: use `{MOVED[path]}` on the gateway's machine")
    asked = f"{method_of(request)} {_printable(request.path)}"
    meant = f"{_ROOT}/{path.rpartition(f'{_ROOT}/')[2].lstrip('/')}"
    routes = current_app.url_map.bind("localhost")
    if meant != path and routes.allowed_methods(meant):
        return NotFound(
            f"cannot find {asked}: the base URL for {_base_url(path, meant)}, so that the request goes to "
            f"{_printable(meant)}"
        )
    return NotFound(f"cannot find {asked}: GET /openapi.json lists the routes")


def _base_url(path: str, meant: str) -> str:
    """For which client, and the URL. Clients of OpenAI's API have the version in their base URL. Most of Anthropic's
    put it into the path themselves, but some do not: the requested path shows which kind this is."""
    if not (is_anthropic() or meant.startswith(ROUTE)):
        return f"a client is http://HOST:PORT{_ROOT} and nothing more"
    base = "http://HOST:PORT" if f"{_ROOT}/" in path else f"http://HOST:PORT{_ROOT}"
    return f"this client of Anthropic's API is {base} and nothing more"


def _printable(path: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in path[:128])
